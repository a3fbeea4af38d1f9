import { exceeded, KIB } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { beginningOf } from '../compressed/zstd.ts';
import { disguiseOf } from '../disguise.ts';
import {
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  printable,
  worseContent,
} from '../format.ts';
import { endsWithNode, KEYS, LONG_TAIL, MANIFEST, partEnd, startsIn } from './ending.ts';
import { invalid, openPart } from './node.ts';
import { type Named, readManifest, readNode, readVersionNode } from './tables.ts';
import { isOfValues } from './unnamed.ts';

/** Names of the files of a store that may be the one that is read. */
const NAMES = 1000;
/** Bytes in which the first block of a frame ends. */
const FRAME = 256 * KIB;

/** Values of these keys describe an array, and begin with a brace. */
const DESCRIPTION = /\.z(?:array|group|attrs)$|zarr\.json$/;
/** Values of these keys are numbers (zarr, versions 2 and 3); of others the value is inspected for what it is. */
const CHUNK = /(?:^|\/)(?:c\/)?\d+(?:[./]\d+)*$|(?:^|\/)c$/;

const isPart = ([a, b, c, d]: Uint8Array): boolean =>
  a === 0x0c && b === 0xdb && ((c === 0x3a && d === 0x2a) || (c === 0x20 && d === 0xde) || (c === 0x12 && d === 0x34));

/** Files of the key-value store in which Orbax keeps the arrays of a checkpoint. */
export const ocdbt: Format = {
  name: 'ocdbt',
  title: 'OCDBT store (Orbax, TensorStore)',
  recognisedBy: 'a part with its magic `0CDB` at the beginning, or a node that ends with the file',
  checks:
    'checksums, every entry of every node; values and nodes fill a data file without gap and overlap; values that are no chunks of arrays are inspected; files of a store lie in its folder',
  references: ['https://google.github.io/tensorstore/kvstore/ocdbt/index.html', 'CWE-22', 'CWE-125'],
  recognise: (head, source, provisional) => isPart(head) || (provisional !== true && endsWithNode(head, source)),
  inspect(source, context): Inspection {
    const whole = partEnd(source, 0) === source.size ? openPart(source, 0, context.budget) : undefined;
    if (whole?.magic === MANIFEST) return told(source, readManifest(whole.body, 0, context), {}, 'inert');
    return readData(source, context);
  },
};

const told = (
  source: RandomAccess,
  read: boolean,
  details: { readonly [key: string]: number },
  content: Inspection['content'],
): Inspection => ({
  format: 'ocdbt',
  content,
  coverage: read
    ? complete(source.size)
    : incomplete('partial', source.size, source.size, 'values or versions of an OCDBT store were not understood'),
  details,
});

/** A data file: nodes, of which the last ends with the file, and the values that they place in it. */
type Data = { readonly nodes: Map<number, Named & { readonly end: number }>; understood: boolean };

const readData = (source: RandomAccess, context: Context): Inspection => {
  const data: Data = { nodes: new Map(), understood: true };
  openAtEnd(source, data, context);
  const named = [...data.nodes.values()].flatMap(({ values, nodes }) => [...values, ...nodes]);
  const names = new Set(named.map(({ file }) => file));
  if (names.size > NAMES) exceeded('OCDBT files of one node', NAMES);
  const fits = ['', ...names].flatMap((name) => fitOf(source, name, data, context) ?? []);
  fits.sort((one, other) => one.unnamed - other.unnamed);
  const isWhole = ({ gaps }: Fit): boolean => gaps.every(({ start, end }) => isOfValues(source, start, end, context));
  const whole = fits.find(isWhole);
  const best = whole ?? fits[0] ?? invalid('values and nodes overlap', 0);
  if (whole === undefined) data.understood = false;
  const content = readValues(source, best.name, data, context);
  return told(source, data.understood, { nodes: data.nodes.size, unnamedBytes: best.unnamed }, content);
};

const openNode = (source: RandomAccess, start: number, data: Data, context: Context): number => {
  const known = data.nodes.get(start);
  if (known !== undefined) return known.end;
  const { magic, end, body } = openPart(source, start, context.budget);
  if (magic === MANIFEST) invalid('a manifest among values', start);
  const named = magic === KEYS ? readNode(body, start, context) : readVersionNode(body, start, context);
  if (named === undefined) data.understood = false;
  data.nodes.set(start, { end, ...(named ?? { values: [], inline: [], nodes: [] }) });
  return end;
};

/** Opens the nodes that stand one after the other at the end of the file. */
const openAtEnd = (source: RandomAccess, data: Data, context: Context): void => {
  let end = source.size;
  for (const start of [...startsIn(source, LONG_TAIL)].reverse())
    if (partEnd(source, start) === end) {
      openNode(source, start, data, context);
      end = start;
    }
  if (data.nodes.size === 0) invalid('no node at the end', 0);
};

