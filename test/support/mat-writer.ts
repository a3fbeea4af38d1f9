import { deflateSync } from 'node:zlib';
import { bytes } from './reports.ts';

const u32 = (...values: number[]): Uint8Array => {
  const out = new Uint8Array(4 * values.length);
  for (const [index, value] of values.entries()) new DataView(out.buffer).setUint32(4 * index, value, true);
  return out;
};
/** A part with its tag, padded to eight bytes. */
export const part = (type: number, data: Uint8Array): Uint8Array =>
  bytes(u32(type, data.length), data, new Uint8Array((8 - (data.length % 8)) % 8));
/** A part of at most four bytes with the short tag. */
export const small = (type: number, data: Uint8Array): Uint8Array =>
  bytes(u32((data.length << 16) | type), data, new Uint8Array(4 - data.length));

/** An array of a class: flags, dimensions, name, then what its class has. */
export const array = (kind: number, dimensions: readonly number[], name: string, ...parts: Uint8Array[]): Uint8Array =>
  part(14, bytes(part(6, u32(kind, 0)), part(5, u32(...dimensions)), part(1, bytes(name)), ...parts));
export const doubles = (count: number): Uint8Array => part(9, new Uint8Array(8 * count));
/** Names of fields, eight bytes each. */
export const fields = (...names: string[]): Uint8Array =>
  bytes(small(5, u32(8)), part(1, bytes(...names.map((name) => bytes(name, new Uint8Array(8 - name.length))))));
export const compressed = (variable: Uint8Array): Uint8Array => {
  const data = deflateSync(variable);
  return bytes(u32(15, data.length), data);
};
/** The file: its header and variables. */
export const matFile = (...variables: Uint8Array[]): Uint8Array =>
  bytes('MATLAB 5.0 MAT-file'.padEnd(116), new Uint8Array(8), [0, 1], 'IM', ...variables);
