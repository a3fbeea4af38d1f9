import { KIB, MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { cutSequence } from '../../bytes/utf8.ts';
import { readAsPython } from '../../content/python/recognise.ts';
import { isFault } from '../../errors.ts';
import { parseJson } from '../json/parse.ts';
import { rememberLast } from '../last-answer.ts';
import { headText } from './decode.ts';

/** What a text is, by content; every text is exactly one of these. */
export type TextKind = 'json' | 'jsonl' | 'pointer' | 'script' | 'python' | 'template' | 'markup' | 'plain';

/** Bytes read to tell Python from other text: a licence comment alone may fill the head. */
const PYTHON_SAMPLE = 64 * KIB;
/** Bytes of the largest source that is read (formats/text/python.ts). */
const PYTHON_WHOLE = 8 * MIB;
/** Bytes of a first line that is read to tell JSON lines from one JSON document. */
const FIRST_LINE = 1 * MIB;
const DIALECT = { depth: 512, python: true };

const readKind = (head: Uint8Array, source: RandomAccess): TextKind | undefined => {
  const text = headText(head, source.size);
  if (text === undefined || text.trim() === '') return text === undefined ? undefined : 'plain';
  const start = text.trimStart();
  if (start.startsWith('version https://git-lfs.github.com/spec/') || start.startsWith('# xet version'))
    return 'pointer';
  // An interpreter has a path: `#!` alone begins comments of some data files.
  if (/^#![ \t]{0,16}\//.test(text)) return /^#![^\n]{0,200}python/.test(text) ? 'python' : 'script';
  if (start.startsWith('{%') || start.startsWith('{{') || start.startsWith('{#')) return 'template';
  const structured = start.startsWith('{') || start.startsWith('[') ? jsonKind(start, source) : 'plain';
  if (structured !== 'plain') return structured;
  if (/^(?:<!doctype html|<html|<svg|<\?xml[^>]{0,300}>\s{0,64}(?:<!--[^>]{0,300}-->\s{0,64})?<svg)/i.test(start))
    return 'markup';
  if (isPython(text, head, source)) return 'python';
  return rendersMessages(text) ? 'template' : 'plain';
};

/** The kind of a text, or nothing when the file is not text. */
export const kindOf = rememberLast(readKind);

/** A chat template that begins with text still loops over messages. */
const rendersMessages = (text: string): boolean =>
  text.includes('{%') && /\bmessages?\b/.test(text) && text.includes('%}');

/** JSON Lines: the first line is a whole value and more follows. Otherwise one document, or no JSON at all. */
const jsonKind = (start: string, source: RandomAccess): TextKind => {
  const feed = start.indexOf('\n');
  const { line, more } =
    feed >= 0 ? { line: start.slice(0, feed), more: start.slice(feed).trim() !== '' } : firstLine(source);
  try {
    const { end } = parseJson(line, DIALECT);
    if (line.slice(end).trim() !== '') return 'plain';
    return more ? 'jsonl' : 'json';
  } catch (error) {
    if (!isFault(error)) throw error;
    return /^(?:\{\s*(?:"|\}|$)|\[\s*(?:["[{\]]|-?[0-9]|(?:true|false|null|NaN|-?Infinity)\b|$))/.test(start)
      ? 'json'
      : 'plain';
  }
};

const firstLine = (source: RandomAccess): { line: string; more: boolean } => {
  const bytes = source.read(0, Math.min(FIRST_LINE, source.size));
  const end = bytes.indexOf(0x0a);
  const line = end < 0 ? bytes.subarray(0, bytes.length - cutSequence(bytes)) : bytes.subarray(0, end);
  return { line: (headText(line, line.length) ?? '').trimStart(), more: end >= 0 && source.size > end + 1 };
};

/**
 * Whether a text is Python as far as reading it tells. A licence or a docstring may fill any sample, so an unclear
 * answer is settled by the whole file; what stays unclear beyond that is code only when it is nearly all comment.
 */
export const isPython = (text: string, head: Uint8Array, source: RandomAccess): boolean => {
  if (NO_STATEMENT.test(text) || IMPORT.test(text)) return false;
  try {
    const first = readAsPython(text, head.length < source.size);
    if (first === 'no' || head.length === source.size) return first === 'yes';
    const sample = readAsPython(textOf(source, PYTHON_SAMPLE) ?? text, source.size > PYTHON_SAMPLE);
    if (sample !== 'unclear' || source.size <= PYTHON_SAMPLE) return sample === 'yes';
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
  return settled(source);
};

/** Signs that no statement of Python begins with. */
const NO_STATEMENT = /^\s*[<>)\]},=|&^/:;]/;

/**
 * What a pickle of protocol 0 begins with: the import of a name. To Python its first line is a name that nobody defined
 * (none of its own that begin with a c), at which it ends before anything else is run.
 */
const IMPORT = /^c(?!(?:allable|ase|hr|lass|lassmethod|ompile|omplex|ontinue|opyright|redits)\b)[\w.]+\n[\w.]+\n/;

/** A row of names and numbers. */
const ROW = /^[\w.+,-]+$/;

/**
 * The text without rows of names and numbers between commas: as statements they do nothing and end nothing, and a table of
 * some million cells is more tokens than any source has. A row stays where its last name could be called, or another line
 * goes on in it.
 */
const withoutRows = (text: string): string => {
  const kept: string[] = [];
  let dropped: string | undefined;
  for (const line of text.split('\n')) {
    const bare = line.trim();
    if (bare.includes(',') && ROW.test(bare) && !/\\\s*$/.test(kept.at(-1)?.slice(-8) ?? '')) {
      dropped = line;
      continue;
    }
    if (bare.startsWith('(') && dropped !== undefined) kept.push(dropped);
    if (bare !== '' && !bare.startsWith('#') && !bare.startsWith('\\')) dropped = undefined;
    kept.push(line);
  }
  return kept.join('\n');
};

const settled = (source: RandomAccess): boolean => {
  try {
    const whole = textOf(source, PYTHON_WHOLE);
    if (whole === undefined) return false;
    const answer = readAsPython(withoutRows(whole), source.size > PYTHON_WHOLE);
    return answer === 'yes' || (answer === 'unclear' && source.size > PYTHON_WHOLE && isComment(whole));
  } catch (error) {
    if (isFault(error)) return true;
    throw error;
  }
};

const textOf = (source: RandomAccess, limit: number): string | undefined =>
  headText(source.read(0, Math.min(limit, source.size)), source.size);

/** True when hardly anything but a comment or one string fills the text. */
const isComment = (text: string): boolean => /^\s*(?:#|[rbuRBU]?["'])/.test(text);
