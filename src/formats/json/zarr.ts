import type { Remark } from '../../content/remark.ts';
import { type Companion, printable } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from './parse.ts';

/** Dimensions of one array: numpy has no more. */
const RANK = 64;
/** Remarks of one description; more say nothing new. */
const REMARKS = 20;
/** Steps between values on one axis, and so files: more than a folder bears. */
const CHUNKS = 2 ** 31;

type Array = { readonly remarks: readonly Remark[]; readonly companions: readonly Companion[] };
type Entries = JsonObject['entries'];

/** Names of codecs by what they are as files; others have a header of their own, or depend on the numbers. */
const PACKINGS: ReadonlyMap<string, string> = new Map([
  ['blosc', 'blosc'],
  ['zstd', 'zstd'],
  ['zlib', 'zlib'],
  ['gzip', 'gzip'],
  ['bz2', 'bzip2'],
]);
/** Bytes of a number by the name that version 3 gives to its type. */
const WIDTHS: ReadonlyMap<string, number> = new Map([
  ...['bool', 'int8', 'uint8', 'float8_e4m3fn', 'float8_e5m2'].map((name) => [name, 1] as const),
  ...['int16', 'uint16', 'float16', 'bfloat16'].map((name) => [name, 2] as const),
  ...['int32', 'uint32', 'float32'].map((name) => [name, 4] as const),
  ...['int64', 'uint64', 'float64', 'complex64'].map((name) => [name, 8] as const),
  ['complex128', 16],
]);

/**
 * The description of an array of Zarr, version 2 (`.zarray`) or 3 (`zarr.json`): its chunks lie beside it in files that
 * have no mark. They are laid out when they are numbers of a known width, and the compression is one of a file.
 */
export const readZarr = (root: JsonValue): Array => {
  if (!isObject(root)) return { remarks: [], companions: [] };
  const { entries } = root;
  const version = entries.get('zarr_format');
  const described = [root, ...consolidated(entries)].filter((one) => one.entries.has('zarr_format'));
  const codecs = described.flatMap((one) => codecsOf(one.entries)).filter((codec) => /pickle/i.test(nameOf(codec)));
  const remarks = codecs.slice(0, REMARKS).map(remarkOn);
  if (version !== 2 && version !== 3) return { remarks, companions: [] };
  const companion = remarks.length > 0 ? undefined : version === 2 ? layOut2(entries) : layOut3(entries);
  return { remarks, companions: companion === undefined ? [] : [companion] };
};

/** The descriptions of arrays below, which a store may keep in one place (`.zmetadata`). */
const consolidated = (entries: Entries): JsonObject[] => {
  const all = within(entries.get('consolidated_metadata'), 'metadata') ?? entries.get('metadata');
  return isObject(all) ? [...all.entries.values()].filter(isObject) : [];
};

const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (isList(value) ? value : []);
const within = (value: JsonValue | undefined, key: string): JsonValue | undefined =>
  isObject(value) ? value.entries.get(key) : undefined;
const nameOf = ({ entries }: JsonObject): string => {
  const name = entries.get('id') ?? entries.get('name');
  return typeof name === 'string' ? name : '';
};

/** Every codec that the description names, those inside a shard too. */
const codecsOf = (entries: Entries): JsonObject[] => {
  const inside = ({ entries: codec }: JsonObject): JsonObject[] => {
    const configuration = codec.get('configuration');
    return isObject(configuration) ? codecsOf(configuration.entries) : [];
  };
  const named = [
    entries.get('compressor'),
    ...['filters', 'codecs', 'index_codecs'].flatMap((key) => listOf(entries.get(key))),
  ];
  return named.filter(isObject).flatMap((codec) => [codec, ...inside(codec)]);
};

const remarkOn = (codec: JsonObject): Remark => ({
  rule: 'config.zarr-pickle',
  severity: 'high',
  message: 'the numbers of an array are unpickled by whoever reads it',
  offset: codec.at,
  evidence: printable(nameOf(codec)),
  refs: ['CWE-502'],
});

const layOut2 = (entries: Entries): Companion | undefined => {
  const [compressor, filters] = [entries.get('compressor'), entries.get('filters')];
  const packing = compressor === null ? '' : isObject(compressor) ? PACKINGS.get(nameOf(compressor)) : undefined;
  if (packing === undefined || (filters !== null && filters !== undefined && listOf(filters).length !== 0))
    return undefined;
  if (filters !== null && filters !== undefined && !isList(filters)) return undefined;
  const separator = entries.get('dimension_separator') ?? '.';
  return companionOf(entries.get('shape'), entries.get('chunks'), width2(entries.get('dtype')), packing, '', separator);
};

/** Bytes of a number of numpy: its kind and width; of texts and objects nothing is said. */
const width2 = (type: JsonValue | undefined): number | undefined => {
  if (typeof type !== 'string') return undefined;
  const width = /^[<>|][biufc](1|2|4|8|16)$/.exec(type)?.[1];
  return width === undefined ? WIDTHS.get(type) : Number(width);
};

const layOut3 = (entries: Entries): Companion | undefined => {
  if (entries.get('node_type') !== 'array' || listOf(entries.get('storage_transformers')).length > 0) return undefined;
  const [first, other, more] = listOf(entries.get('codecs'));
  if (!isObject(first) || nameOf(first) !== 'bytes' || more !== undefined) return undefined;
  const packing = other === undefined ? '' : isObject(other) ? PACKINGS.get(nameOf(other)) : undefined;
  const [grid, keys, type] = [entries.get('chunk_grid'), entries.get('chunk_key_encoding'), entries.get('data_type')];
  if (packing === undefined || typeof type !== 'string' || within(grid, 'name') !== 'regular') return undefined;
  const encoding = within(keys, 'name');
  if (encoding !== 'default' && encoding !== 'v2') return undefined;
  const separator = within(within(keys, 'configuration'), 'separator') ?? (encoding === 'v2' ? '.' : '/');
  const chunks = within(within(grid, 'configuration'), 'chunk_shape');
  return companionOf(entries.get('shape'), chunks, WIDTHS.get(type), packing, encoding === 'v2' ? '' : 'c', separator);
};

const sizesOf = (value: JsonValue | undefined): readonly number[] | undefined => {
  const sizes = listOf(value).filter((size) => typeof size === 'number' && Number.isSafeInteger(size) && size >= 0);
  return isList(value) && sizes.length === value.length && sizes.length <= RANK ? sizes.map(Number) : undefined;
};

/** The files of one array, each with as many bytes as any other. */
const companionOf = (
  shape: JsonValue | undefined,
  chunk: JsonValue | undefined,
  width: number | undefined,
  packing: string,
  prefix: '' | 'c',
  separator: JsonValue,
): Companion | undefined => {
  const [whole, part] = [sizesOf(shape), sizesOf(chunk)];
  if (whole === undefined || part === undefined || whole.length !== part.length || width === undefined)
    return undefined;
  if ((separator !== '.' && separator !== '/') || part.includes(0) || whole.includes(0)) return undefined;
  const counts = whole.map((size, axis) => Math.ceil(size / (part[axis] ?? 1)));
  const size = part.reduce((bytes, each) => bytes * each, width);
  if (!Number.isSafeInteger(size) || counts.some((count) => count > CHUNKS)) return undefined;
  return { names: [], sameStem: false, size, fixed: [], grid: { prefix, separator, counts, packing } };
};
