import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { isItalianId, passesLuhn } from '../../src/content/personal/checks.ts';
import { NOTHING, personalIn } from '../../src/content/personal/count.ts';
import { inspect } from '../../src/formats/index.ts';
import { columnSamples } from '../support/columns-samples.ts';

/** Numbers that issuers publish for tests, or that were made for this one: nobody's. */
const PERSONAL: Readonly<Record<string, readonly string[]>> = {
  email: ['write to jane.doe+list@mail.acme.co.uk today', 'Max@Muster-Firma.de', 'a@b.io, and more'],
  phone: [
    '+49 30 901820',
    '+1 (212) 736-5000',
    'call (212) 736-5000.',
    '212-736-5000',
    '+33 1 40 20 50 50',
    '+86 138 0013 8000',
  ],
  card: ['4111 1111 1111 1111', '5555555555554444', '3782 822463 10005', 'paid with 6011-1111-1111-1117.'],
  iban: [
    'DE89 3704 0044 0532 0130 00',
    'GB82WEST12345698765432',
    'NL91 ABNA 0417 1643 00',
    'FR1420041010050500013M02606',
  ],
  nationalId: [
    '529.982.247-25',
    '12345678Z',
    'X1234567L',
    '44051401359',
    'RSSMRA85T10A562S',
    '131052-308T',
    '811228-9874',
    '11010519491231002X',
    '255081416802538',
    '536-90-4399',
  ],
};

/** What looks like it and is not: other check digits, versions, hashes, prices, placeholders. */
const IMPERSONAL = [
  'user@example.com and me@test.invalid, icon@2x.png',
  'decorators such as @app.route and a@b',
  '4111 1111 1111 1112 and 1234567812345678, 0000 0000 0000 0000',
  'DE88 3704 0044 0532 0130 00, XX00 1234 1234 1234 1234',
  '529.982.247-24, 12345678A, 44051401358, 131052-308U, 811228-9875, 11010519491231002Y, 000-12-3456, 123-45-6789',
  '2024-11-23T17:48:10Z 1.2.3.4 10.0.0.1:8080 0x4111111111111111 3.141592653589793 1700000000000',
  'sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'f47ac10b-58cc-4372-a567-0e02b2c3d479 ISBN 978-3-16-148410-0 192.168.100.200 12,345,678.90',
  '+111111111111 and 000-000-0000000',
  'const x = [529982247, 44051401, 811228];',
];

t.test('personal data is counted by kind', async (t) => {
  for (const [kind, texts] of Object.entries(PERSONAL))
    for (const text of texts) t.same(personalIn(`Text: ${text}`), { ...NOTHING, [kind]: 1 }, `${kind}: ${text}`);
  t.match(personalIn('jane@acme.io and joe@acme.io, 4111111111111111'), { email: 2, card: 1 });
});

t.test('numbers with wrong check digits, versions, hashes and placeholders are not', async (t) => {
  for (const text of IMPERSONAL) t.same(personalIn(text), NOTHING, text);
  t.ok(passesLuhn('79927398713'));
  t.notOk(passesLuhn('79927398710'));
  t.notOk(isItalianId('RSSMRA85T10A562T'));
});

t.test('of random digits hardly any pass', async (t) => {
  let state = 12345;
  const digit = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 16) % 10;
  };
  const number = (length: number): string => Array.from({ length }, digit).join('');
  let found = 0;
  for (let tries = 0; tries < 3000; tries++) {
    const { card, iban, nationalId } = personalIn(`${number(9)} ${number(16)} ${number(11)} ${number(13)}`);
    found += card + iban + nationalId;
  }
  t.ok(found < 150, `${found} of 12000 numbers`);
});

t.test('the forms take linear time at their worst', async (t) => {
  for (const unit of [
    '1',
    '1 ',
    '+1',
    '+1 2',
    '1-',
    'a@',
    'a.a@a.',
    '@a-',
    'DE12 3456 ',
    'ABCDEF12A34',
    '(123) ',
    '1234 ',
  ])
    for (const size of [300_000]) {
      const text = unit.repeat(size / unit.length);
      const start = process.cpuUsage();
      personalIn(text);
      const { user } = process.cpuUsage(start);
      t.ok(user < 2_000_000, `${JSON.stringify(unit)}: ${user / 1e6} s`);
    }
});

