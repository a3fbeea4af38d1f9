import { createCursor } from '../../bytes/cursor.ts';
import { MIB } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { parseJson } from '../json/parse.ts';
import { captionOfChunk, createCaptions } from './captions.ts';
import { checkTrailing } from './trailing.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Length, type and checksum around the data of a chunk. */
const END_CHUNK = 0x49454e44;

/** Chunks of text, and bytes of one that are read: larger ones hold no caption that anything shows. */
const CAPTIONS = ['tEXt', 'zTXt', 'iTXt'];
const CAPTION = 16 * MIB;
/** Bytes of a document among them: a workflow has some hundred KiB. */
const DOCUMENT = 8 * MIB;

/** Workflows of ComfyUI and the like travel as JSON in a caption, and are opened from the picture. */
const isDocument = (caption: Uint8Array): boolean => {
  if (caption[0] !== 0x7b || caption.length > DOCUMENT) return false;
  try {
    const text = decodeUtf8(caption);
    return text.slice(parseJson(text, { depth: 512, python: true }).end).trim() === '';
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};

/** PNG: chunks up to IEND, nothing behind. */
export const png: Format = {
  name: 'png',
  title: 'PNG image',
  begins: [0x89],
  recognisedBy: 'the eight bytes of its signature',
  checks:
    'every chunk in bounds up to IEND; captions against the rules for injected text, documents among them (workflows) as JSON; what stands behind it is inspected',
  references: ['https://www.w3.org/TR/png-3/'],
  recognise: (head) => SIGNATURE.every((byte, index) => head[index] === byte),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, SIGNATURE.length);
    const captions = createCaptions(context);
    for (;;) {
      context.budget.spend('steps', 1);
      const prefix = cursor.bytes(8);
      const view = new DataView(prefix.buffer, prefix.byteOffset, 8);
      const length = view.getUint32(0);
      if (length > cursor.remaining() - 4)
        throw new WeighbridgeError('FORMAT_TRUNCATED', 'a chunk ends behind the file', { offset: cursor.position });
      const type = String.fromCharCode(...prefix.subarray(4));
      if (CAPTIONS.includes(type) && length <= CAPTION) {
        const at = cursor.position;
        const caption = captionOfChunk(type, cursor.bytes(length));
        if (caption !== undefined && isDocument(caption)) context.nested(fromBytes(caption), `${type} at ${at}`);
        else if (caption !== undefined) captions.add(type, caption, at);
        cursor.skip(4);
      } else cursor.skip(length + 4);
      if (view.getUint32(4) === END_CHUNK) break;
    }
    captions.finish();
    const content = checkTrailing(source, cursor.position, 'png', context);
    return { format: 'png', content, coverage: complete(source.size) };
  },
};
