import { readFileSync } from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { base64, fromBase64 } from '../merkle/base64.ts';
import { openCheckpoint, parseNote, type VerifierKey } from '../merkle/checkpoint.ts';
import { sameDigest } from '../merkle/hash.ts';
import { proveConsistency, proveInclusion, rangeRoot, verifyConsistency, verifyInclusion } from '../merkle/proofs.ts';
import { sha256, tree, verifyEd25519 } from './digest.ts';
import { logFiles } from './layout.ts';
import { openLeafHashes, openTree } from './tree-file.ts';

/** The first line of an inclusion proof (C2SP tlog-proof). */
const HEAD = 'c2sp.org/tlog-proof@v1';

/** What a proof shows, or why it shows nothing. */
export type Proven = { readonly ok: boolean; readonly text: string };

type Leading = { readonly note: string; readonly size: number; readonly path: (make: Make) => readonly Uint8Array[] };
type Make = (at: ReturnType<typeof openTree>, size: number) => readonly Uint8Array[];

/** The newest checkpoint of a log, and its tree. Throws LOG_CORRUPT when the leaf hashes are not those that were signed. */
const leading = (directory: string): Leading => {
  const note = readFileSync(logFiles(directory).checkpoint, 'utf8');
  const { size, root } = parseNote(note).checkpoint;
  return {
    note,
    size,
    path(make) {
      const hashes = openLeafHashes(directory);
      try {
        const at = openTree(hashes, size);
        if (!sameDigest(rangeRoot(tree, at, 0, size), root)) {
          throw new WeighbridgeError('LOG_CORRUPT', 'the leaf hashes are not those of the checkpoint');
        }
        return make(at, size);
      } finally {
        hashes.close();
      }
    },
  };
};

/** The proof that entry `index` is in the log, after C2SP tlog-proof. Throws LIMIT_EXCEEDED for an entry not signed yet. */
export const inclusionProof = (directory: string, index: number): string => {
  const { note, path } = leading(directory);
  const hashes = path((at, size) => proveInclusion(tree, at, index, size));
  return proofText(index, hashes.map(base64), note);
};

/** An inclusion proof as text, of the hashes in base64 and the checkpoint that they lead to. */
export const proofText = (index: number, hashes: readonly string[], note: string): string =>
  [HEAD, `index ${index}`, ...hashes, '', note].join('\n');

/**
 * The proof that the log of today begins with that of an `older` checkpoint, as a witness is sent it (C2SP
 * tlog-witness): the old size, hashes, and the newest checkpoint.
 */
export const consistencyProof = (directory: string, older: string): string =>
  consistencyFrom(directory, parseNote(older).checkpoint.size);

/** The same, when the older checkpoint is of `first` entries. */
export const consistencyFrom = (directory: string, first: number): string => {
  const { note, path } = leading(directory);
  const hashes = path((at, size) => proveConsistency(tree, at, first, size));
  return [`old ${first}`, ...hashes.map(base64), '', note].join('\n');
};

/**
 * Holds a proof of either kind against the key: `subject` is the line of an entry, or the older checkpoint. Throws
 * FORMAT_INVALID for what is no proof.
 */
export const checkProof = (proof: string, subject: string, key: VerifierKey): Proven => {
  const [, head, number, path = '', note = ''] =
    /^(c2sp\.org\/tlog-proof@v1\n(?:extra [A-Za-z0-9+/=]*\n)?index|old) (\d{1,15})\n((?:[A-Za-z0-9+/=]{44}\n){0,64})\n([\s\S]*)$/.exec(
      proof,
    ) ?? [];
  if (head === undefined) throw new WeighbridgeError('FORMAT_INVALID', 'this is no proof of a log');
  const newest = openCheckpoint(note, key, verifyEd25519);
  if (newest === undefined)
    return { ok: false, text: `the checkpoint in the proof is not signed with the key ${key.name}` };
  const hashes = path.split('\n').slice(0, -1).map(hashOf);
  const index = Number(number);
  if (head !== 'old') {
    const leaf = tree.leaf(Buffer.from(subject.replace(/\n$/, '')));
    return verifyInclusion(tree, leaf, index, newest.size, hashes, newest.root)
      ? { ok: true, text: `this is entry ${index} of the log ${newest.origin}, which had ${newest.size} entries` }
      : { ok: false, text: `this is not entry ${index} of the log: the entry or the proof was changed` };
  }
  const older = openCheckpoint(subject, key, verifyEd25519);
  if (older === undefined) return { ok: false, text: `the older checkpoint is not signed with the key ${key.name}` };
  const holds = older.size === index && verifyConsistency(tree, index, newest.size, older.root, newest.root, hashes);
  return holds
    ? {
        ok: true,
        text: `the log of ${newest.size} entries begins with the ${index} of the older checkpoint, unchanged`,
      }
    : {
        ok: false,
        text: `that the log of ${newest.size} entries begins with those of the older checkpoint is not shown`,
      };
};

const hashOf = (encoded: string): Uint8Array => fromBase64(encoded) ?? sha256(new Uint8Array());
