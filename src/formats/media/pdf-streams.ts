import { latin1 } from '../../bytes/latin1.ts';
import { MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { createSink } from '../archive/sink.ts';
import { inflate } from '../compressed/inflate.ts';
import type { Context } from '../format.ts';

/** Bytes before the word `stream` in which its dictionary is looked for; those of writers take some hundred. */
const DICTIONARY = 2048;
/** Inflated bytes of one stream: writers put 100 to 200 objects in one, some ten KiB. */
const STREAM = 16 * MIB;
/** Header of a zlib stream (RFC 1950) before its deflated data. */
const ZLIB_HEADER = 2;

/** What a stream that holds objects or metadata came to: its bytes, or why they were not read. */
export type HeldText = { readonly bytes: Uint8Array } | { readonly unread: string };

/** Names may be written with hexadecimal numbers for characters (ISO 32000-1, 7.3.5). */
export const plainNames = (text: string): string =>
  text.replace(/#([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/**
 * The stream whose data begin at `start`, when its dictionary says that it holds objects (ISO 32000-1, 7.5.7) or
 * metadata (14.3.2); undefined for pages, pictures and fonts, and for text that is there to be read as it is. Throws
 * LIMIT_EXCEEDED when it takes too much room.
 */
export const heldText = (source: RandomAccess, start: number, context: Context): HeldText | undefined => {
  const from = Math.max(0, start - DICTIONARY);
  const before = plainNames(latin1(source.read(from, start - from)));
  const dictionary = before.slice(before.lastIndexOf(' obj') + 1);
  if (!/\/Type\s*\/(?:ObjStm|Metadata)\b/.test(dictionary)) return undefined;
  const filters = /\/Filter\s*(\[[^\]]*\]|\/\w+)/.exec(dictionary)?.[1];
  if (filters === undefined) return undefined;
  if (!/^\[?\s*\/(?:FlateDecode|Fl)\s*\]?$/.test(filters))
    return { unread: 'objects behind a filter that is not read' };
  const sink = createSink(source.size - start, context.budget, STREAM);
  try {
    inflate(createByteReader(source, start + ZLIB_HEADER), sink);
    return { bytes: sink.bytes.subarray(0, sink.length) };
  } catch (error) {
    if (!isFault(error) || error.code === 'LIMIT_EXCEEDED') throw error;
    return { unread: 'compressed objects that cannot be read' };
  }
};
