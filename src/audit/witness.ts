import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeighbridgeError } from '../errors.ts';
import { openCheckpoint, parseNote, type VerifierKey } from '../merkle/checkpoint.ts';
import { cosignatureLine, cosignedText } from '../merkle/cosignature.ts';
import { sameDigest } from '../merkle/hash.ts';
import { verifyEd25519 } from './digest.ts';
import type { Signer } from './keys.ts';
import { checkProof } from './proof.ts';
import { writeWhole } from './whole-file.ts';

/** Where a witness reads a log: both texts as the log gives them. */
export type Witnessed = {
  /** The newest checkpoint. */
  checkpoint(): Promise<string>;
  /** What shows that the log begins with the `size` entries of the older checkpoint, with the newest one. */
  consistency(older: string): Promise<string>;
};

/** What the witness says: the checkpoint with its cosignature, or what contradicts what it has seen. */
export type Testimony =
  | { readonly ok: true; readonly note: string; readonly size: number }
  | { readonly ok: false; readonly text: string };

const STATE = 'checkpoint';

/**
 * Looks at a log once, as a second party (C2SP tlog-witness, asked for rather than sent): signs the newest checkpoint when
 * the log only grew since the last one that was signed here, and keeps it in the folder `state`. The first is taken as it is.
 * Nothing is signed that contradicts what was. Times in ms.
 */
export const witness = async (
  source: Witnessed,
  state: string,
  key: VerifierKey,
  signer: Signer,
  now: number,
): Promise<Testimony> => {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const path = join(state, STATE);
  const found = await continued(source, key, readState(path, key));
  if ('wrong' in found) return { ok: false, text: found.wrong };
  const { checkpoint, text } = parseNote(found.note);
  const time = Math.floor(now / 1000);
  const line = cosignatureLine(signer.key, time, signer.sign(cosignedText(time, text)));
  const note = `${ownPart(found.note, key)}${line}`;
  writeState(path, note);
  return { ok: true, note, size: checkpoint.size };
};

/** The note of a checkpoint that continues what was seen; else what is wrong. */
const continued = async (source: Witnessed, key: VerifierKey, before: string | undefined): Promise<Found> => {
  const note = await source.checkpoint();
  const newest = openCheckpoint(note, key, verifyEd25519);
  if (newest === undefined) return { wrong: `the newest checkpoint is not signed with the key ${key.name}` };
  if (before === undefined) return { note };
  const { root, size } = parseNote(before).checkpoint;
  // Every log begins with nothing.
  if (size === 0) return { note };
  if (newest.size < size)
    return {
      wrong: `a log of ${newest.size} entries is signed after one of ${size} was seen: it was cut, or written again`,
    };
  if (newest.size === size)
    return sameDigest(newest.root, root)
      ? { note }
      : { wrong: `two logs of ${size} entries are signed with the same key: it was written again` };
  const proof = await source.consistency(before);
  const proven = checkProof(proof, before, key);
  if (!proven.ok) return { wrong: `${proven.text}: it was written again` };
  return { note: proof.slice(proof.indexOf('\n\n') + 2) };
};

type Found = { readonly note: string } | { readonly wrong: string };

/** The note with the signature of the log alone: those of others are theirs to show. */
const ownPart = (note: string, { name }: VerifierKey): string => {
  const { text } = parseNote(note);
  const lines = note.slice(text.length + 1).split('\n');
  return `${text}\n${lines.find((line) => line.startsWith(`— ${name} `)) ?? ''}\n`;
};

/** The checkpoint that was signed here last. Throws STORE_CORRUPT for one that the log's key has not signed. */
const readState = (path: string, key: VerifierKey): string | undefined => {
  if (!existsSync(path)) return undefined;
  const note = readFileSync(path, 'utf8');
  if (openSafely(note, key)) return note;
  throw new WeighbridgeError('STORE_CORRUPT', `${path} is no checkpoint of the log ${key.name}`);
};

const openSafely = (note: string, key: VerifierKey): boolean => {
  try {
    return openCheckpoint(note, key, verifyEd25519) !== undefined;
  } catch {
    return false;
  }
};

/** Durable before it is shown to anyone: a witness that forgets signs what contradicts it. */
const writeState = (path: string, note: string): void => writeWhole(path, note, 0o644);
