import t from 'tap';
import { fromBytes, type RandomAccess } from '../../src/bytes/random-access.ts';
import { inspect } from '../../src/formats/index.ts';
import { assemble, callForms, pickled, text } from '../support/pickle-assembler.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations } from '../support/reports.ts';
import { writeZip, type ZipEntry } from '../support/zip-writer.ts';

const HARMLESS = 'a,b\n1,2\n3,4\n';
/** A pickle that would make an empty marker file; built from opcodes, never loaded. */
const HOSTILE = pickled(4, callForms['reduce']?.('os', 'system', [text('true')]) ?? '');
const rulesOf = (content: Uint8Array) => rules(reportOf(content));
const one = (entry: Partial<ZipEntry> = {}): ZipEntry => ({ name: 'a.csv', data: HARMLESS, ...entry });

t.test('ordinary archives pass, however their writer likes to write', async (t) => {
  const forms: Record<string, Buffer> = {
    stored: writeZip([one(), one({ name: 'b.csv' })]),
    deflated: writeZip([one({ method: 'deflated' })]),
    'a folder': writeZip([{ name: 'd/' }, one({ name: 'd/a.csv' })]),
    'descriptor of 12 bytes': writeZip([one({ descriptor: 12 }), one({ name: 'b.csv', descriptor: 12 })]),
    'descriptor of 16 bytes': writeZip([one({ descriptor: 16, method: 'deflated' })]),
    'descriptor of 20 bytes': writeZip([one({ descriptor: 20 })]),
    'descriptor of 24 bytes': writeZip([one({ descriptor: 24 }), one({ name: 'b.csv', descriptor: 24 })]),
    'aligned data': writeZip([one({ align: 64 }), one({ name: 'b.csv', align: 64 })]),
    zip64: writeZip([one()], { zip64: true }),
    comment: writeZip([one()], { comment: Buffer.from('made by hand') }),
    'a name in UTF-8': writeZip([one({ name: 'données.csv' })]),
    empty: writeZip([]),
    'a zip in a zip': writeZip([{ name: 'inner.zip', data: writeZip([one()]) }]),
    'a link that stays inside': writeZip([one(), { name: 'd/link', data: '../a.csv', mode: 0o120777 }]),
  };
  for (const [form, content] of Object.entries(forms)) {
    const report = reportOf(content);
    t.equal(report.format, 'zip', form);
    t.match(report, { content: 'inert', coverage: { state: 'complete' } }, `${form} is inert`);
    t.ok(passes(report), `${form} has no finding: ${rules(report)}`);
  }
});

t.test('every member is inspected, whatever it is called', async (t) => {
  for (const name of ['weights.txt', 'image.png', 'x', 'deep/down/README.md']) {
    for (const method of ['stored', 'deflated'] as const) {
      const report = reportOf(writeZip([one(), { name, data: HOSTILE, method }]));
      t.equal(report.content, 'active', `${name} ${method}`);
      t.ok(
        report.findings.some(({ where }) => where.path[0] === name),
        'the finding names the member',
      );
    }
  }
  const nested = writeZip([
    { name: 'a.zip', data: writeZip([{ name: 'b.zip', data: writeZip([{ name: 'c', data: HOSTILE }]) }]) },
  ]);
  const report = reportOf(nested);
  t.equal(report.content, 'active');
  t.ok(report.findings.some(({ where }) => where.path.join('>') === 'a.zip>b.zip>c'));
});

