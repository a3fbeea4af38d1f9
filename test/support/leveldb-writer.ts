import { varint } from './protobuf-writer.ts';

type Lies = { readonly type?: number; readonly gap?: Uint8Array };

const block = (entries: readonly (readonly [string, Uint8Array])[], type: number): Buffer => {
  const parts = entries.map(([key, value]) =>
    Buffer.concat([varint(0), varint(Buffer.byteLength(key)), varint(value.length), Buffer.from(key), value]),
  );
  // One restart, at the first entry.
  return Buffer.concat([...parts, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), Buffer.from([type, 0, 0, 0, 0])]);
};
const handle = (offset: number, size: number): Buffer => Buffer.concat([varint(offset), varint(size)]);

/** A table of LevelDB with one block of the given entries: correct unless told to lie. */
export const leveldbTable = (
  entries: readonly (readonly [string, Uint8Array])[],
  { type = 0, gap = new Uint8Array(0) }: Lies = {},
): Uint8Array => {
  const data = block(entries, type);
  const meta = block([], 0);
  const last = entries.at(-1)?.[0] ?? '';
  const index = block([[`${last}z`, handle(0, data.length - 5)]], 0);
  const metaAt = data.length + gap.length;
  const footer = Buffer.alloc(48);
  Buffer.concat([handle(metaAt, meta.length - 5), handle(metaAt + meta.length, index.length - 5)]).copy(footer);
  Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]).copy(footer, 40);
  return new Uint8Array(Buffer.concat([data, gap, meta, index, footer]));
};
