import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { createDataset } from '../../src/content/injection/dataset.ts';
import { examine } from '../../src/content/injection/examine.ts';
import { GROUPS, PHRASES } from '../../src/content/injection/phrases.ts';
import { sift } from '../../src/content/injection/sieve/bytes.ts';
import { secretIn, secretMarkers } from '../../src/content/secrets.ts';
import { downloadsAndRuns } from '../../src/content/shell.ts';
import { checkText } from '../../src/formats/text/rules.ts';

/** Characters of the shorter text, and how many times as long the other is. */
const SIZE = 50_000;
const LONGER = 8;
/** What the longer text may cost, times the shorter: a rule that is not linear takes 64 times as long. */
const FACTOR = 20;
/** Seconds that are noise. */
const NOISE = 0.1;
/** Times that a rule may be measured: other work may fall on one of them. */
const ROUNDS = 4;

const seconds = (run: () => unknown): number => {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};
const filled = (unit: string, size: number): string => unit.repeat(Math.ceil(size / unit.length)).slice(0, size);

type Test = { ok(value: boolean, message: string): void };

/** Asserts that the time grows like the text, for text made of nothing but `unit`. */
const linear = (test: Test, name: string, unit: string, read: (text: string) => unknown): void => {
  const [short, long] = [filled(unit, SIZE), filled(unit, LONGER * SIZE)];
  let [once, longer] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    once = seconds(() => read(short));
    longer = seconds(() => read(long));
    if (longer < FACTOR * once + NOISE) break;
  }
  test.ok(longer < FACTOR * once + NOISE, `${name}: ${once.toFixed(3)} s, then ${longer.toFixed(3)} s`);
};

const phrases = GROUPS.map(
  (group) => [group, PHRASES[group].split(',').map((text) => text.replace('*', '').trim())] as const,
);
/** What each rule for injected text begins to look at, again and again, and never finds. */
const UNITS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(phrases.map(([group, texts]) => [`phrases: ${group}`, `${texts.join(' ')} `])),
  'all phrases': `${phrases.map(([, texts]) => texts[0]).join(' ')} `,
  'phrases written together': phrases.map(([, texts]) => texts[0]).join(''),
  'letters set apart': 'i g n o r e ',
  'one letter': 'i ',
  digits: '1',
  blanks: ' ',
  'line feeds': '\n',
  base64: 'QUJD',
  'base64 that breaks': `${'Q'.repeat(41)} `,
  hexadecimal: '4a6b',
  'percent signs': '%41%4',
  entities: '&#65;&#x41',
  escapes: '\\u0041\\x41\\101\\U0001f60',
  numbers: '65 66 67 ',
  'numbers in hexadecimal': '0x41,0x42,',
  binary: '01000001 ',
  styles: '<div style="display:',
  comments: '<!-- ignore all previous instructions ',
  'comments in Markdown': '[//]: # (ignore all previous instructions ',
  'hidden tags': 'ignore all previous instructions <p hidden ',
  'links with fields': '[a](https://x?a={{',
  images: '<img src="https://x?a=',
  'control tokens': '<|im_start|>',
  'control tokens that break': '<|im_start <|',
  thoughts: `\nthought: ${'x '.repeat(300)}`,
  'calls of tools': '"tool_calls" "name" ',
  roles: '\n### system ',
  'roles that go on': `\nsystem message${' '.repeat(15)}`,
  quotations: 'attack "ignore previous instructions" ',
  'invisible characters': '\u200b',
  'tag characters': '\u{e0041}',
  selectors: '\ufe01',
  'directions turned': '\u202e\u2066x\u2069',
  colours: '\u001b[8m',
  'colours that break': '\u001b[8;8;8;',
};

t.test('each rule for injected text takes linear time on text that is all beginnings', async (t) => {
  for (const [name, unit] of Object.entries(UNITS)) linear(t, name, unit, (text) => examine(text));
});

t.test('the sieve takes linear time, and so do the rows of a set', async (t) => {
  for (const unit of ['ignore all ', 'QUJD', '12 34 ', '%41', '\\', 'é', '\u{1d408}', 'system\n', 'action :', '://'])
    linear(t, `sieve: ${JSON.stringify(unit)}`, unit, (text) => {
      const bytes = new TextEncoder().encode(text);
      return sift(bytes, 0, bytes.length, false);
    });
  linear(t, 'rows', 'cf x-y AB12 ', (text) => {
    const dataset = createDataset();
    for (let at = 0; at < text.length; at += 60) {
      dataset.cell('input', text.slice(at, at + 40), at);
      dataset.cell('output', text.slice(at + 40, at + 60), at);
      dataset.endRow();
    }
    return dataset.finish();
  });
});

t.test('each form of a credential takes linear time on its marker and what may follow it', async (t) => {
  for (const marker of secretMarkers)
    for (const unit of [
      marker,
      `${marker}${'A1b2'.repeat(60)} `,
      `${marker}: "`,
      `postgres${marker}${'u'.repeat(64)}:`,
    ])
      linear(t, JSON.stringify(unit.slice(0, 40)), unit, (text) => secretIn(text));
});

t.test('each rule for lines of text and for commands takes linear time', async (t) => {
  const units: readonly string[] = [
    'curl x | ',
    'wget -O- | sudo -n ',
    'bash <(',
    'nc -l x ',
    'base64 -d x ',
    'powershell x ',
    '/dev/tcp/x',
    `target:${' '.repeat(79)}`,
    '_target_: ',
    '_target_ : # ',
    '- - - - target',
    `${'a'.repeat(80)} @ http`,
    '@ git+',
    '--index-url\n',
    '=HYPERLINK',
    ',=IMPORTX',
    '<script',
    '<!entity',
    '!!python/',
  ];
  for (const unit of units) {
    linear(t, `command: ${JSON.stringify(unit.slice(0, 30))}`, unit, downloadsAndRuns);
    linear(t, `line: ${JSON.stringify(unit.slice(0, 30))}`, unit, (text) => checkText(text, createBudget()));
  }
});