t.test('where two readers could see two archives, that is a finding', async (t) => {
  const inner = writeZip([{ name: 'other', data: HOSTILE }]);
  const lies: readonly (readonly [string, Buffer])[] = [
    ['zip.local-name', writeZip([one({ local: { name: 'b.csv' } })])],
    ['zip.local-method', writeZip([one({ local: { method: 8 } })])],
    ['zip.local-encrypted', writeZip([one({ local: { flags: 1 } })])],
    ['zip.local-encrypted', writeZip([one({ central: { flags: 1 } })])],
    ['zip.encrypted-lie', writeZip([one({ local: { flags: 1 }, central: { flags: 1 } })])],
    ['zip.local-crc', writeZip([one({ local: { crc: 1 } })])],
    ['zip.crc', writeZip([one({ local: { crc: 0 }, central: { crc: 0 } })])],
    ['zip.local-size', writeZip([one({ local: { size: 3 } })])],
    ['zip.local-size', writeZip([one({ local: { compressedSize: 3 } })])],
    ['zip.descriptor', writeZip([one({ descriptor: 16, central: { crc: 7 } })])],
    ['zip.duplicate-name', writeZip([one(), one()])],
    ['zip.confusable-name', writeZip([one(), one({ name: 'A.CSV' })])],
    ['zip.confusable-name', writeZip([one({ name: 'café' }), one({ name: 'cafe\u0301' })])],
    ['zip.confusable-name', writeZip([one({ name: 'data' }), one({ name: 'd\u0430ta' })])],
    ['zip.prefix-bytes', writeZip([one()], { prefix: Buffer.from('#!/bin/sh\n') })],
    ['zip.prefix-bytes', Buffer.concat([writeZip([one()]), inner])],
    ['zip.prefix-bytes', Buffer.concat([HOSTILE, writeZip([one()])])],
    ['zip.trailing-bytes', writeZip([one()], { trailing: Buffer.from('x') })],
    ['zip.two-end-records', writeZip([one()], { comment: inner })],
    ['zip.gap', writeZip([one({ gap: Buffer.from('hidden') }), one({ name: 'b' })])],
    ['zip.gap', writeZip([one({ central: { offset: 4 } })])],
    ['zip.overlap', writeZip([one(), one({ name: 'b', central: { offset: 0 } })])],
    ['zip.count', writeZip([one(), one({ name: 'b' })], { end: { entries: 1 } })],
    ['zip.count', writeZip([one()], { end: { entries: 2 } })],
    ['zip.unicode-name', writeZip([one({ centralExtra: unicodeName('evil.csv') })])],
    ['zip.zip64-extra', writeZip([one({ centralExtra: Buffer.from('010008000000000000000000', 'hex') })])],
    ['zip.data', writeZip([one({ method: 'deflated', local: { size: 2 }, central: { size: 2 } })])],
    ['zip.data', writeZip([one({ method: 'deflated', local: { size: 99 }, central: { size: 99 } })])],
  ];
  for (const [rule, content] of lies) {
    const report = reportOf(content);
    t.ok(rules(report).includes(rule), `${rule}: ${rules(report)}`);
    t.notOk(passes(report), rule);
  }
});

const unicodeName = (name: string): Buffer => {
  const field = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from(name)]);
  return Buffer.concat([Buffer.from([0x75, 0x70, field.length, 0]), field]);
};

t.test('a lie does not keep the member from being inspected', async (t) => {
  const lies: Partial<ZipEntry>[] = [
    { local: { flags: 1 } },
    { central: { flags: 1 } },
    { local: { flags: 1 }, central: { flags: 1 } },
    { local: { crc: 0 }, central: { crc: 0 } },
    { local: { name: 'other' } },
    { local: { size: 1 } },
  ];
  for (const method of ['stored', 'deflated'] as const) {
    for (const lie of lies) {
      const report = reportOf(writeZip([{ name: 'x', data: HOSTILE, method, ...lie }]));
      t.equal(report.content, 'active', JSON.stringify(lie));
    }
  }
});

t.test('names that lead elsewhere, links and devices are found', async (t) => {
  const names: Readonly<Record<string, string>> = {
    '../a': 'zip.name-traversal',
    'x/../../a': 'zip.name-traversal',
    '..\\a': 'zip.name-traversal',
    '/etc/passwd': 'zip.name-absolute',
    'C:\\a': 'zip.name-drive',
    'a\\b': 'zip.name-backslash',
    'a\0.csv': 'zip.name-nul',
    'a\u202ecsv': 'zip.name-control',
    '': 'zip.name-empty',
  };
  for (const [name, rule] of Object.entries(names)) {
    t.ok(rulesOf(writeZip([one({ name })])).includes(rule), `${JSON.stringify(name)} is ${rule}`);
  }
  const link = (name: string, target: string): ZipEntry => ({ name, data: target, mode: 0o120777 });
  t.ok(rulesOf(writeZip([link('l', '../x')])).includes('zip.link-outside'));
  t.ok(rulesOf(writeZip([link('l', '/etc')])).includes('zip.link-outside'));
  t.ok(rulesOf(writeZip([link('l', 'd'), one({ name: 'l/a' })])).includes('zip.path-through-link'));
  t.ok(rulesOf(writeZip([one({ mode: 0o020666 })])).includes('zip.special-file'));
});

