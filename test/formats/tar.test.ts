import t from 'tap';
import { floats, onnxBeside } from '../support/bare-weights.ts';
import { callForms, pickled, text } from '../support/pickle-assembler.ts';
import { qdrantSegment } from '../support/qdrant-segment.ts';
import { bitFlips, passes, reportOf, rules, truncations } from '../support/reports.ts';
import { type TarEntry, writeTar } from '../support/tar-writer.ts';
import { writeZip } from '../support/zip-writer.ts';

const HARMLESS = 'a,b\n1,2\n3,4\n';
/** A pickle that would make an empty marker file; built from opcodes, never loaded. */
const HOSTILE = pickled(4, callForms['reduce']?.('os', 'system', [text('true')]) ?? '');
const file = (entry: Partial<TarEntry> = {}): TarEntry => ({ name: 'a.csv', data: HARMLESS, ...entry });

t.test('ordinary archives of every dialect pass', async (t) => {
  const long = `${'deep/'.repeat(40)}a.csv`;
  const forms: Readonly<Record<string, Buffer>> = {
    ustar: writeTar([file(), file({ name: 'b.csv' })]),
    gnu: writeTar([file({ magic: 'gnu' })]),
    old: writeTar([file({ magic: 'old' })]),
    'a GNU long name': writeTar([
      { name: '././@LongLink', type: 'L', data: `${long}\0`, magic: 'gnu' },
      file({ magic: 'gnu' }),
    ]),
    'a pax path': writeTar([file({ pax: { path: long, mtime: '1.5' } })]),
    'a folder and a link inside': writeTar([
      { name: 'm/', type: '5' },
      file({ name: 'm/a.csv' }),
      { name: 'm/latest', type: '2', link: 'a.csv' },
      { name: 'm/copy', type: '1', link: 'm/a.csv' },
    ]),
    'a filled last record': writeTar([file()], { end: 18 }),
    'a zip as last member': writeTar([file(), { name: 'b.zip', data: writeZip([{ name: 'c.csv', data: HARMLESS }]) }]),
  };
  for (const [form, content] of Object.entries(forms)) {
    const report = reportOf(content);
    t.match(report, { format: 'tar', content: 'inert', coverage: { state: 'complete' } }, form);
    t.ok(passes(report), `${form}: ${rules(report)}`);
  }
});

t.test('every member is inspected', async (t) => {
  for (const type of ['0', '7', '\0']) {
    const report = reportOf(writeTar([file(), { name: 'notes.txt', data: HOSTILE, type }]));
    t.equal(report.content, 'active', JSON.stringify(type));
    t.ok(report.findings.some(({ where }) => where.path[0] === 'notes.txt'));
  }
});

