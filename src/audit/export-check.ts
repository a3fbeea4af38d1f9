import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { WeighbridgeError } from '../errors.ts';
import { base64 } from '../merkle/base64.ts';
import { sameDigest } from '../merkle/hash.ts';
import { tree } from './digest.ts';
import type { Manifest } from './manifest.ts';
import { readLines } from './reader.ts';

/** Problems that are named; a file that has nothing to do with its manifest has one in every line. */
const MAX_PROBLEMS = 20;
/** Characters of one record of CSV: an entry has at most 16 KiB. */
const MAX_RECORD = 256 * 1024;

/** What is wrong with an export, by entry; nothing when it is what was signed. */
export type ExportVerdict = { readonly ok: boolean; readonly entries: number; readonly problems: readonly string[] };

/** Holds an exported file against its manifest: names entries that are missing, repeated or moved, and what is none. */
export const checkExport = async (path: string, manifest: Manifest): Promise<ExportVerdict> => {
  const problems: string[] = [];
  let [record, last, more] = [0, -1, 0];
  const say = (text: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(text);
    else more += 1;
  };
  const seen = new Set<number>();
  for await (const position of positionsOf(path, manifest)) {
    record += 1;
    if (position === undefined) say(`record ${record} is not what was exported: it was changed or added`);
    else if (seen.has(position)) say(`entry ${position} is there twice`);
    else if (position < last) say(`entry ${position} was moved`);
    if (position === undefined) continue;
    seen.add(position);
    last = Math.max(last, position);
  }
  for (const { position } of manifest.entries) if (!seen.has(position)) say(`entry ${position} is missing`);
  if (problems.length === 0 && !sameDigest(await digestOf(path), manifest.file)) {
    say('every entry is there, but the file is not the one that was written: something in it was changed');
  }
  if (more > 0) problems.push(`and ${more} more`);
  return { ok: problems.length === 0, entries: seen.size, problems };
};

/** For each record of the file the position of the listed entry that it is; undefined when it is none. */
async function* positionsOf(path: string, { format, entries }: Manifest): AsyncGenerator<number | undefined> {
  if (format === 'csv') {
    const listed = new Set(entries.map(({ position }) => position));
    for await (const position of csvPositions(path)) yield listed.has(position) ? position : undefined;
    return;
  }
  const byLeaf = new Map(entries.map(({ position, leaf }) => [base64(leaf), position]));
  for await (const { lines, torn } of readLines(path)) {
    for (const line of torn === undefined ? lines : [...lines, torn]) {
      const signed = format === 'ocsf' ? memberOf(line, 'raw_data') : line;
      yield signed === undefined ? undefined : byLeaf.get(base64(tree.leaf(signed)));
    }
  }
}

/** A text of a line of JSON. */
const memberOf = (line: Buffer, name: string): Buffer | undefined => {
  try {
    const value: unknown = JSON.parse(line.toString())[name];
    return typeof value === 'string' ? Buffer.from(value) : undefined;
  } catch {
    return undefined;
  }
};

/** The first cell of each record behind the head. A line break inside of quotes ends no record. */
async function* csvPositions(path: string): AsyncGenerator<number> {
  let [record, head] = ['', true];
  for await (const { lines, torn } of readLines(path)) {
    for (const line of torn === undefined ? lines : [...lines, torn]) {
      record += `${line.toString()}\n`;
      if (record.length > MAX_RECORD)
        throw new WeighbridgeError('LIMIT_EXCEEDED', 'a record of the export is too long');
      if (record.split('"').length % 2 === 0) continue;
      if (!head) yield Number(/^(\d{1,15}),/.exec(record)?.[1] ?? Number.NaN);
      [record, head] = ['', false];
    }
  }
  if (record !== '') yield Number.NaN;
}

const digestOf = async (path: string): Promise<Uint8Array> => {
  const hash: Hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest();
};
