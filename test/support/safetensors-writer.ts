/** Writes safetensors files for tests: honest ones, and dishonest ones by overriding parts. */
export type TensorSpec = { readonly dtype: string; readonly shape: readonly number[]; readonly data: Uint8Array };

type Overrides = {
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The header text in place of the one derived from the tensors. */
  readonly header?: string | Uint8Array;
  /** The header length in place of the true one. */
  readonly headerLength?: bigint;
  /** Bytes behind the last tensor. */
  readonly trailing?: Uint8Array;
  /** Fills the header up to a multiple of eight; a space by the specification. */
  readonly padding?: string;
};

/** A safetensors file with `tensors` in the given order. */
export const safetensors = (tensors: Readonly<Record<string, TensorSpec>>, overrides: Overrides = {}): Uint8Array => {
  const header: Record<string, unknown> = overrides.metadata ? { __metadata__: overrides.metadata } : {};
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  let text = JSON.stringify(header);
  while (Buffer.byteLength(text) % 8 !== 0) text += overrides.padding ?? ' ';
  const head = Buffer.from(overrides.header ?? text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(overrides.headerLength ?? BigInt(head.length));
  const data = Object.values(tensors).map((tensor) => tensor.data);
  return new Uint8Array(Buffer.concat([length, head, ...data, overrides.trailing ?? new Uint8Array()]));
};

/** The bytes of `values` as little-endian float32. */
export const float32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
