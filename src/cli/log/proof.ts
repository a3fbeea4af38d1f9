import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sha256 } from '../../audit/digest.ts';
import { checkProof, consistencyProof, inclusionProof } from '../../audit/proof.ts';
import { MIB } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { parseVerifierKey } from '../../merkle/checkpoint.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { directoryOf, wrong } from './options.ts';

/** Bytes of a proof, an entry or a checkpoint; none has more than some 20 KiB. */
const MAX_FILE = MIB;

/** `weighbridge log proof`: of one entry, or since a checkpoint. */
export const proof = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { entry: { type: 'string' }, since: { type: 'string' } },
  });
  const { entry, since } = values;
  if ((entry === undefined) === (since === undefined)) throw wrong('either --entry or --since is needed');
  const directory = directoryOf(positionals);
  if (!existsSync(directory)) throw new WeighbridgeError('NOT_FOUND', `there is no log at ${directory}`);
  if (entry !== undefined && !/^\d{1,15}$/.test(entry)) throw wrong('--entry is no number of an entry');
  const text =
    since === undefined ? inclusionProof(directory, Number(entry)) : consistencyProof(directory, textOf(since));
  io.stdout.write(text);
  return EXIT.ok;
};

/** `weighbridge log verify FILE --proof PROOF`: 0 when the proof holds, 1 when it does not. */
export const verifyProof = (
  path: string,
  proofPath: string,
  key: string | undefined,
  json: boolean,
  io: CommandIo,
): number => {
  if (key === undefined) throw wrong("--proof needs --key: a copy of the log's verifier key");
  const proven = checkProof(textOf(proofPath), textOf(path), parseVerifierKey(key, sha256));
  if (json) io.stdout.write(`${JSON.stringify(proven)}\n`);
  else io.stdout.write(`${proven.ok ? 'verified' : 'NOT AS SIGNED'}: ${proven.text}\n`);
  return proven.ok ? EXIT.ok : EXIT.refused;
};

const textOf = (path: string): string => {
  if (!existsSync(path)) throw new WeighbridgeError('NOT_FOUND', `there is no ${path}`);
  if (statSync(path).size > MAX_FILE) throw wrong(`${path} is too long to be a proof, an entry or a checkpoint`);
  return readFileSync(path, 'utf8');
};
