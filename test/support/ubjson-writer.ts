import { bytes } from './reports.ts';

export type Ubj =
  | null
  | boolean
  | number
  | string
  | Float32Array
  | Int32Array
  | readonly Ubj[]
  | { readonly [key: string]: Ubj };

const big = (size: number, write: (view: DataView) => void): Uint8Array => {
  const out = new Uint8Array(size);
  write(new DataView(out.buffer));
  return out;
};
const long = (value: number): Uint8Array => big(8, (view) => view.setBigInt64(0, BigInt(value)));
const text = (value: string): Uint8Array => bytes('L', long(value.length), value);

/** A value as XGBoost writes UBJSON: 64-bit counts, typed arrays of numbers. */
export const ubjson = (value: Ubj): Uint8Array => {
  if (value === null) return bytes('Z');
  if (typeof value === 'boolean') return bytes(value ? 'T' : 'F');
  if (typeof value === 'number')
    return bytes(
      'l',
      big(4, (view) => view.setInt32(0, value)),
    );
  if (typeof value === 'string') return bytes('S', text(value));
  if (value instanceof Float32Array || value instanceof Int32Array) {
    const whole = value instanceof Int32Array;
    const items = [...value].map((item) =>
      big(4, (view) => (whole ? view.setInt32(0, item) : view.setFloat32(0, item))),
    );
    return bytes(`[$${whole ? 'l' : 'd'}#L`, long(value.length), ...items);
  }
  if (Array.isArray(value)) return bytes('[#L', long(value.length), ...value.map(ubjson));
  const entries = Object.entries(value as { readonly [key: string]: Ubj });
  return bytes('{', ...entries.map(([key, item]) => bytes(text(key), ubjson(item))), '}');
};
