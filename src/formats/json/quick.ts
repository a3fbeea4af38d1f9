import { decodeUtf8 } from '../../bytes/utf8.ts';
import type { Dataset } from '../../content/injection/dataset.ts';
import { examine } from '../../content/injection/examine.ts';
import { type Run, SHORT } from '../../content/injection/runs.ts';
import { mayOrder } from '../../content/injection/sets.ts';
import { FLAGS, sift, siftedEnd, siftedGroups, siftedUnits } from '../../content/injection/sieve/bytes.ts';
import { SECRET, SPEAKS } from '../../content/injection/sieve/marks.ts';
import { looksLikeTemplate } from '../../content/jinja/check.ts';
import { secretIn } from '../../content/secrets.ts';
import { dangerousTarget } from '../../content/targets.ts';
import { mayBeHash } from '../../content/url-list.ts';
import { isFault } from '../../errors.ts';
import { parseJson } from './parse.ts';
import { type Told, toldBy } from './telling.ts';

/** Keys that are known of one object, and places in all: rows with more are read by the parser. */
const KEYS = 64;
const PLACES = 2048;
/** Objects and lists inside each other. */
const DEPTH = 24;
const DIALECT = { depth: 4, python: true };

/** A place in rows: a key below keys. Rows of a set have the same places, mostly in the same order. */
type Place = {
  readonly column: string;
  readonly told: Told;
  readonly keys: Key[];
  /** The place of items, when it holds a list. */
  list: Place | undefined;
  /** The data set has met a text here: columns are named in the order in which its reader meets them. */
  known: boolean;
  /** It has met a number here, or a text. */
  numbered: boolean;
  /** The object in which the key was seen last. */
  object: number;
  /** Short cells of it, which are read together. */
  run: Run | undefined;
  cells: number;
  /** Cells that are not empty, and no address or digest; their characters. */
  filled: number;
  characters: number;
};
type Key = { readonly bytes: Uint8Array; readonly place: Place };

const placeOf = (column: string, told: Told): Place => ({
  column,
  told,
  keys: [],
  list: undefined,
  known: false,
  numbered: false,
  object: 0,
  run: undefined,
  cells: 0,
  filled: 0,
  characters: 0,
});

/**
 * Reads rows of JSON as they lie in the file, without decoding them, as long as there is nothing to say about them.
 * Whatever is not plain (a new key, a key twice, a rule that may apply, a mistake) is left to the parser.
 */
export type QuickRows = {
  /** Takes the row of valid UTF-8 from `start` to `end`, or leaves it; `offset` is where `bytes` lie in the file. */
  take(bytes: Uint8Array, start: number, end: number, offset: number): boolean;
  /** Takes the row that begins at `start`; answers with where it ends, or -1 when it is left. */
  takeNext(bytes: Uint8Array, start: number, offset: number): number;
  /** Tells the data set of the rows that were taken: before any other row of it, and at the end. */
  flush(): void;
};

