import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';

/** Bytes of an element by ScalarType (torch/_export/serde/schema.py). */
const WIDTHS: ReadonlyMap<number, number> = new Map([
  [1, 1],
  [2, 1],
  [3, 2],
  [4, 4],
  [5, 8],
  [6, 2],
  [7, 4],
  [8, 8],
  [9, 4],
  [10, 8],
  [11, 16],
  [12, 1],
  [13, 2],
  [28, 2],
  [29, 1],
  [30, 1],
  [31, 1],
  [32, 1],
]);

/** A member of plain numbers and how many bytes the tensor in it needs; without them it is no raw one. */
export type Payload = { readonly member: string; readonly bytes: bigint | undefined };

/**
 * The members that a `*_weights_config.json` or `*_constants_config.json` names (PayloadConfig); none for other documents.
 * What is pickled, or has no plain shape, is no raw one and is inspected as what it is.
 */
export const payloadsOf = (root: JsonValue): readonly Payload[] => {
  const config = isObject(root) ? root.entries.get('config') : undefined;
  if (!isObject(config)) return [];
  const payloads: Payload[] = [];
  for (const value of config.entries.values()) {
    const payload = isObject(value) ? payloadOf(value) : undefined;
    if (payload) payloads.push(payload);
  }
  return payloads;
};

const payloadOf = ({ entries }: JsonObject): Payload | undefined => {
  const member = entries.get('path_name');
  const meta = entries.get('tensor_meta');
  if (typeof member !== 'string') return undefined;
  if (entries.get('use_pickle') !== false || !isObject(meta)) return { member, bytes: undefined };
  const width = WIDTHS.get(Number(meta.entries.get('dtype')));
  const sizes = countsOf(meta.entries.get('sizes'));
  const strides = countsOf(meta.entries.get('strides'));
  const [offset] = countsOf([meta.entries.get('storage_offset') ?? null]) ?? [];
  if (width === undefined || sizes === undefined || strides?.length !== sizes.length || offset === undefined)
    return { member, bytes: undefined };
  if (sizes.includes(0n)) return { member, bytes: 0n };
  const last = sizes.reduce((sum, size, axis) => sum + (size - 1n) * (strides[axis] ?? 0n), offset);
  return { member, bytes: (last + 1n) * BigInt(width) };
};

/** `[{"as_int": 3}, …]`; undefined when one of them is an expression. */
const countsOf = (value: JsonValue | undefined): bigint[] | undefined => {
  if (!isList(value)) return undefined;
  const counts: bigint[] = [];
  for (const item of value) {
    const count = isObject(item) ? item.entries.get('as_int') : undefined;
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) return undefined;
    counts.push(BigInt(count));
  }
  return counts;
};
