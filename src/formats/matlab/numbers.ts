import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';

/** A cursor whose 32-bit numbers are big-endian; files of the last century have them. */
export const bigCursor = (source: RandomAccess, start: number): Cursor => {
  const cursor = createCursor(source, start);
  const view = (): DataView => {
    const bytes = cursor.bytes(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4);
  };
  return {
    ...cursor,
    get position() {
      return cursor.position;
    },
    set position(value) {
      cursor.position = value;
    },
    u32: () => view().getUint32(0),
    i32: () => view().getInt32(0),
  };
};
