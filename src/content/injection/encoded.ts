/** Characters of a run that may hold a sentence in base64, hexadecimal, escapes or percent signs. */
const RUN = 40;
/** Characters of one run that are decoded, and runs of one text. */
const DECODED = 64 * 1024;
const RUNS = 64;

/** Class of a unit: 1 may stand in base64. */
const BASE64 = new Uint8Array(128);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=')
  BASE64[letter.charCodeAt(0)] = 1;
const SIX_BITS = new Int16Array(128).fill(-1);
for (const [index, letter] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries())
  SIX_BITS[letter.charCodeAt(0)] = index;
SIX_BITS[0x2d] = 62;
SIX_BITS[0x5f] = 63;

const isRunUnit = (unit: number): boolean => unit < 128 && BASE64[unit] === 1;

/** Runs of at least RUN units without a space. Looks at every RUN-th unit and around it only. */
export const longRuns = (text: string): string[] => {
  const runs: string[] = [];
  let at = RUN - 1;
  while (at < text.length && runs.length < RUNS) {
    let start = at;
    while (start >= 0 && at - start < RUN && isRunUnit(text.charCodeAt(start))) start -= 1;
    if (at - start < RUN - 1) {
      at = start + RUN;
      if (start === at - RUN && at === RUN - 1) at += 1;
      continue;
    }
    while (start >= 0 && isRunUnit(text.charCodeAt(start))) start -= 1;
    let end = at + 1;
    while (end < text.length && isRunUnit(text.charCodeAt(end))) end += 1;
    if (end - start - 1 >= RUN) runs.push(text.slice(start + 1, Math.min(end, start + 1 + DECODED)));
    at = end + RUN;
  }
  return runs;
};

/** Bytes as text when most of it is printable; UTF-8 with mistakes passed over. */
const readable = (bytes: readonly number[]): string | undefined => {
  let text = '';
  let wrong = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) {
      if (byte < 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) wrong += 1;
      text += String.fromCharCode(byte);
      continue;
    }
    const more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0;
    let point = byte & (0x3f >> more);
    for (let next = 1; next <= more; next++) point = (point << 6) | ((bytes[at + next] ?? 0) & 0x3f);
    if (more === 0 || ((bytes[at + 1] ?? 0) & 0xc0) !== 0x80 || point > 0x10ffff) {
      wrong += 1;
      continue;
    }
    text += String.fromCodePoint(point);
    at += more;
  }
  return wrong * 10 <= bytes.length && text.length > 8 ? text : undefined;
};

const base64Bytes = (run: string): number[] => {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (let at = 0; at < run.length; at++) {
    const value = SIX_BITS[run.charCodeAt(at)] ?? -1;
    if (value < 0) continue;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return bytes;
};

const base32Bytes = (run: string): number[] => {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const letter of run.replace(/=+$/, '')) {
    held = ((held << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter)) & 0xffff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
  }
  return bytes;
};

const hexBytes = (run: string): number[] => {
  const bytes: number[] = [];
  for (let at = 0; at + 1 < run.length; at += 2) bytes.push(Number.parseInt(run.slice(at, at + 2), 16));
  return bytes;
};

const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  colon: ':',
  comma: ',',
  period: '.',
  excl: '!',
  sol: '/',
  Tab: '\t',
  NewLine: '\n',
};

const point = (digits: string, base: number): string => {
  const code = Number.parseInt(digits, base);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
};

const percentDecoded = (text: string): string =>
  text.replace(/(?:%[0-9a-fA-F]{2}){1,4000}/g, (run) => readable(hexBytes(run.replaceAll('%', ''))) ?? latin(run));
const latin = (run: string): string =>
  run.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));

/** Letters moved by thirteen places. */
const rotated = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => {
    const first = letter <= 'Z' ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - first + 13) % 26) + first);
  });

/** Three numbers in a row: letters in ASCII begin with a digit in every base. */
const NUMBERS = /\d[0-9a-fA-F]{1,7}[\s,;]{1,2}(?:0x)?\d[0-9a-fA-F]{1,7}[\s,;]{1,2}(?:0x)?\d[0-9a-fA-F]{1,7}[\s,;]/;
/** Numbers that stand for characters: decimal, hexadecimal with spaces, or binary. */
const spelledInNumbers = (text: string): string[] =>
  [...text.matchAll(/(?:\b(?:0x)?[0-9a-fA-F]{2,3}(?:[\s,;]{1,2}|$)){12,2000}|(?:\b[01]{8}(?:[\s,]{1,2}|$)){12,2000}/g)]
    .slice(0, RUNS)
    .flatMap(([run]) => {
      const words = run
        .trim()
        .split(/[\s,;]+/)
        .map((word) => word.replace(/^0x/, ''));
      const base = words.every((word) => /^[01]{8}$/.test(word))
        ? 2
        : words.every((word) => /^\d{2,3}$/.test(word))
          ? 10
          : 16;
      return [readable(words.map((word) => Number.parseInt(word, base) & 0xff)) ?? ''];
    });

/** What `text` says one level of decoding further; only what could be a sentence. `rotate` and `mirror` come from hints. */
export const decodings = (text: string, hints: { readonly rotated: boolean; readonly mirrored: boolean }): string[] => {
  const out: string[] = [];
  for (const run of longRuns(text)) {
    if (/^[0-9a-fA-F]+$/.test(run)) out.push(readable(hexBytes(run)) ?? '');
    else {
      if (/^[A-Z2-7]+=*$/.test(run)) out.push(readable(base32Bytes(run)) ?? '');
      out.push(readable(base64Bytes(run)) ?? '');
    }
  }
  if (/%[0-9a-fA-F]{2}[^%]{0,3}%[0-9a-fA-F]{2}/.test(text)) out.push(percentDecoded(text));
  if (/&#x?[0-9a-fA-F]{2,6};/.test(text)) {
    out.push(
      text
        .replace(/&#(\d{2,7});/g, (_, digits: string) => point(digits, 10))
        .replace(/&#x([0-9a-fA-F]{2,6});/gi, (_, digits: string) => point(digits, 16))
        .replace(/&(\w{2,8});/g, (all, name: string) => NAMED[name] ?? all),
    );
  }
  if (/\\u\{?[0-9a-fA-F]{2,6}|\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}|\\[0-7]{3}/.test(text)) {
    out.push(
      text
        .replace(
          /\\u\{?([0-9a-fA-F]{4,6})\}?|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})/g,
          (_, a?: string, b?: string, c?: string) => point((a ?? b ?? c ?? '').slice(-6), 16),
        )
        .replace(/\\([0-7]{3})/g, (_, digits: string) => point(digits, 8)),
    );
  }
  if (NUMBERS.test(text)) out.push(...spelledInNumbers(text));
  if (hints.rotated) out.push(rotated(text));
  if (hints.mirrored || text.includes('\u202e')) out.push([...text].reverse().join(''));
  return out.filter((decoded) => decoded !== '' && decoded !== text);
};

/** Whether `text` has anything that `decodings` would decode without a hint. Cheap: asked of every text. */
export const mayBeEncoded = (text: string): boolean =>
  text.includes('&#') ||
  text.includes('\\x') ||
  text.includes('\\u') ||
  text.includes('\\U') ||
  (text.includes('%') && /%[0-9a-fA-F]{2}[^%]{0,3}%[0-9a-fA-F]{2}/.test(text)) ||
  longRuns(text).length > 0 ||
  NUMBERS.test(text);
