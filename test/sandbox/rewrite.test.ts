import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { readReport } from '../../src/sandbox/answer.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Source } from '../../src/sandbox/types.ts';

/** What an isolate does that a file took over; the first byte of the file says what. */
const HOSTILE = `
const done = (size) => JSON.stringify({ format: 'parquet', content: 'inert', findings: [],
  coverage: { state: 'complete', bytesInspected: size, bytesTotal: size, reason: '' } });
const ways = {
  h: ({ copy, write }) => { write(new Uint8Array([1, 2])); copy(1, 4); write(new Uint8Array()); write(new Uint8Array([3])); },
  m: ({ write }) => { for (let at = 0; at < 100; at++) write(new Uint8Array(1024)); },
  f: ({ write }) => write(new Uint8Array([1])),
  o: ({ copy, size }) => copy(0, size + 1),
  b: ({ copy }) => copy(3, 1),
  n: ({ copy }) => copy(Number.NaN, 2),
  l: ({ write }) => write(new Uint8Array(2 ** 20 + 1)),
  s: ({ write }) => write('text'),
  e: ({ write, copy }) => { try { write({}); } catch {} copy(0, 1); copy(0, 1); write(new Uint8Array(4)); },
  t: () => { for (;;); },
  r: () => 'no report',
  p: ({ size }) => JSON.stringify({ ...JSON.parse(done(size)), coverage: { state: 'partial', bytesInspected: 0, bytesTotal: size, reason: 'it is no such file' } }),
};
globalThis.rewriteFile = (read, size, options, copy, write) => {
  const way = String.fromCharCode(read(0, 1)[0]);
  return ways[way]({ copy, write, size, options }) ?? done(size);
};
globalThis.inspectFile = (read, size) => done(size);
`;

const source = (text: string): Source => {
  const bytes = Buffer.from(text);
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
};
const SIZE = 6;

t.test('what a worker writes is taken piece by piece, and never more than was announced', async (t) => {
  const sandbox = await createSandbox(
    { workers: 1, memory: 16 * MIB, timeout: 500, require: 'isolate' },
    { parsers: HOSTILE },
  );
  t.teardown(() => sandbox.close());
  const rewrite = async (way: string): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    const write = async (chunk: Uint8Array): Promise<void> => {
      await wait(2);
      pieces.push(Buffer.from(chunk));
    };
    await sandbox.withoutRows(source(`${way}abcd`), [{ first: 1, last: 2 }], { size: SIZE, write });
    return Buffer.concat(pieces);
  };
  t.equal((await rewrite('h')).toString('latin1'), '\x01\x02abc\x03');
  const refused = {
    m: /wrote what it was not asked for/,
    f: /1 of 6 bytes were written/,
    o: /outside the file/,
    b: /outside the file/,
    n: /outside the file/,
    l: /too large/,
    s: /too large/,
    t: /took longer|out of time|timed out/i,
    r: /not JSON/,
    p: /it is no such file/,
  };
  for (const [way, message] of Object.entries(refused))
    await t.rejects(rewrite(way), { code: 'NOT_CONVERTIBLE', message }, way);
  const write = async (): Promise<void> => undefined;
  for (const way of ['m', 'f', 't', 'p']) {
    const unwrapping = sandbox.unwrap(source(`${way}abcd`), { by: ['gzip'], size: SIZE }, write);
    await t.rejects(unwrapping, { code: 'NOT_CONVERTIBLE', message: /^it cannot be unwrapped: / }, `unwrapped: ${way}`);
  }
  t.equal(
    (await rewrite('e')).toString('latin1'),
    'ee\0\0\0\0',
    'a wrong piece is refused, and no piece of the answer',
  );
  t.match(await sandbox.inspect(source('h')), { coverage: { state: 'complete' } }, 'it goes on working');
});

t.test('a source or a target that fails ends it with its own fault', async (t) => {
  const sandbox = await createSandbox(
    { workers: 1, memory: 16 * MIB, timeout: 2000, require: 'isolate' },
    { parsers: HOSTILE },
  );
  t.teardown(() => sandbox.close());
  const full = new Error('the disk is full');
  const broken = { size: SIZE, write: () => Promise.reject(full) };
  await t.rejects(sandbox.withoutRows(source('habcd'), [], broken), full);
  const gone = new Error('gone');
  let reads = 0;
  const failing: Source = { size: 5, read: async () => (++reads > 1 ? Promise.reject(gone) : Buffer.from('h')) };
  const target = { size: SIZE, write: async () => undefined };
  await t.rejects(sandbox.withoutRows(failing, [], target), gone);
  await sandbox.withoutRows(source('habcd'), [], target);
});

t.test('a report that says what a wrapped file becomes is held to that, and to what may be kept', (t) => {
  const storage = { name: '0', offset: 100, length: 40, size: 40, method: 'stored', byteOrder: 'little' };
  const coverage = { state: 'complete', bytesInspected: 60, bytesTotal: 60, reason: '' };
  const reading = (wrapped: object): unknown => {
    const plan = { storages: [storage], tensors: [], dropped: [], wrapped };
    return readReport(JSON.stringify({ format: 'gzip', content: 'tensors', coverage, plan, findings: [] }), 60);
  };
  t.match(reading({ by: ['gzip'], size: 140 }), { plan: { wrapped: { size: 140 } } });
  const lies = [
    { by: ['gzip'], size: 139 },
    { by: ['gzip'], size: 2 ** 40 },
    { by: [], size: 140 },
    { by: Array(17).fill('xz'), size: 140 },
    { by: ['gzip'], size: -1 },
    { by: ['gzip'], size: 140, more: 1 },
  ];
  for (const lie of lies) t.throws(() => reading(lie), { code: 'SANDBOX_LIED' }, JSON.stringify(lie).slice(0, 60));
  t.end();
});
