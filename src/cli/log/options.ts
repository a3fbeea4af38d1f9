import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeighbridgeError } from '../../errors.ts';
import type { CommandIo } from '../command.ts';

const DEFAULT_DIRECTORY = join('data', 'log');

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A point in time, in ms since the epoch, from a date or from how long ago it was. */
export const timeOf = (option: string, text: string): number => {
  const [, amount, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const time = amount === undefined ? Date.parse(text) : Date.now() - Number(amount) * (UNITS[unit] ?? 0);
  if (Number.isNaN(time)) throw wrong(`--${option} '${text}' is neither a date nor a duration such as 12h`);
  return time;
};

/** The number of an option, from 1 to `most`. */
export const countOf = (option: string, text: string | undefined, otherwise: number, most: number): number => {
  const count = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw wrong(`--${option} is not 1 to ${most}`);
};

export const directoryOf = ([first = DEFAULT_DIRECTORY, ...others]: readonly string[]): string => {
  if (others.length > 0) throw wrong(`one log at a time, not also '${others[0]}'`);
  return first;
};

export const keyFrom = (given: string): string => {
  if (/^[^+\s]+\+[0-9a-f]{8}\+/.test(given)) return given;
  if (existsSync(given)) return readFileSync(given, 'utf8').trim();
  throw new WeighbridgeError('NOT_FOUND', `'${given}' is neither a verifier key (name+id+base64) nor a file with one`);
};

export const wrong = (what: string): WeighbridgeError =>
  new WeighbridgeError('REQUEST_INVALID', `${what}; see weighbridge log --help`);

/** Waits when the reader of a pipe is slow, so that an export does not gather in memory. */
export const send = async (io: CommandIo, text: string): Promise<void> => {
  if (io.stdout.write(text)) return;
  // A reader who has gone does not drain any more.
  await Promise.race(['drain', 'close'].map((event) => new Promise((resolve) => io.stdout.once(event, resolve))));
};
