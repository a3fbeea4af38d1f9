import type { Sign } from './verdict.ts';

/** A quick look: whether anything that no one sees is in a text at all. */
const ANY = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\ufe00-\ufe0f]|\udb40/;
const TAG = 0xe0000;
/** The black flag begins a flag of a region, whose name is spelled in tag characters. */
const FLAG = 0x1f3f4;
/** Tag characters that spell something, selectors and other marks in a row that hold bytes: a few may be strays. */
const TAGS = 8;
const SELECTORS = 8;
const MARKS = 24;

/** Whether `text` has characters that no one sees. */
export const hasInvisible = (text: string): boolean => ANY.test(text);

/** Text written in tag characters; empty when there is none outside flags. */
export const tagText = (text: string): string => {
  let out = '';
  let flag = false;
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (code === FLAG) flag = true;
    else if (code <= TAG || code > TAG + 0x7f) flag = false;
    else if (!flag && code >= TAG + 0x20) out += String.fromCharCode(code - TAG);
  }
  return out;
};

const isSelector = (code: number): boolean =>
  (code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0100 && code <= 0xe01ef);
const isMark = (code: number): boolean =>
  code === 0x200b ||
  code === 0x200c ||
  code === 0x200d ||
  code === 0x2060 ||
  code === 0x2061 ||
  code === 0x2062 ||
  code === 0x2063 ||
  code === 0x2064 ||
  code === 0xfeff ||
  code === 0x200e ||
  code === 0x200f;

/** The bytes that a row of variation selectors spells, as text (each stands for one byte). */
const selected = (codes: readonly number[]): string =>
  codes.map((code) => String.fromCharCode(code >= 0xe0100 ? code - 0xe0100 + 16 : code - 0xfe00)).join('');

/** Embeddings, overrides and isolates of direction, and what ends each (Unicode TR 9). */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;
/** Whether the direction of text is turned and not turned back within its line, so that it reads other than it stands. */
const isTurned = (text: string): boolean => {
  if (!/[\u202d\u202e\u2066-\u2068]/.test(text)) return false;
  return text.split(/[\n\u2029]/).some((line) => {
    let embedded = 0;
    let isolated = 0;
    for (const [mark] of line.matchAll(TURNS)) {
      const code = mark.charCodeAt(0);
      if (code === 0x202c) embedded = Math.max(0, embedded - 1);
      else if (code === 0x2069) isolated = Math.max(0, isolated - 1);
      else if (code < 0x2066) embedded += 1;
      else isolated += 1;
    }
    return embedded + isolated > 0;
  });
};

/** Signs of text that no one sees, and the texts that it spells. Linear. */
export const signsOfInvisible = (text: string): { signs: Sign[]; texts: string[] } => {
  if (!hasInvisible(text)) return { signs: [], texts: [] };
  const signs: Sign[] = [];
  const texts: string[] = [];
  const whole = { family: 'invisible text' as const, start: 0, end: text.length };
  // Alone it may be a mistake of an editor; beside an order it hides one.
  if (isTurned(text)) signs.push({ ...whole, weight: 1 });
  const tags = tagText(text);
  if (tags.length >= TAGS) {
    signs.push({ ...whole, weight: 3 });
    texts.push(tags);
  }
  let selectors: number[] = [];
  let marks = 0;
  let longest = 0;
  let spelled: readonly number[] = [];
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (isSelector(code)) selectors.push(code);
    else {
      if (selectors.length > spelled.length) spelled = selectors;
      if (selectors.length > 0) selectors = [];
    }
    marks = isMark(code) ? marks + 1 : 0;
    longest = Math.max(longest, marks);
  }
  if (selectors.length > spelled.length) spelled = selectors;
  if (spelled.length >= SELECTORS) {
    signs.push({ ...whole, weight: 3 });
    texts.push(selected(spelled));
  }
  if (longest >= MARKS) signs.push({ ...whole, weight: 3 });
  return { signs, texts };
};