t.test('what unpacks differently or elsewhere is found', async (t) => {
  const lies: readonly (readonly [string, Buffer])[] = [
    ['tar.name-traversal', writeTar([file({ name: '../a' })])],
    ['tar.name-absolute', writeTar([file({ name: '/a' })])],
    ['tar.name-traversal', writeTar([file({ pax: { path: 'x/../../a' } })])],
    [
      'tar.name-traversal',
      writeTar([{ name: 'l', type: 'L', data: '../../a\0', magic: 'gnu' }, file({ magic: 'gnu' })]),
    ],
    ['tar.link-outside', writeTar([{ name: 'l', type: '2', link: '/etc/passwd' }])],
    ['tar.link-outside', writeTar([{ name: 'd/l', type: '2', link: '../../x' }])],
    ['tar.link-outside', writeTar([{ name: 'l', type: '1', link: 'nowhere' }])],
    ['tar.link-outside', writeTar([{ name: 'l', type: '2', link: 'x', pax: { linkpath: '../x' } }])],
    ['tar.path-through-link', writeTar([{ name: 'l', type: '2', link: 'd' }, file({ name: 'l/a' })])],
    ['tar.special-file', writeTar([{ name: 'dev', type: '3' }])],
    ['tar.special-file', writeTar([{ name: 'pipe', type: '6' }])],
    ['tar.sparse', writeTar([file({ type: 'S', magic: 'gnu' })])],
    ['tar.sparse', writeTar([file({ pax: { 'GNU.sparse.major': '1' } })])],
    ['tar.member-type', writeTar([file({ type: 'M' })])],
    ['tar.pax-size', writeTar([file({ pax: { size: '3' } })])],
    ['tar.pax-size', writeTar([file({ pax: { size: '-3' } })])],
    ['tar.pax-global', writeTar([{ name: 'g', type: 'g', data: '14 path=a.txt\n' }, file()])],
    ['tar.size-of-link', writeTar([{ name: 'l', type: '2', link: 'x', data: HOSTILE }])],
    ['tar.duplicate-name', writeTar([file(), file()])],
    ['tar.confusable-name', writeTar([file(), file({ name: 'A.csv' })])],
    ['tar.after-end', writeTar([file()], { after: Buffer.from('more') })],
    ['tar.after-end', Buffer.concat([writeTar([file()]), writeTar([{ name: 'second', data: HOSTILE }])])],
    ['tar.malformed', writeTar([file(), file({ name: 'b', badSum: true })])],
    ['tar.malformed', writeTar([{ name: 'x', type: 'x', data: '99 path=a\n' }, file()])],
    ['tar.malformed', writeTar([{ name: 'x', type: 'x', data: '9 path=a\n9 path=b\n' }, file()])],
    ['tar.no-end', writeTar([file()], { end: 0 })],
    ['tar.truncated', writeTar([file({ size: 100_000 })])],
  ];
  for (const [rule, content] of lies) {
    const report = reportOf(content);
    t.ok(rules(report).includes(rule), `${rule}: ${rules(report)}`);
    t.notOk(passes(report), rule);
  }
});

t.test('bytes behind the end, and members that are cut, are inspected all the same', async (t) => {
  const behind = Buffer.concat([writeTar([file()]), HOSTILE]);
  t.equal(reportOf(behind).content, 'active');
  const cut = writeTar([{ name: 'x', data: HOSTILE, size: 5000 }]);
  t.equal(reportOf(cut).content, 'active');
});

t.test('PyTorch checkpoints in tar form are recognised and not converted', async (t) => {
  const names = ['sys_info', 'pickle', 'storages', 'tensors'];
  const legacy = reportOf(writeTar(names.map((name) => ({ name, data: pickled(2, 'K\x01') }))));
  t.ok(rules(legacy).includes('torch.legacy-tar'));
  t.equal(legacy.content, 'unknown');
  t.type(legacy.notConvertible, 'string');
  const hostile = reportOf(
    writeTar(names.map((name) => ({ name, data: name === 'storages' ? HOSTILE : pickled(2, 'K\x01') }))),
  );
  t.equal(hostile.content, 'active');
});

t.test('no cut and no flipped bit lets a payload pass', async (t) => {
  const whole = writeTar([file(), { name: 'x', data: HOSTILE }], { end: 2 });
  for (let length = 1024; length < whole.length; length += 7) {
    const report = reportOf(whole.subarray(0, length));
    if (passes(report) && length > 1536 + HOSTILE.length) t.fail(`cut at ${length} passes`);
  }
  for (const flipped of bitFlips(whole, 500, 11)) {
    if (passes(reportOf(flipped)))
      t.notOk(flipped.includes(0x52) && Buffer.from(flipped).includes('system'), 'passes without payload');
  }
  for (const cut of truncations(writeTar([file()]))) {
    if (cut.length >= 512 && cut.length <= 1024 && passes(reportOf(cut))) t.fail(`without end at ${cut.length}`);
  }
});

