import { bytes } from './reports.ts';

export const u32 = (...values: number[]): Uint8Array => {
  const out = new Uint8Array(4 * values.length);
  for (const [index, value] of values.entries()) new DataView(out.buffer).setUint32(4 * index, value, true);
  return out;
};
const u64 = (...values: number[]): Uint8Array => bytes(...values.map((value) => u32(value, 0)));
const raw = (text: string): Uint8Array => bytes(u32(text.length), text);

/** Values of torch7's binary files; `index` is the number under which a table or object can be referred to again. */
export const text = (value: string): Uint8Array => bytes(u32(2), raw(value));
export const number = bytes(u32(1), new Uint8Array(8));
export const table = (index: number, ...pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array =>
  bytes(u32(3, index, pairs.length), ...pairs.map(([key, value]) => bytes(key, value)));
export const object = (index: number, name: string, ...parts: Uint8Array[]): Uint8Array =>
  bytes(u32(4, index), raw('V 1'), raw(name), ...parts);
export const tensor = (index: number, elements: number, stored = elements, stride = 1): Uint8Array =>
  object(
    index,
    'torch.FloatTensor',
    bytes(u32(1), u64(elements, stride, 1)),
    object(index + 1, 'torch.FloatStorage', u64(elements), new Uint8Array(4 * stored)),
  );
