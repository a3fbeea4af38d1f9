/** Letters of other scripts that look like Latin ones (Unicode confusables, those seen in words). */
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  [...'аaеeоoрpсcуyхxіiјjѕsԁdԛqԝwһhгrтtкkмmнhвbοoαaεeιiρpτtυuκkνvχx'].flatMap((letter, index, all) =>
    index % 2 === 0 ? [[letter, all[index + 1] ?? letter] as const] : [],
  ),
);
/** Digits and signs that stand for letters inside a word. */
const DIGITS: ReadonlyMap<string, string> = new Map(
  [...'0o1i3e4a5s7t@a$s'].flatMap((sign, index, all) =>
    index % 2 === 0 ? [[sign, all[index + 1] ?? sign] as const] : [],
  ),
);
const TAG = 0xe0000;
/** The black flag begins a flag of a region, whose name is spelled in tag characters. */
const FLAG = 0x1f3f4;

const isInvisible = (code: number): boolean =>
  (code >= 0x200b && code <= 0x200f) ||
  (code >= 0x202a && code <= 0x202e) ||
  (code >= 0x2060 && code <= 0x2069) ||
  code === 0xfeff ||
  code === 0xad;

/** Text written in tag characters, which no one sees; empty when there is none outside flags. */
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

/** Whether anything in `text` could be a disguise at all: most text is told to be plain by this alone. */
const isPlain = (text: string): boolean =>
  !/[^\x20-\x7e\n\r\t]|[a-zA-Z][013457@$]|[013457@$][a-zA-Z]|\b[a-zA-Z] [a-zA-Z] [a-zA-Z] /.test(text);

/**
 * `text` as a reader sees it in spite of look-alike letters, invisible characters, terminal colours, digits for letters
 * and letters set apart; the same text when nothing of that is in it. Linear.
 */
export const undisguised = (text: string): string => {
  if (isPlain(text)) return text;
  let out = '';
  for (const letter of text.normalize('NFKC').toLowerCase()) {
    if (!isInvisible(letter.codePointAt(0) ?? 0)) out += LOOKALIKES.get(letter) ?? letter;
  }
  const uncoloured = out.replace(/\x1b\[[0-9;]{0,20}[a-z]/g, '').replace(/\\u001b\[[0-9;]{0,20}[a-z]/g, '');
  return joined(uncoloured.split(' ').map(withLetters).join(' '));
};

const withLetters = (word: string): string =>
  /[a-z]/.test(word) && /[013457@$]/.test(word)
    ? [...word].map((letter) => DIGITS.get(letter) ?? letter).join('')
    : word;

/** `i g n o r e   a l l` becomes `ignore all`: single letters apart by one space, words by more. */
const joined = (text: string): string =>
  text
    .split(/ {2,8}/)
    .map(withoutGaps)
    .join(' ');

/** Fewer single letters in a row than this are initials, answers or variables. */
const ROW = 3;

const withoutGaps = (part: string): string => {
  const out: string[] = [];
  let row: string[] = [];
  const close = (): void => {
    out.push(...(row.length >= ROW ? [row.join('')] : row));
    row = [];
  };
  for (const word of part.split(' ')) {
    if (word.length === 1) {
      row.push(word);
      if (row.length < WORD) continue;
    }
    close();
    if (word.length !== 1) out.push(word);
  }
  close();
  return out.join(' ');
};

/** Letters of a word that is worth joining; bounds the row. */
const WORD = 60;