const bytes = (text: string) => fromBytes(new TextEncoder().encode(text));
const rows = Array.from({ length: 40 }, (_, row) => ({
  id: row,
  note: row % 4 === 0 ? `mail p${row}@acme.io` : 'none',
}));
const jsonl = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const csv = `id,note,iban\n${rows.map(({ id, note }) => `${id},${note},DE89370400440532013000\n`).join('')}`;

t.test('a data set is counted by column when that is switched on, and only then', async (t) => {
  for (const text of [jsonl, csv, JSON.stringify(rows)]) {
    t.same(inspect(bytes(text)).findings, [], 'off by default');
    const { findings } = inspect(bytes(text), { personalData: true });
    t.match(findings[0], {
      rule: 'dataset.personal-data',
      severity: 'low',
      message: 'note: 10 e-mail addresses, in 10 cells',
      evidence: 'email=10',
    });
    t.equal(findings.length, text === csv ? 2 : 1);
    t.notMatch(JSON.stringify(findings), /acme|3704/, 'never what was counted');
  }
  const many = `${jsonl.repeat(600)}`;
  t.match(
    inspect(bytes(many), { personalData: true }).findings[0],
    { evidence: 'email=6000' },
    'every row, not a sample',
  );
  const prose = inspect(bytes('Dear all,\n\nwrite to jane@acme.io please.\n'), { personalData: true });
  t.match(prose.findings, [{ rule: 'dataset.personal-data', message: /^text: 1 e-mail/ }]);
  for (const [name, sample] of Object.entries(columnSamples))
    if (name !== 'brotli')
      t.notOk(
        inspect(fromBytes(sample), { personalData: true }).findings.some(({ rule }) => rule.startsWith('dataset.')),
      );
});

const address = (row: number): string => `https://images.site${row % 7}.net/${row}.jpg`;
const listed = (more: (row: number) => object): string =>
  Array.from(
    { length: 60 },
    (_, row) => `${JSON.stringify({ url: address(row), caption: `A cat, ${row}`, ...more(row) })}\n`,
  ).join('');
const said = (text: string): readonly string[] =>
  inspect(bytes(text)).findings.map(({ rule, severity }) => `${rule} ${severity}`);

t.test('a list of addresses without digests is told in every form of table', async (t) => {
  const rule = ['dataset.url-list-without-hash low'];
  t.same(said(listed(() => ({}))), rule, 'JSON Lines');
  t.same(said(listed(() => ({ width: 100, similarity: 0.3 }))), rule, 'other numbers');
  t.same(
    said(`url,caption\n${Array.from({ length: 60 }, (_, row) => `${address(row)},cat ${row}\n`).join('')}`),
    rule,
    'CSV',
  );
  t.same(said(Array.from({ length: 60 }, (_, row) => `${address(row)}\n`).join('')), rule, 'one a line');
  t.same(
    said(`[${Array.from({ length: 60 }, (_, row) => JSON.stringify({ image: address(row) })).join(',')}]`),
    rule,
    'JSON',
  );
  t.match(inspect(bytes(listed(() => ({})))).findings[0]?.message, /^url: 60 of 60 cells are addresses/);
});

t.test('digests, data that is there, and a few links are no such list', async (t) => {
  const hex = (row: number, length: number): string =>
    (row * 7919 + 1e6).toString(16).padStart(length, '0a1b2c3d4e5f6789'.repeat(8));
  t.same(said(listed((row) => ({ sha256: hex(row, 64) }))), []);
  t.same(said(listed((row) => ({ md5: hex(row, 32) }))), []);
  t.same(said(listed((row) => ({ phash: row * 977 }))), [], 'a perceptual hash as a number');
  t.same(said(listed((row) => ({ content: hex(row, 40) }))), [], 'a digest under another name');
  t.same(
    said(listed(() => ({ text: 'The page itself, as it was when it was read. '.repeat(12) }))),
    [],
    'the text is there',
  );
  t.same(said(listed((row) => ({ integrity: `sha512-${'Ab1/'.repeat(20)}${row}` }))), []);
  t.same(
    said(
      listed(() => ({}))
        .split('\n')
        .slice(0, 9)
        .join('\n'),
    ),
    [],
    'too few to tell',
  );
  t.same(
    said(`# Links\n\n${Array.from({ length: 60 }, (_, row) => `- [cat ${row}](${address(row)})\n`).join('')}`),
    [],
  );
  const people = { contributors: Array.from({ length: 60 }, (_, row) => ({ name: `P${row}`, url: address(row) })) };
  t.same(said(JSON.stringify(people)), [], 'a document about something else');
});
