import { fromBytes } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { createSecretCells } from '../../content/secret-cells.ts';
import { type DatasetRows, notDroppable } from '../dataset-rows.ts';
import { type Content, type Context, worseContent } from '../format.ts';
import { pickle } from '../pickle/format.ts';
import { cborTexts } from './cbor.ts';

/** Bytes of text in binary values from which it can say something; values shorter than a file are none. */
const TEXT = 8;
const FILE = 4;
/** Bytes by which a format is recognised. */
const HEAD = 4096;
/** The beginning of a pickle, which clients of RocksDB put behind a byte of their own. */
const PICKLE = 0x80;

/** What is kept under keys: bytes that the database itself only hands out. */
export type Values = {
  /** Judges a key and its value; `offset` is where their block or record begins in the file. */
  add(key: Uint8Array, value: Uint8Array, offset: number): void;
  finish(): { readonly content: Content; readonly rows: DatasetRows; readonly count: number };
};

/** Judges values as those of a database: what some format recognises is somebody's file; texts go by the rules for data. */
export const createValues = (context: Context): Values => {
  const dataset = createDataset(context);
  const secrets = createSecretCells();
  let content: Content = 'inert';
  let count = 0;
  const texts = (column: string, bytes: Uint8Array, offset: number): void => {
    for (const text of textsIn(bytes)) {
      dataset.cell(column, text, offset);
      secrets.cell(column, text, offset);
    }
  };
  const inspect = (bytes: Uint8Array, offset: number): void => {
    const inner = context.nested(fromBytes(bytes), `value at ${offset}`);
    if (inner.format !== 'unknown') content = worseContent(content, inner.content);
  };
  return {
    add(key, value, offset) {
      count += 1;
      texts('key', key, offset);
      texts('value', value, offset);
      dataset.endRow();
      if (value.length < FILE) return;
      if (!isPlain(value)) inspect(value, offset);
      if (value[1] === PICKLE) inspect(value.subarray(1), offset);
    },
    finish() {
      const { remarks, flagged } = dataset.finish();
      reportAll(context, [...remarks, ...secrets.finish()], 0);
      return { content, count, rows: notDroppable(flagged, 'values of a database lie in blocks with checksums') };
    },
  };
};

const isControl = (byte: number): boolean =>
  byte === 0x7f || (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);

/** Plain text is no file, but may be a pickle of the oldest protocol. */
const isPlain = (bytes: Uint8Array): boolean =>
  lengthOfText(bytes, 0) === bytes.length && !pickle.recognise(bytes.subarray(0, HEAD), fromBytes(bytes));

/** Bytes of UTF-8 without control characters from `start` on. */
const lengthOfText = (bytes: Uint8Array, start: number): number => {
  let at = start;
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0;
    if (lead < 0x80) {
      if (isControl(lead)) break;
      at += 1;
      continue;
    }
    const more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || at + more >= bytes.length || !continues(bytes, at, more)) break;
    at += more + 1;
  }
  return at - start;
};

const continues = (bytes: Uint8Array, at: number, more: number): boolean => {
  for (let next = 1; next <= more; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return false;
  const [lead, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
  // Overlong forms, surrogates and what is beyond Unicode (RFC 3629).
  if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f)) return false;
  return !((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f));
};

/**
 * The texts in a value: those of CBOR; and what lies between bytes that are no text, where a length may stand before it.
 */
const textsIn = function* (bytes: Uint8Array): Generator<string> {
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOfText(bytes, at);
    if (length >= TEXT) {
      yield decodeUtf8(bytes.subarray(at, at + length));
      if (length < bytes.length && (bytes[at] ?? 0) < 0x80) yield decodeUtf8(bytes.subarray(at + 1, at + length));
    }
    at += Math.max(1, length);
  }
  for (const text of cborTexts(bytes))
    if (text.length >= TEXT && lengthOfText(text, 0) === text.length) yield decodeUtf8(text);
};
