import type { Sign } from './verdict.ts';

/** Characters of a hidden passage that are looked at. */
const PASSAGE = 4000;
/** Passages of one text. */
const MOST = 500;

/** How text is hidden from people: the mark that begins it, the one that ends it. */
const WAYS: readonly (readonly [begins: RegExp, ends: string])[] = [
  [/<!--/g, '-->'],
  [/\[(?:\/\/|comment|hidden|_metadata_:[^\]\n]{0,80})\]:\s{0,4}(?:#|<>)/gi, '\n'],
  [
    /<[a-z][a-z0-9]{0,15}\s[^>]{0,300}(?:display\s{0,4}:\s{0,4}none|visibility\s{0,4}:\s{0,4}hidden|opacity\s{0,4}:\s{0,4}0(?:[^.\d]|\.0)|font-size\s{0,4}:\s{0,4}[01](?:px|pt|em|rem|%)?\s{0,4}[;"']|color\s{0,4}:\s{0,4}(?:white|#fff(?:fff)?|transparent)\b|text-indent\s{0,4}:\s{0,4}-\d{3}|left\s{0,4}:\s{0,4}-\d{4})[^>]{0,300}>/gi,
    '</',
  ],
  [/<[a-z][a-z0-9]{0,15}\s(?:[^>]{0,300}\s)?(?:hidden|aria-hidden=["']true["'])(?:\s[^>]{0,300})?>/gi, '</'],
  [/(?:\x1b|\\u001b|\\x1b|\\033|\\e)\[(?:\d{1,3};){0,8}8m/gi, '[0m'],
  [/\$\\(?:phantom|color\{white\})\{/g, '}'],
];
const MARKS = ['<!--', '<', ']:', '[8', ';8m', '\\phantom', '\\color'];

type Passage = { readonly start: number; readonly end: number };

const passagesOf = (text: string): Passage[] => {
  if (!MARKS.some((mark) => text.includes(mark))) return [];
  const passages: Passage[] = [];
  for (const [begins, ends] of WAYS) {
    begins.lastIndex = 0;
    for (let found = begins.exec(text); found !== null && passages.length < MOST; found = begins.exec(text)) {
      const start = found.index + found[0].length;
      const close = text.slice(start, start + PASSAGE).indexOf(ends);
      passages.push({ start: found.index, end: close < 0 ? Math.min(text.length, start + PASSAGE) : start + close });
      begins.lastIndex = Math.max(start, passages.at(-1)?.end ?? start);
    }
  }
  return passages;
};

/** A sign for each passage that people do not see and in which one of `signs` stands. Plain comments are no sign. */
export const signsOfHidden = (text: string, signs: readonly Sign[]): Sign[] => {
  if (signs.length === 0) return [];
  return passagesOf(text)
    .filter(({ start, end }) => signs.some((sign) => sign.start >= start && sign.start < end))
    .map(({ start, end }) => ({ family: 'hidden', weight: 2, start, end }));
};
