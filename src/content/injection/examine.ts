import { bitOf, groupsIn } from './automaton.ts';
import { decodings, mayBeEncoded } from './encoded.ts';
import { signsOfHidden } from './hidden.ts';
import { type Hit, hitsIn } from './hits.ts';
import { hasInvisible, signsOfInvisible } from './invisible.ts';
import { signsOfLinks } from './links.ts';
import { signsOfSentences } from './sentences.ts';
import { mayOrder } from './sets.ts';
import { mustRead } from './sieve/text.ts';
import { signsOfTokens } from './tokens.ts';
import { judge, ORDER, type Sign, type Verdict } from './verdict.ts';

/** Characters of a text that are read together, and that are read again with the next piece. */
const PIECE = 16 * 1024;
const OVERLAP = 1024;
/** The shortest order there is: a verb and an object in Chinese. */
const SHORTEST = 6;

const MIRRORED = bitOf('mirrored');
const ROTATED = bitOf('rotated');

/** What `text` says to a model, or nothing; `about` when what surrounds it speaks about such texts. Most text is told to be harmless by one look a letter. */
export const examine = (text: string, about = false): Verdict | undefined => {
  if (text.length < SHORTEST || !mustRead(text)) return undefined;
  if (text.length <= PIECE) return examinePiece(text, about);
  let worst: Verdict | undefined;
  for (let at = 0; at < text.length; at += PIECE - OVERLAP) {
    const verdict = examinePiece(text.slice(at, at + PIECE), about);
    if (verdict !== undefined && (worst === undefined || verdict.score > worst.score)) worst = verdict;
  }
  return worst;
};

/** What every turn of a chat or an agent begins with, whatever the format. */
const TURNS = /[<[]|(?:^|\n)[ \t]{0,8}(?:#|```|\*|system|admin|developer|root|action)|[Aa]ction:|"name"/i;
/** Terminal colours, written or as bytes: spaces of the same length, so that no word hangs on to them. */
const COLOURS = /(?:\x1b|\\u001b|\\x1b|\\033|\\e)\[[0-9;]{0,20}[a-zA-Z]/gi;
const uncoloured = (text: string): string =>
  text.includes('\x1b') || text.includes('\\') ? text.replace(COLOURS, (found) => ' '.repeat(found.length)) : text;

const examinePiece = (written: string, about: boolean): Verdict | undefined => {
  const text = uncoloured(written);
  const groups = groupsIn(text);
  const spoken = mayOrder(groups);
  const marked = text.includes('](') || text.includes('src=');
  const tokens = TURNS.test(text) ? signsOfTokens(text) : [];
  const unseen = hasInvisible(text);
  const encoded = mayBeEncoded(text);
  if (!spoken && !marked && tokens.length === 0 && !unseen && !encoded) return undefined;

  const hits = spoken ? hitsIn(text) : [];
  const plain: Sign[] = [...(spoken ? signsOfSentences(text, hits) : []), ...(marked ? signsOfLinks(text) : [])];
  const { signs: invisible, texts } = unseen ? signsOfInvisible(text) : { signs: [], texts: [] };
  const deeper = [
    ...texts,
    ...(encoded || spoken
      ? decodings(text, { rotated: (groups & ROTATED) !== 0, mirrored: (groups & MIRRORED) !== 0 })
      : []),
  ];
  const signs = [
    ...plain,
    ...tokens.filter(({ weight }) => weight > 0),
    ...invisible,
    ...signsOfHidden(written, plain),
    ...(deeper.some(saysMoreThan(plain))
      ? [{ family: 'encoded' as const, weight: 3, start: 0, end: text.length }]
      : []),
  ];
  if (signs.length === 0) return undefined;
  return judge(text, signs, isDiscussed(text, spoken || about ? hits : hitsIn(text), signs, about));
};

/** Whether a decoded text has signs that the text as it stands has not. */
const saysMoreThan =
  (known: readonly Sign[]) =>
  (decoded: string): boolean => {
    const groups = groupsIn(decoded);
    if (!mayOrder(groups)) return false;
    const found = signsOfSentences(decoded, hitsIn(decoded)).filter(({ weight }) => weight > 0);
    const families = new Set(known.map(({ family }) => family));
    return found.some(({ family, weight }) => !families.has(family) && (weight >= ORDER || family === 'extraction'));
  };

/** Characters around a passage in which quotation marks and introductions stand. */
const AROUND = 48;
const OPENED = /(?:["'“”«»„‘`]|```\w{0,20}\s)[^"'“”«»„`\n]{0,40}$/;
const CLOSED = /^[^\n]{0,240}?["'“”«»„’`]/;
const INTRODUCED =
  /\b(?:such as|e\.g\.|for example|for instance|example|examples|like|phrases?|called|saying|says?|writes?|typing|types?|inputs?|strings?|prompts?|payloads?|attempts?|text)\b[^.!?\n]{0,24}$/i;

/** Whether the text is about such orders, and every passage is quoted or given as an example. */
const isDiscussed = (text: string, hits: readonly Hit[], signs: readonly Sign[], about: boolean): boolean => {
  if (!about && !hits.some(({ group }) => group === 'talk')) return false;
  return signs
    .filter(({ family }) => family !== 'disguised' && family !== 'hidden')
    .every(({ family, start, end }) => {
      if (family === 'invisible text' || family === 'encoded') return false;
      const before = text.slice(Math.max(0, start - AROUND), start);
      const behind = text.slice(end, end + 260);
      return (OPENED.test(before) && CLOSED.test(behind)) || INTRODUCED.test(before);
    });
};
