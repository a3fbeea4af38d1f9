import { parseArgs } from 'node:util';
import { loadConfig } from '../../config.ts';
import { readPolicyFiles } from '../../gateway/policies.ts';
import { checkPolicies, wordProblem } from '../../policy/load.ts';
import { type CommandIo, EXIT } from '../command.ts';

/** `weighbridge policy check`: what is wrong with a set, with the place of each. */
export const check = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean' }, strict: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const path = positionals[0] ?? loadConfig({}).policies;
  const { set, problems } = checkPolicies(await readPolicyFiles(path), Date.now(), true);
  if (values.json === true) {
    io.stdout.write(`${JSON.stringify({ path, valid: set !== undefined, digest: set?.digest, problems })}\n`);
  } else {
    for (const problem of problems) io.stdout.write(`${wordProblem(problem)}\n`);
    io.stdout.write(set === undefined ? `${path}: not valid\n` : `${path}: valid, digest ${set.digest}\n`);
  }
  return set === undefined || (values.strict && problems.length > 0) ? EXIT.refused : EXIT.ok;
};
