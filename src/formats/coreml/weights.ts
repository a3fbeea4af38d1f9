import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { disguiseOf } from '../disguise.ts';
import { complete, type Format, type Inspection } from '../format.ts';

/** Version of the file, the mark before each blob, and the boundary on which everything begins. */
const VERSION = 2;
const SENTINEL = 0xdeadbeef;
const BOUNDARY = 64;
/** Blobs of one file: a weight each. */
const BLOBS = 1_000_000;

const aligned = (at: number): number => Math.ceil(at / BOUNDARY) * BOUNDARY;

/**
 * Weights of a Core ML program (mlmodel/src/MILBlob/Blob/StorageFormat.hpp of coremltools): 64 bytes with the count of blobs
 * and a version, then for each blob 64 bytes (mark, element type, size, where the bytes are) and its bytes, everything on
 * a boundary of 64. The program names a blob by its place in the file.
 */
export const coremlWeights: Format = {
  name: 'coreml-weights',
  title: 'Core ML weights',
  recognisedBy: 'a count, the version 2 and, at byte 64, the mark 0xDEADBEEF of the first blob',
  checks: 'blobs follow each other without gap up to the end of the file; none is something else in disguise',
  references: ['coremltools/mlmodel/src/MILBlob/Blob/StorageFormat.hpp'],
  recognise: (head) => head.length >= BOUNDARY + 4 && head[4] === VERSION && isMarked(head),
  inspect(source, context): Inspection {
    const cursor = createCursor(source);
    const count = within('blobs of a weights file', cursor.u32(), BLOBS);
    if (cursor.u32() !== VERSION) invalid('another version', 4);
    let end = BOUNDARY;
    for (let index = 0; index < count; index++) {
      context.budget.spend('steps', 1);
      const blob = readBlob(cursor, aligned(end));
      end = blob.end;
      const kind = disguiseOf(section(source, blob.start, blob.end));
      if (kind === undefined) continue;
      const message = `the bytes of a weight are ${kind}`;
      context.report({
        rule: 'coreml.tensor-content',
        severity: 'low',
        message,
        offset: blob.start,
        refs: ['CWE-506'],
      });
    }
    if (source.size > aligned(end)) invalid(`${source.size - end} bytes stand behind the last blob`, end);
    return { format: 'coreml-weights', content: 'inert', coverage: complete(source.size), details: { blobs: count } };
  },
};

const isMarked = (head: Uint8Array): boolean =>
  [0xef, 0xbe, 0xad, 0xde].every((byte, index) => head[BOUNDARY + index] === byte) &&
  head.subarray(5, 8).every((byte) => byte === 0);

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

const readBlob = (cursor: Cursor, at: number): { readonly start: number; readonly end: number } => {
  cursor.position = at;
  if (cursor.u32() !== SENTINEL) invalid('no blob where one belongs', at);
  cursor.skip(4);
  const size = cursor.u64();
  const start = cursor.u64();
  if (start !== at + BOUNDARY) invalid('the bytes of a blob do not follow it', at);
  section(cursor.source, start, start + size);
  return { start, end: start + size };
};
