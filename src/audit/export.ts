import { readFileSync } from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { base64 } from '../merkle/base64.ts';
import { parseNote } from '../merkle/checkpoint.ts';
import { sameDigest } from '../merkle/hash.ts';
import { proveInclusion, rangeRoot } from '../merkle/proofs.ts';
import { tree } from './digest.ts';
import type { LoggedEntry } from './entry.ts';
import { logFiles } from './layout.ts';
import type { ReadEntry } from './reader.ts';
import { openLeafHashes, openTree } from './tree-file.ts';

/** The columns of a CSV export. New ones are only ever appended. */
const COLUMNS: readonly (readonly [string, (entry: LoggedEntry) => string | number | boolean | undefined])[] = [
  ['id', ({ id }) => id],
  ['time', ({ time }) => time],
  ['node', ({ node }) => node],
  ['kind', ({ kind }) => kind],
  ['request', ({ request }) => request?.id],
  ['method', ({ request }) => request?.method],
  ['route', ({ request }) => request?.route],
  ['actor', ({ actor }) => actor],
  ['client', ({ client }) => client && `${client.name} ${client.version}`],
  ['ecosystem', ({ artefact }) => artefact?.ecosystem],
  ['repo', ({ artefact }) => artefact?.repo],
  ['commit', ({ artefact }) => artefact?.commit],
  ['path', ({ artefact }) => artefact?.path],
  ['sha256', ({ artefact }) => artefact?.sha256],
  ['size', ({ artefact }) => artefact?.size],
  ['format', ({ artefact }) => artefact?.format],
  ['action', ({ decision }) => decision?.action],
  ['rule', ({ decision }) => decision?.rule],
  ['reason', ({ decision }) => decision?.reason],
  ['provisional', ({ decision }) => decision?.provisional],
  ['waiver', ({ decision }) => decision?.waiver],
  ['policySet', ({ evidence }) => evidence?.policySet],
  ['ruleset', ({ evidence }) => evidence?.ruleset],
  ['facts', ({ evidence }) => evidence?.facts],
  ['status', ({ served }) => served?.status],
  ['bytes', ({ served }) => served?.bytes],
  ['range', ({ served }) => served?.range],
  ['release', ({ served }) => served?.release],
  ['convertedFrom', ({ served }) => served?.convertedFrom],
  ['complete', ({ served }) => served?.complete],
  ['ms', ({ ms }) => ms],
];

/** The head line of a CSV export, with its line break. */
export const csvHead = `${['index', ...COLUMNS.map(([name]) => name)].join(',')}\r\n`;

/** An entry as a line of CSV (RFC 4180), with its line break. */
export const csvLine = ({ index, entry }: ReadEntry): string =>
  `${[index, ...COLUMNS.map(([, value]) => cell(value(entry)))].join(',')}\r\n`;

/** A cell that no spreadsheet takes for a formula: such a text gets an apostrophe before it (CWE-1236). */
export const cell = (value: string | number | boolean | undefined): string => {
  if (typeof value !== 'string') return value === undefined ? '' : String(value);
  const safe = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** Makes proofs that single entries are in the log. */
export type Prover = {
  /** The checkpoint that the proofs lead to. */
  readonly checkpoint: string;
  /** Sibling hashes from the leaf up, in base64; undefined for an entry that is newer than the checkpoint. */
  prove(index: number): readonly string[] | undefined;
  close(): void;
};

/** A prover for the newest checkpoint in `directory`. Throws LOG_CORRUPT when the leaf hashes are not there for it. */
export const openProver = (directory: string): Prover => {
  const checkpoint = readFileSync(logFiles(directory).checkpoint, 'utf8');
  const { size, root } = parseNote(checkpoint).checkpoint;
  const hashes = openLeafHashes(directory);
  const at = openTree(hashes, size);
  // Any one proof leads to the root of what is in the files: when that is not the signed one, all would be void.
  if (!sameDigest(rangeRoot(tree, at, 0, size), root)) {
    hashes.close();
    throw new WeighbridgeError(
      'LOG_CORRUPT',
      'the leaf hashes are not those of the checkpoint: run `weighbridge log verify`',
    );
  }
  return {
    checkpoint,
    prove: (index) => (index < size ? proveInclusion(tree, at, index, size).map(base64) : undefined),
    close: hashes.close,
  };
};
