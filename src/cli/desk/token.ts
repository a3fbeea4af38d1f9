import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { CommandIo } from '../command.ts';

/** The token in a file that `--token-file` names; `-` stands for standard input. */
export const readToken = async (file: string | undefined, stdin: CommandIo['stdin']): Promise<string | undefined> =>
  file === undefined ? undefined : (file === '-' ? await text(stdin) : readFileSync(file, 'utf8')).trim();
