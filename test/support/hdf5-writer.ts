/**
 * Writes HDF5 files for tests: groups, datasets and attributes in the old form (superblock 0, object headers 1, symbol
 * tables) and the new one (superblock 2, object headers 2, link messages), with whatever header messages it is told.
 */
type Bytes = Uint8Array;
export type Message = readonly [type: number, data: Bytes];
/** Text is an attribute of variable length, bytes one of fixed length. */
export type Attributes = Readonly<Record<string, string | Bytes>>;
export type Node = {
  readonly attributes?: Attributes;
  readonly children?: Readonly<Record<string, Node>>;
  /** Numbers of 32 bits: makes the node a dataset. */
  readonly data?: { readonly shape: readonly number[]; readonly bytes: Bytes };
  /** Further messages of its header, or messages in place of the dataset's. */
  readonly messages?: readonly Message[];
};

const NOWHERE = 0xffffffffffffffffn;

/** Little-endian numbers: [bytes, value] pairs. */
export const pack = (...fields: readonly (readonly [1 | 2 | 4 | 8, number | bigint])[]): Bytes => {
  const out = Buffer.alloc(fields.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 8) out.writeBigUInt64LE(BigInt(value), at);
    else out.writeUIntLE(Number(value), at, width);
    at += width;
  }
  return new Uint8Array(out);
};
const join = (...parts: readonly Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts));
const filled = (bytes: Bytes, to = 8): Bytes => join(bytes, new Uint8Array((to - (bytes.length % to)) % to));
const ascii = (text: string): Bytes => new Uint8Array(Buffer.from(text));

export const FLOAT32 = join(
  pack([1, 0x11], [1, 0x20], [1, 0x1f], [1, 0], [4, 4], [2, 0], [2, 32]),
  pack([1, 23], [1, 8], [1, 0], [1, 23], [4, 127]),
);
export const REFERENCE = pack([1, 0x17], [1, 0], [2, 0], [4, 8]);
const fixedText = (size: number): Bytes => pack([1, 0x13], [1, 0], [2, 0], [4, size]);
const VARIABLE_TEXT = join(pack([1, 0x19], [1, 1], [2, 0], [4, 16]), fixedText(1));
export const space = (shape: readonly number[]): Bytes =>
  join(pack([1, 1], [1, shape.length], [2, 0], [4, 0]), ...shape.map((dim) => pack([8, dim])));
export const contiguous = (at: number | bigint, size: number): Bytes => pack([1, 3], [1, 1], [8, at], [8, size]);

/** A link message of a type: 1 soft, 64 external, above that whatever a plug-in makes of it. */
export const link = (name: string, type: number, value: Bytes): Message => [
  6,
  join(pack([1, 1], [1, 8], [1, type], [1, name.length]), ascii(name), pack([2, value.length]), value),
];

type Options = {
  readonly old?: boolean;
  /** Bytes before the superblock: 512, 1024, ... */
  readonly userBlock?: Bytes;
  readonly trailing?: Bytes;
  /** What the superblock says that the end is, counted from what it is. */
  readonly endOffset?: number;
};

