import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { worseContent } from '../format.ts';
import { OPCODE_NAMES } from './opcodes.ts';
import type { RunPickle } from './options.ts';

import type { Machine } from './state.ts';
import { report } from './state.ts';

/** Constants of one stream that are looked into; a table of pickled rows has more, and then the report says so. */
const MAX_NESTED = 256;

/** Characters of encoded text that are decoded; a payload is far shorter, an embedded picture longer. */
const MAX_ENCODED = 1024 * 1024;

/** Pickles inside pickles that are followed. */
const MAX_DEPTH = 2;

/** True when the three bytes may begin a pickle: PROTO and an opcode, or what protocol 0 and 1 begin calls with. */
export const mayHoldPickle = (start: Uint8Array): boolean => {
  const [first = 0, second = 0, third = 0] = start;
  if (first === 0x80) return second >= 2 && second <= 5 && OPCODE_NAMES[third] !== undefined;
  if (first === 0x63) return isLetter(second);
  return first === 0x28 && (second === 0x63 || second === 0x69 || OPCODE_NAMES[second] !== undefined);
};

const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;

type Looks = (run: RunPickle, source: RandomAccess, start: number, end: number) => boolean;

/** Runs what is a pickle among the constants of a stream: bytes as they are, text as base64 or hexadecimal. */
export const runNested = (machine: Machine, source: RandomAccess, looksLike: Looks, run: RunPickle): void => {
  const depth = machine.options.depth ?? 0;
  if (depth >= MAX_DEPTH) return;
  if (machine.nested.length > MAX_NESTED) {
    report(machine, {
      rule: 'pickle.nested-many',
      severity: 'low',
      message: `Only the first ${MAX_NESTED} constants that may be pickles were looked into.`,
    });
  }
  for (const candidate of machine.nested.slice(0, MAX_NESTED)) {
    const place = placeOf(source, candidate);
    if (place === undefined || !looksLike(run, place.source, place.start, place.end)) continue;
    machine.at = candidate.offset;
    report(machine, {
      rule: 'pickle.nested',
      severity: 'info',
      message: 'A constant of the stream is a pickle itself; it was read as one.',
      evidence: `${place.end - place.start} bytes at ${candidate.offset}`,
    });
    const { context } = machine;
    const inner = run(place.source, place.start, {
      end: place.end,
      depth: depth + 1,
      context: { ...context, report: (finding) => context.report({ ...finding, offset: candidate.offset }) },
    });
    machine.content = worseContent(machine.content, inner.content);
  }
};

type Place = { readonly source: RandomAccess; readonly start: number; readonly end: number };

/** Where the bytes of a constant are: in the file itself, or decoded from text. */
const placeOf = (source: RandomAccess, candidate: Machine['nested'][number]): Place | undefined => {
  if (candidate.kind === 'bytes' && candidate.literal === undefined) {
    return { source, start: candidate.offset, end: candidate.offset + candidate.length };
  }
  const bytes = candidate.kind === 'text' ? decode(candidate.text) : candidate.literal;
  return bytes && { source: fromBytes(bytes), start: 0, end: bytes.length };
};

const decode = (text: string): Uint8Array | undefined => {
  if (text.length > MAX_ENCODED) return undefined;
  if (/^(?:[\x00-\xff])*$/.test(text) && text.charCodeAt(0) === 0x80)
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  if (/^(?:[0-9a-fA-F]{2})+$/.test(text)) return fromHex(text);
  return fromBase64(text);
};

const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...ALPHABET, '-', '_'].map((letter, at) => [letter, at < 64 ? at : at - 2] as const));

const fromBase64 = (text: string): Uint8Array | undefined => {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    if (letter === '=' || letter === '\n' || letter === '\r') continue;
    const value = VALUES.get(letter);
    if (value === undefined) return undefined;
    bits = ((bits << 6) | value) & 0xffffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push((bits >> held) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
};