t.test('names that are not ASCII may be in a code page with their Unicode form beside', async (t) => {
  const raw = { flags: 0 };
  const named = (second: string) =>
    writeZip([one({ name: 'd\u00e9.csv', local: raw, central: raw, centralExtra: unicodeName(second) })]);
  t.same(rulesOf(named('d\u00e9.csv')), ['zip.name-encoding']);
  t.ok(passes(reportOf(named('d\u00e9.csv'))));
  t.ok(rulesOf(named('../x')).includes('zip.name-traversal'));
});

t.test('what cannot be read is not passed', async (t) => {
  const encrypted = reportOf(writeZip([one({ local: { flags: 1, crc: 5 }, central: { flags: 1, crc: 5 } })]));
  t.match(rules(encrypted), ['zip.encrypted']);
  t.match(encrypted, { content: 'unknown', coverage: { state: 'partial' } });
  const odd = reportOf(writeZip([one({ local: { method: 14 }, central: { method: 14 } })]));
  t.match(odd, { content: 'unknown', coverage: { state: 'partial' } });
  t.ok(rules(odd).includes('zip.method'));
  const bomb = reportOf(writeZip([{ name: 'zeros', data: new Uint8Array(4_000_000), method: 'deflated' }]));
  t.ok(rules(bomb).includes('zip.bomb'), 'a ratio that honest data do not reach');
  t.match(bomb, { content: 'unknown', coverage: { state: 'partial' } });
  const many = inspect(fromBytes(writeZip(Array.from({ length: 40 }, (_, i) => ({ name: `${i}`, data: HARMLESS })))), {
    limits: { steps: 30 },
  });
  t.match(many, { content: 'unknown', coverage: { state: 'partial' } }, 'limits of the inspection are coverage');
});

t.test('more members than 16 bits can count are read through zip64', async (t) => {
  const entries = Array.from({ length: 66_000 }, (_, i) => ({ name: `m${i}`, data: '' }));
  const report = reportOf(writeZip(entries, { zip64: true }));
  t.ok(passes(report), `${rules(report)}`);
  t.match(report, { content: 'inert', details: { members: 66_000 } });
});

t.test('zip64 and plain end records must tell the same', async (t) => {
  const honest = writeZip([one()], { zip64: true });
  const lying = Buffer.from(honest);
  lying.writeUInt16LE(2, honest.length - 12);
  t.ok(rulesOf(lying).includes('zip.multi-disk') || rulesOf(lying).includes('zip.zip64-disagrees'));
  const moved = Buffer.from(honest);
  moved.writeBigUInt64LE(3n, honest.length - 22 - 20 + 8);
  t.ok(rulesOf(moved).includes('zip.zip64-disagrees'));
});

t.test('a truncated archive never passes, wherever it is cut', async (t) => {
  const whole = writeZip([
    one({ method: 'deflated' }),
    { name: 'b', data: HOSTILE },
    one({ name: 'c', descriptor: 16 }),
  ]);
  let cuts = 0;
  for (const cut of truncations(whole)) {
    if (cut.length < 4) continue;
    cuts += 1;
    const report = reportOf(cut);
    if (passes(report)) t.fail(`cut at ${cut.length} passes as ${report.format} ${report.content}`);
  }
  t.equal(cuts, whole.length - 4, 'every cut behind the magic was tried');
});

t.test('flipped bits are noticed or change nothing that a reader acts on', async (t) => {
  const whole = writeZip([one({ method: 'deflated' }), one({ name: 'b', data: bytes('x'.repeat(300)) })]);
  let noticed = 0;
  let tried = 0;
  for (const flipped of bitFlips(whole, 600, 7)) {
    tried += 1;
    if (!passes(reportOf(flipped))) noticed += 1;
  }
  t.equal(tried, 600);
  t.ok(noticed > 450, `${noticed} of ${tried}`);
  for (const flipped of bitFlips(writeZip([{ name: 'x', data: HOSTILE }]), 600, 8)) {
    const report = reportOf(flipped);
    if (passes(report)) t.notOk(holds(flipped, assemble('os')), 'a flip that passes has destroyed the payload');
  }
});

const holds = (content: Uint8Array, needle: Uint8Array) => Buffer.from(content).includes(Buffer.from(needle));

t.test('a remote archive is read with one window from its end', async (t) => {
  const content = writeZip([one(), one({ name: 'b' })]);
  const reads: number[] = [];
  const source: RandomAccess = {
    size: content.length,
    read(offset, length) {
      reads.push(length);
      return fromBytes(content).read(offset, length);
    },
  };
  t.ok(passes(inspect(source, { provisional: true })));
  t.ok(reads.length <= 4, `${reads.length} reads`);
});
