/** Writes GGUF files for tests: honest ones, and dishonest ones by overriding parts. */
export type GgufValue =
  | { readonly type: 'u32' | 'i32' | 'u64' | 'f32' | 'bool' | 'u8'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly of: 'u32' | 'string' | 'f32'; readonly value: readonly (number | string)[] };

export type GgufTensor = {
  readonly name: string;
  /** Innermost first, as the file holds them. */
  readonly dims: readonly number[];
  /** Number of a ggml type: 0 is F32, 1 F16, 2 Q4_0, 8 Q8_0. */
  readonly type: number;
  readonly data: Uint8Array;
  readonly offset?: number;
};

type Options = {
  readonly version?: number;
  readonly magic?: string;
  readonly values?: Readonly<Record<string, GgufValue>>;
  readonly tensors?: readonly GgufTensor[];
  readonly alignment?: number;
  readonly counts?: { readonly tensors?: bigint; readonly values?: bigint };
  readonly trailing?: Uint8Array;
  /** Bytes put in place of the key-value section. */
  readonly rawValues?: Uint8Array;
};

export const TYPE_CODES = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
};
const u64 = (value: number | bigint): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};

/** A length in the width of the version, then the bytes. */
export const ggufString = (text: string, version = 3): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([version === 1 ? u32(bytes.length) : u64(bytes.length), bytes]);
};

const scalar = (type: string, value: number): Buffer => {
  if (type === 'u64') return u64(value);
  if (type === 'bool' || type === 'u8') return Buffer.from([value]);
  const out = Buffer.alloc(4);
  if (type === 'f32') out.writeFloatLE(value);
  else if (type === 'i32') out.writeInt32LE(value);
  else out.writeUInt32LE(value);
  return out;
};

const encode = (value: GgufValue, version: number): Buffer => {
  const code = u32(TYPE_CODES[value.type]);
  if (value.type === 'string') return Buffer.concat([code, ggufString(value.value, version)]);
  if (value.type !== 'array') return Buffer.concat([code, scalar(value.type, value.value)]);
  const count = version === 1 ? u32(value.value.length) : u64(value.value.length);
  const items = value.value.map((item) =>
    typeof item === 'string' ? ggufString(item, version) : scalar(value.of, item),
  );
  return Buffer.concat([code, u32(TYPE_CODES[value.of]), count, ...items]);
};

/** A GGUF file; tensors follow each other at the alignment. */
export const gguf = (options: Options = {}): Uint8Array => {
  const { version = 3, magic = 'GGUF', values = {}, tensors = [], alignment = 32 } = options;
  const count = (value: bigint): Buffer => (version === 1 ? u32(Number(value)) : u64(value));
  const parts: Buffer[] = [
    Buffer.from(magic),
    u32(version),
    count(options.counts?.tensors ?? BigInt(tensors.length)),
    count(options.counts?.values ?? BigInt(Object.keys(values).length)),
  ];
  for (const [key, value] of Object.entries(values)) parts.push(ggufString(key, version), encode(value, version));
  if (options.rawValues) parts.push(Buffer.from(options.rawValues));
  let offset = 0;
  const data: Buffer[] = [];
  const padded = (bytes: Uint8Array): Buffer =>
    Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)]);
  for (const tensor of tensors) {
    parts.push(ggufString(tensor.name, version), u32(tensor.dims.length));
    for (const dim of tensor.dims) parts.push(count(BigInt(dim)));
    parts.push(u32(tensor.type), u64(tensor.offset ?? offset));
    const bytes = padded(tensor.data);
    data.push(bytes);
    offset += bytes.length;
  }
  const head = tensors.length > 0 ? padded(Buffer.concat(parts)) : Buffer.concat(parts);
  return new Uint8Array(Buffer.concat([head, ...data, options.trailing ?? new Uint8Array()]));
};
