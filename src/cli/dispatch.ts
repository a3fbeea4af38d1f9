import { isFault } from '../errors.ts';
import { version } from '../package.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { commands } from './index.ts';

const HELP = ['--help', '-h', 'help'];
const VERSION = ['--version', '-V'];

/** Finds and runs the command that `args` names. Faults are worded on stderr and end with exit code 2. */
export const dispatch = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const [name = '--help', ...rest] = args;
  if (HELP.includes(name)) return printed(io.stdout, await overview());
  if (VERSION.includes(name)) return printed(io.stdout, version);
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) return unknown(name, io);
  try {
    const command = await load();
    if (rest.some((argument) => argument === '--help' || argument === '-h')) return printed(io.stdout, command.usage);
    return await command.run(rest, io);
  } catch (error) {
    io.stderr.write(`weighbridge ${name}: ${wording(error)}\n`);
    return EXIT.failed;
  }
};

const printed = (stream: NodeJS.WritableStream, text: string): number => {
  stream.write(`${text}\n`);
  return EXIT.ok;
};

const unknown = (name: string, io: CommandIo): number => {
  io.stderr.write(`weighbridge: there is no command '${name}'. Commands: ${Object.keys(commands).join(', ')}\n`);
  return EXIT.failed;
};

const overview = async (): Promise<string> => {
  const loaded = await Promise.all(Object.values(commands).map((load) => load()));
  const width = Math.max(...loaded.map((command) => command.name.length));
  const line = (command: Command): string => `  ${command.name.padEnd(width)}  ${command.summary}`;
  return [
    'usage: weighbridge COMMAND [OPTIONS]',
    '',
    ...loaded.map(line),
    '',
    'Exit codes: 0 all allowed or done, 1 something refused, 2 could not do it.',
    '`weighbridge COMMAND --help` explains a command; `weighbridge --version` prints the version.',
  ].join('\n');
};

/** What went wrong, for a person: a wrong option or a fault by its message, a defect with its place in the program. */
const wording = (error: unknown): string => {
  if (isFault(error)) return `${error.message} [${error.code}]`;
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return code.startsWith('ERR_PARSE_ARGS') || code.startsWith('E') ? error.message : (error.stack ?? error.message);
};
