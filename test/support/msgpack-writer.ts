import { bytes } from './reports.ts';

const big = (value: number | bigint, width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, index) => Number((BigInt(value) >> BigInt(8 * (width - 1 - index))) & 255n));

/** An extension of MessagePack with 8-bit length. */
export const extension = (type: number, data: Uint8Array): { readonly raw: Uint8Array } => ({
  raw: bytes([0xc7, data.length, type & 255], data),
});

/** Bytes that stand in the stream as they are. */
export const raw = (...parts: (string | Uint8Array | readonly number[])[]): { readonly raw: Uint8Array } => ({
  raw: bytes(...parts),
});

export type Packable =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | { readonly raw: Uint8Array }
  | readonly Packable[]
  | ReadonlyMap<string, Packable>;

/** A value as MessagePack. Integers take 1 or 5 bytes, containers and texts up to 65,535 entries. */
export const pack = (value: Packable): Uint8Array => {
  if (value === null) return bytes([0xc0]);
  if (typeof value === 'boolean') return bytes([value ? 0xc3 : 0xc2]);
  if (typeof value === 'number') return value >= 0 && value < 128 ? bytes([value]) : bytes([0xce], big(value, 4));
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return text.length < 32 ? bytes([0xa0 | text.length], text) : bytes([0xda], big(text.length, 2), text);
  }
  if (value instanceof Uint8Array) return bytes([0xc5], big(value.length, 2), value);
  if ('raw' in value) return value.raw;
  if (value instanceof Map) {
    const pairs = [...value].map(([key, item]: [string, Packable]) => bytes(pack(key), pack(item)));
    return bytes(pairs.length < 16 ? [0x80 | pairs.length] : bytes([0xde], big(pairs.length, 2)), ...pairs);
  }
  const items = [...(value as readonly Packable[])].map(pack);
  return bytes(items.length < 16 ? [0x90 | items.length] : bytes([0xdc], big(items.length, 2)), ...items);
};

/** A map of MessagePack from an object. */
export const map = (entries: Readonly<Record<string, Packable>>): ReadonlyMap<string, Packable> =>
  new Map(Object.entries(entries));
