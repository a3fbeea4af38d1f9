import { WeighbridgeError } from '../errors.ts';
import { base64, fromBase64 } from '../merkle/base64.ts';
import { formatNote, openNote, type VerifierKey } from '../merkle/checkpoint.ts';
import { createFrontier } from '../merkle/frontier.ts';
import { sha256, tree, verifyEd25519 } from './digest.ts';
import type { Signer } from './keys.ts';
import type { Query } from './query.ts';

/** The first line of the signed text. The second is no number, so that it never passes for a checkpoint, whatever the log's origin. */
const HEAD = 'weighbridge-export/v1';
export type ExportFormat = 'jsonl' | 'csv' | 'ocsf';

/** An entry that was exported. */
export type Listed = { readonly position: number; readonly leaf: Uint8Array };

/** What an export is, in the words of the log that made it. */
export type Manifest = {
  /** Entries of the log, and its root, when the export was made: those of a checkpoint. */
  readonly size: number;
  readonly root: Uint8Array;
  readonly filter: Query;
  readonly format: ExportFormat;
  /** SHA-256 of the exported file. */
  readonly file: Uint8Array;
  readonly entries: readonly Listed[];
};

/**
 * A signed note (C2SP signed-note) that says what was exported, and below it a line for each entry: position and leaf
 * hash. The signature covers the list by its digest, and the entries by the root of the tree over them.
 */
export const formatManifest = (manifest: Manifest, signer: Signer): string => {
  const { size, root, filter, format, file, entries } = manifest;
  const list = listText(entries);
  const text = [
    HEAD,
    `log ${size} ${base64(root)}`,
    `filter ${JSON.stringify(filter).replace(/[^\x20-\x7e]/g, escaped)}`,
    `range 0 ${size}`,
    `count ${entries.length}`,
    `root ${base64(rootOf(entries))}`,
    `list ${base64(sha256(Buffer.from(list)))}`,
    `file ${format} ${base64(file)}`,
    '',
  ].join('\n');
  return `${formatNote(text, signer.key, signer.sign(text))}\n${list}`;
};

/** The manifest that `key` has signed. Throws FORMAT_INVALID when it is none, or says of its own list what is not so. */
export const openManifest = (written: string, key: VerifierKey): Manifest => {
  const end = written.indexOf('\n\n', written.indexOf('\n\n') + 2);
  if (end < 0) throw wrong('it has no list');
  const text = openNote(written.slice(0, end + 1), key, verifyEd25519);
  if (text === undefined) throw wrong(`it is not signed with the key ${key.name}`);
  const list = written.slice(end + 2);
  const [, size, root, filter, count, top, digest, format, file] = FORM.exec(text) ?? [];
  if (filter === undefined || digest !== base64(sha256(Buffer.from(list)))) throw wrong('its list is another');
  const entries = list.split('\n').slice(0, -1).map(listed);
  if (entries.length !== Number(count) || base64(rootOf(entries)) !== top) throw wrong('its list has another root');
  const [logRoot, fileDigest] = [fromBase64(root ?? ''), fromBase64(file ?? '')];
  if (logRoot === undefined || fileDigest === undefined) throw wrong('a digest is none');
  const kind = format === 'csv' || format === 'ocsf' ? format : 'jsonl';
  return { size: Number(size), root: logRoot, filter: JSON.parse(filter), format: kind, file: fileDigest, entries };
};

const FORM =
  /^weighbridge-export\/v1\nlog (\d{1,15}) (\S+)\nfilter (\{[\x20-\x7e]*\})\nrange 0 \d+\ncount (\d+)\nroot (\S+)\nlist (\S+)\nfile (jsonl|csv|ocsf) (\S+)\n$/;

const listText = (entries: readonly Listed[]): string =>
  entries.map(({ position, leaf }) => `${position} ${base64(leaf)}\n`).join('');

const listed = (line: string): Listed => {
  const [position, encoded = ''] = line.split(' ');
  const leaf = fromBase64(encoded);
  if (leaf === undefined) throw wrong('a line of its list is none');
  return { position: Number(position), leaf };
};

const rootOf = (entries: readonly Listed[]): Uint8Array => {
  const frontier = createFrontier(tree);
  for (const { leaf } of entries) frontier.append(leaf);
  return frontier.root();
};

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const wrong = (what: string): WeighbridgeError =>
  new WeighbridgeError('FORMAT_INVALID', `the manifest is not to be trusted: ${what}`);
