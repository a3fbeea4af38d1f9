import { latin1 } from '../../bytes/latin1.ts';
import { createBudget, MIB } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { isFault } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { createSink } from '../archive/sink.ts';
import { inflate } from '../compressed/inflate.ts';
import type { Context } from '../format.ts';

/** Bytes of one caption that are looked at; workflows in images reach some hundred KiB. */
const CAPTION = 2 * MIB;

/** Text beside the picture: captions, comments, workflows. Models and their tools read it as they read any text. */
export type Captions = { add(name: string, bytes: Uint8Array, offset: number): void; finish(): void };

/** Bytes as UTF-8, else each as the character of its number. */
export const textOf = (bytes: Uint8Array): string => {
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    return latin1(bytes.subarray(0, CAPTION));
  }
};

/** Collects the captions of one file and holds them against the rules for injected text. */
export const createCaptions = (context: Context): Captions => {
  const dataset = createDataset(context);
  return {
    add(name, bytes, offset) {
      context.budget.spend('steps', 1 + bytes.length / 64);
      dataset.cell(name, textOf(bytes.subarray(0, CAPTION)), offset);
      dataset.endRow();
    },
    finish() {
      reportAll(context, dataset.finish().remarks, 0);
    },
  };
};

/** A zlib stream (RFC 1950) as text's bytes; nothing when it is damaged or larger than a caption may be. */
export const inflatedCaption = (bytes: Uint8Array): Uint8Array => {
  const sink = createSink(bytes.length, createBudget(), CAPTION);
  try {
    inflate(createByteReader(fromBytes(bytes), 2), sink);
    return sink.finish();
  } catch (error) {
    if (isFault(error)) return new Uint8Array();
    throw error;
  }
};

/**
 * The text of a PNG chunk (https://www.w3.org/TR/png-3/, 11.3.3): `tEXt`, `zTXt` or `iTXt`, behind its key word. Nothing
 * for other chunks.
 */
export const captionOfChunk = (type: string, data: Uint8Array): Uint8Array | undefined => {
  const end = data.indexOf(0);
  if (end < 0) return undefined;
  if (type === 'tEXt') return data.subarray(end + 1);
  if (type === 'zTXt') return inflatedCaption(data.subarray(end + 2));
  if (type !== 'iTXt') return undefined;
  const language = data.indexOf(0, end + 3);
  const translated = data.indexOf(0, language + 1);
  if (language < 0 || translated < 0) return undefined;
  const text = data.subarray(translated + 1);
  return data[end + 1] === 1 ? inflatedCaption(text) : text;
};
