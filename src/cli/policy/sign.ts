import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import { readPolicyFiles, readSignatures, signaturesPath } from '../../gateway/policies.ts';
import { loadPolicies } from '../../policy/load.ts';
import { addSignature } from '../../policy/signatures.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { writeWhole } from '../write-whole.ts';

/** `weighbridge policy sign`: adds a signature to the policies, which must be valid. */
export const sign = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const options = { key: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.key === undefined) throw new WeighbridgeError('REQUEST_INVALID', '--key: expected a private key');
  const path = positionals[0] ?? loadConfig({}).policies.path;
  const { digest } = loadPolicies(await readPolicyFiles(path), Date.now());
  const place = await signaturesPath(path);
  const secret = await readFile(values.key, 'utf8');
  const { text, key } = addSignature(digest, await readSignatures(path), secret, Date.now());
  await writeWhole(place, [Buffer.from(text)]);
  io.stdout.write(`${place}: signed by key ${key}, digest ${digest}\n`);
  return EXIT.ok;
};
