const numbers = (
  values: readonly (number | bigint)[],
  width: number,
  set: (view: DataView, at: number, value: number | bigint) => void,
): Uint8Array => {
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (const [index, value] of values.entries()) set(view, index * width, value);
  return new Uint8Array(view.buffer);
};

/** Little-endian numbers, one after the other. */
export const u16 = (...values: number[]): Uint8Array =>
  numbers(values, 2, (view, at, value) => view.setUint16(at, Number(value), true));
export const u32 = (...values: number[]): Uint8Array =>
  numbers(values, 4, (view, at, value) => view.setUint32(at, Number(value), true));
export const u64 = (...values: (number | bigint)[]): Uint8Array =>
  numbers(values, 8, (view, at, value) => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true));
export const f32 = (...values: number[]): Uint8Array =>
  numbers(values, 4, (view, at, value) => view.setFloat32(at, Number(value), true));
export const f64 = (...values: number[]): Uint8Array =>
  numbers(values, 8, (view, at, value) => view.setFloat64(at, Number(value), true));
