import { pairsOf } from '../../content/injection/sieve/pairs.ts';
import { createByteLiterals } from '../../content/literals.ts';
import { secretMarkers } from '../../content/secrets.ts';
import { fetchMarkers } from '../../content/shell.ts';

/** Bytes on both sides of a pair in which what it belongs to ends: names of formulas, blanks of three bytes each. */
const AROUND = 48;

/** Addresses that hold a password, where `://` alone would stand in too much text. */
const DATABASES = [
  'mongodb://',
  '+srv://',
  'postgres://',
  'postgresql://',
  'mysql://',
  'mariadb://',
  'redis://',
].concat(['rediss://', 'amqp://', 'amqps://']);
const WITH_CASE = [...fetchMarkers, ...secretMarkers.filter((marker) => marker !== '://'), ...DATABASES];
/** What one of the rules for text (rules.ts) begins with, in any case of letters. */
const ANY_CASE = ['<script', '<iframe', '<object', '<embed', 'javascript:', ' onerror=', ' onload=', '<!entity'].concat(
  [
    '--index',
    '--extra',
    '--find',
    '--trusted',
    '--editable',
    '-i http',
    '-f http',
    '-e http',
    '-r http',
    '@http',
    'http',
  ],
  ['git+', 'hg+', 'svn+', '!!python', '_target_', 'target', 'class_path', 'cmd|', 'dde', 'hyperlink(', 'webservice('],
  ['import'],
);

const escaped = (word: string): string => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const CASED = new RegExp(WITH_CASE.map(escaped).join('|'));
const UNCASED =
  /<script|<iframe|<object|<embed|javascript:| onerror=| onload=|<!entity|--(?:index|extra|find|trusted|editable)|-[ifer] http|@[\s\x80-\xff]{0,12}http|(?:git|hg|svn)\+|!!python|_target_|target["']?[\s\x80-\xff]{0,24}:|class_path|[=+@-](?:cmd\||[A-Z]{0,20}DDE|HYPERLINK\(|WEBSERVICE\(|IMPORT[A-Z]{1,10}\()/i;

/** Bytes on both sides of a pair in which the whole word stands. */
const WORD = 24;

type Tables = { readonly pairs: Uint32Array; readonly stands: ReturnType<typeof createByteLiterals> };
const build = (): Tables => {
  const words = [...WITH_CASE, ...ANY_CASE];
  return { pairs: pairsOf(words), stands: createByteLiterals(words) };
};
let built: Tables | undefined;

/**
 * Whether one of the rules for text (rules.ts) may have something to say about `bytes` of UTF-8: two bytes a look, and
 * the surroundings of what looks like it are read. Too often, never too seldom.
 */
export const mayTell = (bytes: Uint8Array): boolean => {
  built ??= build();
  const { pairs, stands } = built;
  const end = bytes.length;
  let before = 0;
  for (let at = 1; at <= end; at += 2) {
    const bits = pairs[((bytes[at - 1] ?? 0) << 8) | (bytes[at] ?? 0)] ?? 0;
    // HALF and ALONE, written out: in the isolate a constant of another scope is read again for every byte.
    if ((bits & ((before << 15) | 0x40000000)) !== 0) {
      if (stands(bytes, Math.max(0, at - WORD), Math.min(end, at + WORD)) && tells(bytes, at)) return true;
    }
    before = bits & 0x7fff;
  }
  return false;
};

const tells = (bytes: Uint8Array, at: number): boolean => {
  const around = bytes.subarray(Math.max(0, at - AROUND), at + AROUND);
  const text: string = Reflect.apply(String.fromCharCode, null, around);
  return CASED.test(text) || UNCASED.test(text);
};
