import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../src/bytes/random-access.ts';
import { withoutEscapes } from '../../src/content/python/escapes.ts';
import { inspect } from '../../src/formats/index.ts';
import { unescaped } from '../../src/formats/pickle/escapes.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const repeated = (unit: string, size: number): string => unit.repeat(Math.ceil(size / unit.length));

/** Seconds of processor that reading takes. */
const seconds = (run: () => unknown): number => {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};

/** How many times as long the second file is, what it may cost times the first, and the seconds that are noise. */
const LONGER = 8;
const FACTOR = 20;
const NOISE = 0.1;
const SIZE = 50_000;
/** Times that one is measured: other work may fall on one of them. */
const ROUNDS = 4;

/** Files of about so many bytes, each of one thing again and again. */
const MAKERS: Readonly<Record<string, (size: number) => string>> = {
  'a pickle of text that is one escaped literal': (size) => `(dp0\nS'a'\np1\nS'${repeated('\\x00a\\n', size)}'\np2\ns.`,
  'a pickle of text with many lines': (size) => `(lp0\n${repeated('I12345\naF1.5\naVword\\u4e2d\nag0\na', size)}.`,
  'many pickles in one file': (size) => repeated('I1\n.', size / 8),
  'a pickle of nested lists': (size) => `\x80\x02${repeated(']', size / 2)}${repeated('a', size / 2 - 1)}.`,
  'Python with one literal of escapes': (size) => `import os\nx = "${repeated('\\x41\\u0042', size)}"\n`,
  'Python with one long chain': (size) => `import os\nx = a${repeated('.b()', size)}\n`,
  'XML of comments': (size) => `<?xml version="1.0"?><a>${repeated('<!-- a -->', size)}</a>`,
  'a table of many columns': (size) => `${repeated('c,', size / 4)}\n`.repeat(4),
  'a table with quotes that never match': (size) => `id,text\n${repeated('"a","b\n', size)}`,
  'markup of tags that never end': (size) => `<!doctype html><html>${repeated('<a', size)}`,
  'a template of one expression': (size) => `{{ ${repeated('a + ', size)}a }}`,
  'a document of numbers': (size) => `[${repeated('1.5,', size)}1]`,
};

t.setTimeout(200_000);

t.test('the time to inspect a file grows like the file', async (t) => {
  for (const [name, make] of Object.entries(MAKERS)) {
    const [short, long] = [fromBytes(bytes(make(SIZE))), fromBytes(bytes(make(LONGER * SIZE)))];
    let [once, longer] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      once = seconds(() => inspect(short));
      longer = seconds(() => inspect(long));
      if (longer < FACTOR * once + NOISE) break;
    }
    t.ok(longer < FACTOR * once + NOISE, `${name}: ${once.toFixed(3)} s, then ${longer.toFixed(3)} s`);
  }
});

t.test('a file of many small pickles is read a few times, not once for each of them', async (t) => {
  const file = bytes('I1\n.'.repeat(20_000));
  let [calls, read] = [0, 0];
  const counted: RandomAccess = {
    size: file.length,
    read(offset, length) {
      calls += 1;
      read += length;
      return fromBytes(file).read(offset, length);
    },
  };
  const report = inspect(counted);
  t.same([report.format, report.coverage.state, report.details?.['streams']], ['pickle', 'complete', 20_000]);
  t.ok(calls < 2000, `${calls} reads`);
  t.ok(read < 64 * MIB, `${read} bytes`);
});

t.test('tables of millions of cells and documents of one line are no Python, code behind rows is', async (t) => {
  const rows = repeated('1,cat,dog\n2,cow,0.5\n', 6 * MIB);
  for (const [name, text, format] of [
    ['a table', `id,name,other\n${rows}`, 'text'],
    ['a document in one line', `<?xml version="1.0"?><a>${repeated('<b>c</b>', 3 * MIB)}</a>`, 'xml'],
  ] as const) {
    const report = inspect(fromBytes(bytes(text)));
    t.same([report.format, report.content, report.coverage.state], [format, 'inert', 'complete'], name);
  }
  const preface = repeated('1,cat,dog\n', 70_000);
  for (const code of [
    'import os\n',
    '[1,exec\n("x")]\n',
    '[\na,exec\n# c\n\n("x")]\n',
    'x = f\\\n,g("x")\n',
    'x=1,f(\n1,2\n)\n',
  ])
    t.equal(inspect(fromBytes(bytes(preface + code))).format, 'python', code);
});

t.test('escapes are decoded as Python does, in one pass from left to right', async (t) => {
  const literals = [
    ['a\\x41\\101\\7z', 'aAA\x07z'],
    ['\\\\x41', '\\x41'],
    ['\\x5cx41', '\\x41'],
    ['\\q\\\n\\n', '\\q\n'],
    ['\\777', '\xff'],
    ['\\08', '\x008'],
  ] as const;
  for (const [written, meant] of literals) t.equal(Buffer.from(unescaped(bytes(written))).toString('latin1'), meant);
  for (const broken of ['\\', '\\x', '\\x4', '\\xg0', 'a\\x4g'])
    t.throws(() => unescaped(bytes(broken)), { code: 'FORMAT_INVALID' }, broken);
  const sources = [
    ['\\x6fs', 'os'],
    ['\\u006fs\\U0000006f', 'oso'],
    ['\\U0001f600', '\u{1f600}'],
    ['\\157s', 'os'],
    ['\\\\x6f', '\\\\x6f'],
    ['o\\\ns o\\\r\ns', 'os os'],
    ['\\n\\N{DIGIT ONE}\\x4', '\\n\\N{DIGIT ONE}\\x4'],
    ['\\x5cx41', '\\x41'],
    ['\\U00110000', '\\U00110000'],
    ['end\\', 'end\\'],
  ] as const;
  for (const [written, meant] of sources) t.equal(withoutEscapes(written), meant, written);
});
