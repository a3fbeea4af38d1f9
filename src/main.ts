import { EXIT } from './cli/command.ts';
import { dispatch } from './cli/dispatch.ts';

/** Runs the command named by the arguments; the exit code is the process's, set only when output has been written. */
const main = async (): Promise<void> => {
  process.stdout.on('error', endOnBrokenPipe);
  process.exitCode = await dispatch(process.argv.slice(2), process);
};

/** `weighbridge scan … | head` closes the pipe: that is no fault, but there is nobody left to work for. */
const endOnBrokenPipe = (error: NodeJS.ErrnoException): void => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed);
};

await main();
