import { existsSync, readFileSync } from 'node:fs';
import { isFault, WeighbridgeError } from '../errors.ts';
import { type Checkpoint, openCheckpoint, type VerifierKey } from '../merkle/checkpoint.ts';
import { verifyEd25519 } from './digest.ts';
import { logFiles } from './layout.ts';
import { readLines } from './reader.ts';

/** A checkpoint whose signature holds, and where it was found. */
export type Signed = Checkpoint & { readonly source: string; readonly kept: boolean };

/** What the signatures vouch for, smallest first, and what is wrong with some of them. */
export type Evidence = {
  readonly signed: readonly Signed[];
  readonly problems: readonly string[];
  readonly notices: readonly string[];
};

/**
 * Gathers the checkpoints of a log folder and those that the auditor kept (`given`, files). A checkpoint that `key`
 * has not signed is a problem; an older one in the history that cannot be read is only a notice.
 */
export const gatherEvidence = async (
  directory: string,
  key: VerifierKey,
  given: readonly string[],
): Promise<Evidence> => {
  const files = logFiles(directory);
  const [signed, problems, notices]: [Signed[], string[], string[]] = [[], [], []];
  const judge = (note: string, source: string, kept: boolean): void => {
    const checkpoint = open(note, key);
    if (typeof checkpoint === 'string') problems.push(`${source}: ${checkpoint}`);
    else signed.push({ ...checkpoint, source, kept });
  };
  for (const path of given) judge(readGiven(path), path, true);
  if (existsSync(files.checkpoint)) judge(readFileSync(files.checkpoint, 'utf8'), files.checkpoint, false);
  else if (given.length === 0) problems.push(`${files.checkpoint} is missing, and no other checkpoint was given`);
  if (existsSync(files.history)) {
    let broken = 0;
    for await (const { lines, torn } of readLines(files.history)) {
      if (torn !== undefined) notices.push(`${files.history}: its last line is not complete`);
      for (const line of lines) {
        const checkpoint = open(noteOf(line), key);
        if (typeof checkpoint === 'string') broken += 1;
        else signed.push({ ...checkpoint, source: files.history, kept: false });
      }
    }
    if (broken > 0) problems.push(`${files.history}: ${broken} checkpoints are not signed with this key`);
  }
  return { signed: signed.sort((a, b) => a.size - b.size), problems, notices };
};

/** The checkpoint, or what is wrong with it. */
const open = (note: string, key: VerifierKey): Checkpoint | string => {
  try {
    return openCheckpoint(note, key, verifyEd25519) ?? `not signed with the key ${key.name} that was given`;
  } catch (error) {
    return isFault(error, 'FORMAT_INVALID') ? error.message : `not readable: ${String(error)}`;
  }
};

const noteOf = (line: Buffer): string => {
  try {
    return String(JSON.parse(line.toString()).note);
  } catch {
    return '';
  }
};

const readGiven = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new WeighbridgeError('NOT_FOUND', `the checkpoint ${path} cannot be read`, {}, { cause: error });
  }
};
