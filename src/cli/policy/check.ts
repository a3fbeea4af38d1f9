import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { printable } from '../../formats/format.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { checkPolicies, wordProblem } from '../../policy/load.ts';
import { layout } from '../../store/layout.ts';
import { readSqliteRecords } from '../../store/records-read.ts';
import { type CommandIo, EXIT } from '../command.ts';

/** `weighbridge policy check`: what is wrong with a set, with the place of each. */
export const check = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean' },
      strict: { type: 'boolean', default: false },
      data: { type: 'string' },
      days: { type: 'string', default: '14' },
    },
    allowPositionals: true,
  });
  const path = positionals[0] ?? loadConfig({}).policies.path;
  const { set, problems } = checkPolicies(await readPolicyFiles(path), Date.now(), true);
  const ending = endingReleases(values.data, daysOf(values.days), Date.now());
  if (values.json === true) {
    io.stdout.write(`${JSON.stringify({ path, valid: set !== undefined, digest: set?.digest, problems, ending })}\n`);
  } else {
    for (const problem of problems) io.stdout.write(`${wordProblem(problem)}\n`);
    for (const text of ending) io.stdout.write(`warning: ${text}\n`);
    io.stdout.write(set === undefined ? `${path}: not valid\n` : `${path}: valid, digest ${set.digest}\n`);
  }
  return set === undefined || (values.strict && problems.length + ending.length > 0) ? EXIT.refused : EXIT.ok;
};

const DAY = 86_400_000;

const daysOf = (written: string): number => {
  const days = Number(written);
  if (Number.isInteger(days) && days >= 0 && days <= 3650) return days;
  throw new WeighbridgeError('REQUEST_INVALID', '--days: expected a whole number of days');
};

/** Releases kept in the data folder that end within so many days, in words. */
const endingReleases = (data: string | undefined, days: number, now: number): readonly string[] => {
  const path = layout(data ?? loadConfig({}).data).records;
  if (data === undefined && !existsSync(path)) return [];
  const records = readSqliteRecords(path);
  try {
    return [...records.all('release')].flatMap(({ key, value: { state, artefact, expiresAt = 0 } }) => {
      const left = expiresAt - now;
      if (state !== 'active' || left <= 0 || left > days * DAY) return [];
      return [
        `release ${key} of ${printable(`${artefact.repo}/${artefact.path}`)} ends in ${Math.ceil(left / DAY)} days`,
      ];
    });
  } finally {
    records.close();
  }
};
