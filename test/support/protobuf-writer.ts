/** Writes protocol buffers for tests, field by field, with whatever numbers and wire types they are told. */
export type Value = number | bigint | string | Uint8Array | { readonly fixed32: number } | { readonly float: number };

export const varint = (value: number | bigint): Uint8Array => {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(out);
};

/** A field: a varint for a number, a length and bytes for text and bytes, four bytes for the rest. */
const field = (number: number, value: Value): Uint8Array => {
  if (typeof value === 'number' || typeof value === 'bigint') return Buffer.concat([varint(number * 8), varint(value)]);
  if (typeof value === 'string' || value instanceof Uint8Array) {
    const bytes = Buffer.from(value);
    return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
  }
  const bytes = Buffer.alloc(4);
  if ('float' in value) bytes.writeFloatLE(value.float);
  else bytes.writeUInt32LE(value.fixed32);
  return Buffer.concat([varint(number * 8 + 5), bytes]);
};

/** A message of the given fields, in this order; a nested message is the bytes of one. */
export const message = (...fields: readonly (readonly [number, Value])[]): Uint8Array =>
  new Uint8Array(Buffer.concat(fields.map(([number, value]) => field(number, value))));