t.test('a first header that only a lenient reader takes is one all the same', async (t) => {
  const name = '\u00e9\u00e8';
  const plain = writeTar([{ name, data: HOSTILE }]);
  const sum = Number.parseInt(plain.toString('latin1', 148, 154), 8);
  const signed = sum - 256 * Buffer.from(name).length;
  const wide = Buffer.alloc(8, 0xff);
  wide.writeInt32BE(signed, 4);
  const sums: Readonly<Record<string, Buffer | string>> = {
    'signed bytes': `${signed.toString(8).padStart(6, '0')}\0 `,
    'a prefix': `0o${sum.toString(8)}\0 `,
    'blanks and underscores': `\t${sum.toString(8).replace(/^(.)/, '$1_')}`.padEnd(8, ' '),
    'base 256': Buffer.concat([Buffer.from([0x80, 0, 0, 0]), Buffer.from(Uint32Array.of(sum).buffer).reverse()]),
    'base 256, signed bytes': signed < 0 ? wide : Buffer.from([0x80, 0, 0, 0, 0, 0, signed >> 8, signed & 0xff]),
  };
  for (const [how, written] of Object.entries(sums)) {
    const content = Buffer.from(plain);
    content.set(typeof written === 'string' ? Buffer.from(written, 'latin1') : written, 148);
    const report = reportOf(content);
    t.match(report, { format: 'tar', content: 'unknown', coverage: { state: 'partial' } }, how);
    t.notOk(passes(report), how);
  }
  const nameless = writeTar([{ name: '\0', data: HOSTILE }]);
  t.notOk(passes(reportOf(nameless)), 'a name that begins with NUL');
  t.equal(reportOf(nameless).format, 'tar');
  t.equal(reportOf(Buffer.alloc(2048)).format, 'hnswlib-links', 'zeros are no archive, but a list of no neighbours');
});

t.test('bare members pass by a member of their folder that lays out every byte of them, and by no other', async (t) => {
  const { files, bare } = qdrantSegment();
  const entries = Object.entries(files).map(([name, data]): TarEntry => ({ name, data: Buffer.from(data) }));
  const whole = reportOf(writeTar(entries));
  t.same([whole.content, whole.coverage.state, whole.companions], ['inert', 'complete', undefined], 'a snapshot');
  const from = (name: string, change: (data: Buffer) => Buffer): TarEntry[] =>
    entries.map((entry) => (entry.name === name ? { name, data: change(Buffer.from(files[name] ?? [])) } : entry));
  for (const name of bare) {
    t.notOk(
      passes(reportOf(writeTar(from(name, (data) => Buffer.concat([data, Buffer.from([7])]))))),
      `${name}, longer`,
    );
    const moved = entries.map((entry) => (entry.name === name ? { ...entry, name: `elsewhere/${name}` } : entry));
    t.notOk(passes(reportOf(writeTar(moved))), `${name}, in another folder`);
    const twice = [...entries, { name, data: Buffer.from(files[name] ?? []) }];
    t.notOk(passes(reportOf(writeTar(twice))), `${name}, twice`);
  }
  const behind = from('flags/flags_a.dat', (data) => Buffer.concat([data.subarray(0, -1), Buffer.from([1])]));
  t.notOk(passes(reportOf(writeTar(behind))), 'a flag behind the last');
  const evil = from('payload_storage/bitmask.dat', (data) =>
    Buffer.concat([Buffer.from(HOSTILE), data]).subarray(0, 64),
  );
  t.notOk(passes(reportOf(writeTar(evil))), 'a pickle in the place of bits');
  const model = { name: 'm/model.onnx', data: Buffer.from(onnxBeside('w', [{ offset: 0, size: 4000 }])) };
  const weights = { name: 'm/w', data: Buffer.from(floats(1000)) };
  t.ok(passes(reportOf(writeTar([model, weights]))), 'weights beside their graph');
  t.ok(passes(reportOf(writeTar([weights, model]))), 'in either order');
  t.notOk(passes(reportOf(writeTar([weights]))), 'weights alone');
  const climbing = { ...model, name: 'model.onnx' };
  t.notOk(passes(reportOf(writeTar([climbing, weights]))), 'a graph of another folder');
});