/** `column` is what the columns of the rows are below. */
export const createQuickRows = (dataset: Dataset, column = ''): QuickRows => {
  const root = placeOf(column, undefined);
  let places = 1;
  let objects = 0;
  let taken = 0;
  let at = 0;
  let end = 0;
  let plain = true;
  let bytes: Uint8Array = new Uint8Array();
  let base = 0;
  let groups = 0;
  /** The cells of this row: their places, their characters, and their texts where these are looked at. */
  const cells: Place[] = [];
  const lengths: number[] = [];
  const texts: (string | undefined)[] = [];
  /** Where they lie in `bytes`. */
  const starts: number[] = [];
  const closes: number[] = [];
  /** What the look at them found. */
  const begun: number[] = [];
  const lasts: number[] = [];
  let used = 0;

  const space = (): number => {
    for (;;) {
      const byte = at < end ? (bytes[at] ?? 0) : 0;
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a) return byte;
      at += 1;
    }
  };
  const digits = (): boolean => {
    const start = at;
    while (at < end && isDigit(bytes[at] ?? 0)) at += 1;
    return at > start;
  };
  const number = (): boolean => {
    if (bytes[at] === 0x2d) at += 1;
    if (bytes[at] === 0x30) at += 1;
    else if (!digits()) return false;
    if (bytes[at] === 0x2e) {
      at += 1;
      if (!digits()) return false;
    }
    if (((bytes[at] ?? 0) | 0x20) === 0x65) {
      at += 1;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1;
      if (!digits()) return false;
    }
    return at <= end;
  };
  const word = (expected: Uint8Array): boolean => {
    for (const byte of expected) if (bytes[at++] !== byte) return false;
    return at <= end;
  };

  /** The text between the quotation marks at `start - 1` and `close`. */
  const textAt = (start: number, close: number): string | undefined => {
    try {
      const { value } = parseJson(decodeUtf8(bytes.subarray(start - 1, close + 1)), DIALECT);
      return typeof value === 'string' ? value : undefined;
    } catch (error) {
      if (isFault(error)) return undefined;
      throw error;
    }
  };
  const isHarmless = (text: string, flags: number, told: Told): boolean => {
    if ((flags & SPEAKS) !== 0 && examine(text) !== undefined) return false;
    if ((flags & SECRET) !== 0 && secretIn(text) !== undefined) return false;
    if (told === 'template') return !looksLikeTemplate(text);
    if (told === 'path') return !text.includes('..');
    return told !== 'name' || dangerousTarget(text) === undefined;
  };
  const string = (place: Place): boolean => {
    at += 1;
    const answer = sift(bytes, at, end, true, place.run?.before());
    if (answer < 0) return false;
    const close = Math.floor(answer / FLAGS);
    const flags = answer % FLAGS;
    const units = siftedUnits();
    const [found, last] = [siftedGroups(), siftedEnd()];
    if (units <= SHORT) groups |= found;
    const looked =
      flags !== 0 || place.told !== undefined || mayBeHash(units, bytes.subarray(at, close).includes(0x20));
    let text: string | undefined;
    if (!place.known) {
      place.known = true;
      place.numbered = true;
      plain = false;
    } else if (looked) {
      text = textAt(at, close);
      if (text === undefined || !isHarmless(text, flags, place.told)) return false;
    }
    cells[used] = place;
    lengths[used] = units;
    texts[used] = text;
    starts[used] = at;
    closes[used] = close;
    begun[used] = found;
    lasts[used] = last;
    used += 1;
    at = close + 1;
    return true;
  };

  /** The place of the key at `at`, whose turn in its object is `turn`; nothing when it is none that can be known. */
  const keyOf = (owner: Place, turn: number): Place | undefined => {
    const start = at + 1;
    const expected = owner.keys[turn];
    if (expected !== undefined && standsAt(bytes, expected.bytes, start)) {
      at = start + expected.bytes.length + 1;
      return expected.place;
    }
    const close = bytes.indexOf(0x22, start);
    if (close < 0 || close >= end) return undefined;
    at = close + 1;
    const known = owner.keys.find((key) => standsAt(bytes, key.bytes, start));
    return known === undefined ? learn(owner, start, close) : known.place;
  };
  const learn = (owner: Place, start: number, close: number): Place | undefined => {
    const written = bytes.slice(start, close);
    if (owner.keys.length >= KEYS || places >= PLACES || written.some((byte) => byte === 0x5c || byte < 0x20))
      return undefined;
    const key = decodeUtf8(written);
    const place = placeOf(owner.column === '' ? key : `${owner.column}.${key}`, toldBy(key));
    owner.keys.push({ bytes: written, place });
    places += 1;
    plain = false;
    return place;
  };

  const value = (place: Place, depth: number): boolean => {
    if (place.told === 'all') return false;
    switch (space()) {
      case 0x22:
        return string(place);
      case 0x7b:
        return depth < DEPTH && object(place, depth);
      case 0x5b:
        return depth < DEPTH && list(place, depth);
      case 0x74:
        return word(TRUE);
      case 0x66:
        return word(FALSE);
      case 0x6e:
        return word(NULL);
      default:
        if (!place.numbered) plain = false;
        place.numbered = true;
        return number();
    }
  };
  const object = (place: Place, depth: number): boolean => {
    const serial = ++objects;
    at += 1;
    if (space() === 0x7d) {
      at += 1;
      return true;
    }
    for (let turn = 0; ; turn++) {
      if (space() !== 0x22) return false;
      const inner = keyOf(place, turn);
      if (inner === undefined || inner.object === serial) return false;
      inner.object = serial;
      if (space() !== 0x3a) return false;
      at += 1;
      if (!value(inner, depth + 1)) return false;
      const mark = space();
      at += 1;
      if (mark === 0x7d) return true;
      if (mark !== 0x2c) return false;
    }
  };
  const list = (place: Place, depth: number): boolean => {
    place.list ??= place.column.endsWith('[]') ? place : placeOf(`${place.column}[]`, undefined);
    const inner = place.list;
    at += 1;
    if (space() === 0x5d) {
      at += 1;
      return true;
    }
    for (;;) {
      if (!value(inner, depth + 1)) return false;
      const mark = space();
      at += 1;
      if (mark === 0x5d) return true;
      if (mark !== 0x2c) return false;
    }
  };

  const count = (place: Place, units: number, text: string | undefined): void => {
    place.cells += 1;
    if (text !== undefined) dataset.look(place.column, text);
    else if (units > 0) {
      place.filled += 1;
      place.characters += units;
    }
  };

  /** Reads the row; what it is counted as is not known yet. */
  const read = (source: Uint8Array, start: number, close: number, offset: number): boolean => {
    // Rows mostly have as many cells as the one before.
    if (dataset.wantsRow(used)) return false;
    bytes = source;
    base = offset;
    at = start;
    end = close;
    used = 0;
    groups = 0;
    plain = true;
    if (space() !== 0x7b || !object(root, 1) || !plain || dataset.wantsRow(used)) return false;
    // The short cells of a row may say together what none of them does.
    return groups === 0 || used < 2 || !mayOrder(groups);
  };
  /** Reads a cell on with those above it. What is written with escapes is decoded for that. */
  const readOn = (place: Place, index: number): void => {
    const units = lengths[index] ?? 0;
    if (units === 0) return;
    place.run ??= dataset.run(place.column);
    const { run } = place;
    const [start, close] = [starts[index] ?? 0, closes[index] ?? 0];
    if (units > SHORT) run.end();
    else if (close - start === units)
      run.add(bytes, start, close, dataset.row(), base + start, begun[index] ?? 0, lasts[index] ?? 0);
    else run.addText(texts[index] ?? textAt(start, close) ?? '', dataset.row(), base + start);
  };
  const keep = (): void => {
    for (let index = 0; index < used; index++) {
      const place = cells[index];
      if (place === undefined) continue;
      count(place, lengths[index] ?? 0, texts[index]);
      readOn(place, index);
    }
    dataset.passRow(used);
    taken += 1;
  };

  return {
    take(source, start, close, offset) {
      if (!read(source, start, close, offset)) return false;
      space();
      if (at !== end) return false;
      keep();
      return true;
    },
    takeNext(source, start, offset) {
      if (!read(source, start, source.length, offset)) return -1;
      keep();
      return at;
    },
    flush() {
      if (taken === 0) return;
      taken = 0;
      flushPlace(root, dataset);
    },
  };
};

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const [TRUE, FALSE, NULL] = [ascii('true'), ascii('false'), ascii('null')];
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Whether `key` and a quotation mark stand at `at`. */
const standsAt = (bytes: Uint8Array, key: Uint8Array, at: number): boolean => {
  for (let index = 0; index < key.length; index++) if (bytes[at + index] !== key[index]) return false;
  return bytes[at + key.length] === 0x22;
};

const flushPlace = (place: Place, dataset: Dataset): void => {
  if (place.cells > 0) dataset.pass(place.column, place.cells);
  if (place.filled > 0) dataset.tally(place.column, place.filled, place.characters);
  place.cells = 0;
  place.filled = 0;
  place.characters = 0;
  for (const key of place.keys) flushPlace(key.place, dataset);
  if (place.list !== undefined && place.list !== place) flushPlace(place.list, dataset);
};