type Gap = { readonly start: number; readonly end: number };
/** How the nodes lay out the file, if this is its name: what is left over, and how many bytes that are. */
type Fit = { readonly name: string; readonly gaps: readonly Gap[]; readonly unnamed: number };

/**
 * Walks over the nodes and what they place in the file of this name, one behind the other; undefined when they overlap or
 * lie outside. Nodes that are met on the way count too.
 */
const fitOf = (source: RandomAccess, name: string, data: Data, context: Context): Fit | undefined => {
  for (const node of data.nodes.values())
    for (const { file, start, end } of node.nodes)
      if (file === name && partEnd(source, start) === end) openNode(source, start, data, context);
  const values = new Map<number, number>();
  const place = ({ values: named }: Named): boolean =>
    named.every(({ key, file, start, end }) => {
      if (file !== name || start === end) return true;
      if (end > source.size || (DESCRIPTION.test(key) && source.read(start, 1)[0] !== 0x7b)) return false;
      const same = (values.get(start) ?? end) === end && !data.nodes.has(start);
      values.set(start, end);
      return same;
    });
  for (const node of data.nodes.values()) if (!place(node)) return undefined;
  const gaps: Gap[] = [];
  let walked = 0;
  for (let at = 0; at < source.size; ) {
    context.budget.spend('steps', 1);
    if (!values.has(at) && !data.nodes.has(at) && partEnd(source, at) !== undefined) {
      openNode(source, at, data, context);
      const met = data.nodes.get(at);
      if (met === undefined || !place(met)) return undefined;
    }
    const end = values.get(at) ?? data.nodes.get(at)?.end;
    if (end === undefined) gaps.push({ start: at, end: nextOf(at, values, data, context) });
    else walked += 1;
    at = end ?? gaps.at(-1)?.end ?? source.size;
  }
  // One that was not met begins inside another.
  if (walked !== values.size + data.nodes.size) return undefined;
  return { name, gaps, unnamed: gaps.reduce((sum, { start, end }) => sum + end - start, 0) };
};

/** Where the next value or node begins. The last node ends with the file, so that there is one. */
const nextOf = (at: number, values: ReadonlyMap<number, number>, data: Data, { budget }: Context): number => {
  budget.spend('steps', values.size + data.nodes.size);
  let next = Number.POSITIVE_INFINITY;
  for (const starts of [values, data.nodes])
    for (const start of starts.keys()) if (start > at && start < next) next = start;
  return next;
};

/** Looks at each value in the file, and at those that stand in its nodes. */
const readValues = (source: RandomAccess, own: string, data: Data, context: Context): Inspection['content'] => {
  let content: Inspection['content'] = 'inert';
  const seen = new Set<number>();
  const look = (key: string, value: RandomAccess, start: number): void => {
    context.budget.spend('steps', 1);
    if (value.size === 0) return;
    if (start === 0) content = worseContent(content, judgeBeginning(value, context));
    if (CHUNK.test(key)) {
      reportDisguise(value, key, start, context);
      return;
    }
    const { content: found, coverage } = context.nested(value, key);
    content = worseContent(content, found);
    if (coverage.state !== 'complete') data.understood = false;
  };
  for (const [at, { values, inline }] of data.nodes) {
    for (const { key, file, start, end } of values) {
      if (file !== own || seen.has(start)) continue;
      seen.add(start);
      look(key, section(source, start, end), start);
    }
    for (const { key, bytes } of inline) look(key, fromBytes(bytes), at);
  }
  return content;
};

/** Who takes the whole file for a compressed one gets what the first value holds. */
const judgeBeginning = (value: RandomAccess, context: Context): Inspection['content'] => {
  const bytes = value.read(0, Math.min(value.size, FRAME));
  const isFrame = [0x28, 0xb5, 0x2f, 0xfd].every((byte, index) => bytes[index] === byte);
  const kind = isFrame ? disguiseOf(fromBytes(beginningOf(bytes))) : undefined;
  if (kind === undefined) return 'inert';
  const message = `for a decompressor the file begins with ${kind}`;
  context.report({ rule: 'ocdbt.disguised-file', severity: 'high', message, offset: 0, refs: ['CWE-434', 'CWE-436'] });
  return 'active';
};

const reportDisguise = (value: RandomAccess, key: string, offset: number, context: Context): void => {
  const kind = disguiseOf(value);
  if (kind === undefined) return;
  const message = `the numbers of an array are ${kind} to other readers`;
  const evidence = printable(key);
  context.report({ rule: 'ocdbt.disguised-data', severity: 'low', message, offset, evidence, refs: ['CWE-434'] });
};
