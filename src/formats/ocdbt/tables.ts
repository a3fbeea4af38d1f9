import { latin1 } from '../../bytes/latin1.ts';
import { escapes } from '../../content/targets.ts';
import { type Context, printable } from '../format.ts';
import { invalid, type PartReader } from './node.ts';

/** Bytes of the identity of a store, of the level of its compression and of a time. */
const [IDENTITY, LEVEL, TIME] = [16, 4, 8];

/** Columns that say how many keys and bytes are below a node. */
const STATISTICS = 3;

/** Where bytes of a file of the store are. */
export type Extent = { readonly file: string; readonly start: number; readonly end: number };
/** What a node names: values with their keys, and other nodes. Values may stand in the node itself (`inline`). */
export type Named = {
  readonly values: readonly (Extent & { readonly key: string })[];
  readonly inline: readonly { readonly key: string; readonly bytes: Uint8Array }[];
  readonly nodes: readonly Extent[];
};

/** Texts that share beginnings with the one before: how much they share, and what follows. */
const readTexts = (body: PartReader, count: number, more: (suffixes: number) => void, start: number): string[] => {
  const shared = count === 0 ? [] : [0, ...body.counts(count - 1)];
  const own = body.counts(count);
  more(count);
  let before = '';
  return own.map((length, index) => {
    const prefix = shared[index] ?? 0;
    if (prefix > before.length) invalid('a name shares more than there is', start);
    before = before.slice(0, prefix) + latin1(body.bytes(length));
    return before;
  });
};

/** The files that a part names, relative to the store; a name that leads out of it is a finding. */
const readFiles = (body: PartReader, start: number, context: Context): string[] => {
  const files = readTexts(body, body.count(), (count) => void body.counts(count), start);
  context.budget.spend('steps', files.length);
  for (const file of files)
    if (escapes(file) || /^[a-z0-9+]{2,10}:/i.test(file)) {
      const message = 'a store names a file outside of its folder';
      const evidence = printable(file);
      context.report({ rule: 'ocdbt.path', severity: 'medium', message, offset: start, evidence, refs: ['CWE-22'] });
    }
  return files;
};

const fileOf = (files: readonly string[], id: number, start: number): string =>
  files[id] ?? invalid('a file that is not named', start);

/** A node of keys (tensorstore, ocdbt/format/btree.h). */
export const readNode = (body: PartReader, start: number, context: Context): Named => {
  const leaf = body.u8() === 0;
  const files = readFiles(body, start, context);
  const count = body.count();
  context.budget.spend('steps', count);
  const skipCommon = (entries: number): void => void (leaf ? [] : body.counts(entries));
  const keys = readTexts(body, count, skipCommon, start);
  const named = leaf ? readLeaf(body, keys, files, start) : readInner(body, count, files, start);
  if (body.remaining() > 0) invalid('bytes behind the entries of a node', start);
  return named;
};

const extent = (file: string, from = 0, length = 0): Extent => ({ file, start: from, end: from + length });

const readLeaf = (body: PartReader, keys: readonly string[], files: readonly string[], start: number): Named => {
  const lengths = body.counts(keys.length);
  const kinds = body.counts(keys.length);
  if (kinds.some((kind) => kind > 1)) invalid('a value of an unknown kind', start);
  const placed = kinds.flatMap((kind, index) => (kind === 1 ? [index] : []));
  const ids = body.counts(placed.length);
  const offsets = body.counts(placed.length);
  const values = placed.map((index, at) => {
    const file = fileOf(files, ids[at] ?? 0, start);
    return { key: keys[index] ?? '', ...extent(file, offsets[at], lengths[index]) };
  });
  const inline = kinds.flatMap((kind, index) =>
    kind === 0 ? [{ key: keys[index] ?? '', bytes: body.bytes(lengths[index] ?? 0) }] : [],
  );
  return { values, inline, nodes: [] };
};

const readInner = (body: PartReader, count: number, files: readonly string[], start: number): Named => {
  const [ids, offsets, lengths] = [body.counts(count), body.counts(count), body.counts(count)];
  for (let statistic = 0; statistic < STATISTICS; statistic++) body.counts(count);
  const nodes = ids.map((id, at) => extent(fileOf(files, id, start), offsets[at], lengths[at]));
  return { values: [], inline: [], nodes };
};

/** A list of versions (ocdbt/format/version_tree.h): where the root of each is, how much it holds, when it was written. */
const readVersions = (body: PartReader, start: number, context: Context): Named => {
  const files = readFiles(body, start, context);
  const count = body.count();
  context.budget.spend('steps', count);
  body.counts(count);
  body.skip(count);
  const ids = body.counts(count);
  // A version without a root has its place beyond every file.
  const places = ids.map(() => Number(body.varint()));
  const lengths = ids.map(() => Number(body.varint()));
  for (let statistic = 0; statistic < STATISTICS; statistic++) body.counts(count);
  body.skip(count * TIME);
  const nodes = ids.map((id, at) => extent(fileOf(files, id, start), places[at], lengths[at]));
  return { values: [], inline: [], nodes };
};

/** A node of versions; undefined when there are others below it. */
export const readVersionNode = (body: PartReader, start: number, context: Context): Named | undefined => {
  if (body.u8() !== 0) return undefined;
  const versions = readVersions(body, start, context);
  if (body.remaining() > 0) invalid('bytes behind the entries of a node', start);
  return versions;
};

/**
 * The settings of a store (ocdbt/format/config.h), then its versions unless they stand in files of their own. False when
 * the oldest stand in nodes, which are not read from here.
 */
export const readManifest = (body: PartReader, start: number, context: Context): boolean => {
  body.skip(IDENTITY);
  const kind = body.count();
  body.counts(2);
  body.u8();
  const compression = body.count();
  if (kind > 1 || compression > 1) invalid('unknown settings', start);
  if (compression === 1) body.skip(LEVEL);
  if (kind === 1 && body.remaining() === 0) return true;
  readVersions(body, start, context);
  if (body.count() > 0) return false;
  if (body.remaining() > 0) invalid('bytes behind a manifest', start);
  return true;
};