/** The file with `root` as its root group. */
export const hdf5 = (root: Node, { old = false, userBlock = new Uint8Array(0), ...lies }: Options = {}): Bytes => {
  let body = new Uint8Array(old ? 96 : 48);
  const place = (bytes: Bytes): number => {
    const at = body.length;
    body = join(body, filled(bytes)) as typeof body;
    return at;
  };
  const header = (messages: readonly Message[]): number => {
    if (old) {
      const parts = messages.map(([type, data]) => {
        const padded = filled(data);
        return join(pack([2, type], [2, padded.length], [4, 0]), padded);
      });
      const all = join(...parts);
      return place(join(pack([1, 1], [1, 0], [2, messages.length], [4, 1], [4, all.length], [4, 0]), all));
    }
    const all = join(...messages.map(([type, data]) => join(pack([1, type], [2, data.length], [1, 0]), data)));
    return place(join(ascii('OHDR'), pack([1, 2], [1, 2], [4, all.length]), all, pack([4, 0])));
  };
  const attribute = (name: string, value: string | Bytes): Message => {
    const text = ascii(`${name}\0`);
    const type = typeof value === 'string' ? VARIABLE_TEXT : fixedText(value.length);
    const data = typeof value === 'string' ? variable(value) : value;
    const sizes = pack([2, text.length], [2, type.length], [2, space([]).length]);
    if (!old) return [12, join(pack([1, 3], [1, 0]), sizes, pack([1, 0]), text, type, space([]), data)];
    return [12, join(pack([1, 1], [1, 0]), sizes, filled(text), filled(type), filled(space([])), data)];
  };
  const variable = (value: string): Bytes => {
    const bytes = ascii(value);
    const object = join(pack([2, 1], [2, 1], [4, 0], [8, bytes.length]), filled(bytes));
    const heap = place(join(ascii('GCOL'), pack([4, 1], [8, 16 + object.length]), object));
    return pack([4, bytes.length], [8, heap], [4, 1]);
  };
  const children = (links: readonly (readonly [string, number])[]): Message[] => {
    if (!old) {
      return links.map(([name, at]) => [6, join(pack([1, 1], [1, 0], [1, name.length]), ascii(name), pack([8, at]))]);
    }
    let names = new Uint8Array(8);
    const entries = links.map(([name, at]) => {
      const entry = pack([8, names.length], [8, at], [4, 0], [4, 0], [8, 0], [8, 0]);
      names = join(names, filled(ascii(`${name}\0`))) as typeof names;
      return entry;
    });
    const data = place(names);
    const heap = place(join(ascii('HEAP'), pack([4, 0], [8, names.length], [8, 1], [8, data])));
    const leaf = place(join(ascii('SNOD'), pack([1, 1], [1, 0], [2, links.length]), ...entries));
    const node = pack(
      [1, 0],
      [1, 0],
      [2, links.length > 0 ? 1 : 0],
      [8, NOWHERE],
      [8, NOWHERE],
      [8, 0],
      [8, leaf],
      [8, 0],
    );
    return [[17, pack([8, place(join(ascii('TREE'), node))], [8, heap])]];
  };
  const write = (node: Node): number => {
    const attributes = Object.entries(node.attributes ?? {}).map(([name, value]) => attribute(name, value));
    const more = node.messages ?? [];
    if (node.data !== undefined) {
      const at = place(node.data.bytes);
      const own: Message[] = [
        [1, space(node.data.shape)],
        [3, FLOAT32],
        [8, contiguous(at, node.data.bytes.length)],
      ];
      const told = new Set(more.map(([type]) => type));
      return header([...own.filter(([type]) => !told.has(type)), ...more, ...attributes]);
    }
    const links = Object.entries(node.children ?? {}).map(([name, child]) => [name, write(child)] as const);
    return header([...(links.length > 0 || old ? children(links) : []), ...more, ...attributes]);
  };
  const top = write(root);
  const base = userBlock.length;
  const end = base + body.length + (lies.endOffset ?? 0);
  const signature = join(pack([1, 0x89]), ascii('HDF\r\n'), pack([1, 0x1a]), ascii('\n'));
  const superblock = old
    ? join(
        pack(
          [4, 0],
          [1, 0],
          [1, 8],
          [1, 8],
          [1, 0],
          [2, 4],
          [2, 16],
          [4, 0],
          [8, base],
          [8, NOWHERE],
          [8, end],
          [8, NOWHERE],
        ),
        pack([8, 0], [8, top], [8, 0], [8, 0], [8, 0]),
      )
    : pack([1, 2], [1, 8], [1, 8], [1, 0], [8, base], [8, NOWHERE], [8, end], [8, top], [4, 0]);
  body.set(join(signature, superblock).subarray(0, old ? 96 : 48));
  return join(userBlock, body, lies.trailing ?? new Uint8Array(0));
};
