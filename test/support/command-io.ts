import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { CommandIo } from '../../src/cli/command.ts';

/** What a command wrote, and how it ended. */
export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command in this process with `input` as standard input. */
export const runCommand = async (
  run: (args: readonly string[], io: CommandIo) => Promise<number>,
  args: readonly string[],
  input = '',
): Promise<Ran> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const written = Promise.all([text(stdout), text(stderr)]);
  const code = await run(args, { stdin: Readable.from([input]), stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, stdout: out, stderr: err };
};
