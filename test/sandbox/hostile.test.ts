import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { isFault } from '../../src/errors.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox, Source } from '../../src/sandbox/types.ts';
import { residentMemory } from '../../src/sandbox/watch.ts';

/** Parsers that were taken over by the file: its text names what they do. */
const HOSTILE = `
globalThis.inspectFile = (read, size) => {
  const text = String.fromCharCode(...read(0, size));
  const report = { format: 'text', content: 'inert', findings: [],
    coverage: { state: 'complete', bytesInspected: size, bytesTotal: size, reason: '' } };
  const attacks = {
    honest: () => report,
    loop: () => { for (;;); },
    map: () => { const map = new Map(); for (let i = 0; ; i++) map.set(i, { i }); },
    array: () => { const all = []; for (;;) all.push(new Array(1e8).fill(0)); },
    bigint: () => { let n = 3n; for (;;) n = n * n; },
    buffer: () => new Uint8Array(2 * 1024 ** 3).fill(1).length,
    buffers: () => { const all = []; for (;;) all.push(new Uint8Array(16 * 1024 ** 2).fill(1)); },
    text: () => { let all = 'x'; for (;;) { all += all + Math.random(); all.charCodeAt(9); } },
    regex: () => /^(a+)+$/.test('a'.repeat(60) + '!'),
    recursion: () => { const down = () => down() + 1; return down(); },
    thrown: () => { throw new Error('line one\\nline two \\u00e9'); },
    outside: () => read(size, 1),
    huge: () => read(0, 2 ** 40),
    odd: () => read('0', {}),
    nothing: () => undefined,
    long: () => ({ ...report, format: 'x'.repeat(20 * 1024 ** 2) }),
    rubbish: () => 'no object',
    foreign: () => ({ ...report, content: 'fine' }),
    unknownKey: () => ({ ...report, approved: true }),
    size: () => ({ ...report, coverage: { ...report.coverage, bytesTotal: size + 1 } }),
    control: () => ({ ...report, findings: [{ rule: 'a.b', severity: 'low', message: 'x\\u001b[2J', where: { path: [], offset: 0 }, evidence: '', refs: [] }] }),
    planOutside: () => ({ ...report, content: 'tensors', plan: { dropped: [], tensors: [],
      storages: [{ name: 's', offset: 0, length: size + 1, size: 1, method: 'stored', byteOrder: 'little' }] } }),
    manyReads: () => { for (;;) read(0, 1); },
  };
  const said = attacks[text]();
  return said === undefined ? undefined : text === 'rubbish' ? said : JSON.stringify(said);
};`;

const TIMEOUT = 1000;
const MEMORY = 64 * MIB;

const source = (text: string): Source => {
  const bytes = Buffer.from(text);
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
};
const hostile = (workers = 1) =>
  createSandbox({ workers, memory: MEMORY, timeout: TIMEOUT, require: 'isolate' }, { parsers: HOSTILE });

const children = (): readonly number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
const below = (pid: number): readonly number[] => {
  try {
    const direct = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
    return [pid, ...direct.flatMap(below)];
  } catch {
    return [];
  }
};
const memoryOfChildren = (): number =>
  children()
    .flatMap(below)
    .reduce((sum, pid) => sum + (residentMemory(pid) ?? 0), 0);

const eventually = async (holds: () => boolean): Promise<boolean> => {
  for (let waited = 0; waited < 10_000 && !holds(); waited += 20) await wait(20);
  return holds();
};
const whole = (sandbox: Sandbox, workers = 1): Promise<boolean> =>
  eventually(() => sandbox.stats().workers === workers && sandbox.stats().idle === workers);

t.test('an honest file is reported, and the pool says so', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  const report = await sandbox.inspect(source('honest'));
  t.match(report, { format: 'text', coverage: { state: 'complete' } });
  t.same(sandbox.stats(), { workers: 1, idle: 1, restarts: 0 });
});

t.test('whatever a file does to its parsers costs one opaque inspection and leaves the pool whole', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  await sandbox.inspect(source('honest'));
  const before = memoryOfChildren();
  t.ok(before > 20 * MIB, 'the workers are seen');
  const ends = {
    loop: /TIMEOUT/,
    map: /MEMORY|CRASHED|TIMEOUT/,
    array: /MEMORY|CRASHED|TIMEOUT/,
    bigint: /MEMORY|CRASHED|TIMEOUT/,
    buffer: /MEMORY|CRASHED/,
    buffers: /MEMORY|CRASHED/,
    text: /MEMORY|CRASHED/,
    regex: /TIMEOUT/,
    recursion: /CRASHED/,
    thrown: /CRASHED/,
    outside: /CRASHED/,
    huge: /CRASHED/,
    odd: /CRASHED/,
    nothing: /LIED/,
    long: /LIED/,
    rubbish: /LIED/,
    foreign: /LIED/,
    unknownKey: /LIED/,
    size: /LIED/,
    control: /LIED/,
    planOutside: /LIED/,
    manyReads: /TIMEOUT/,
  };
  for (const [attack, code] of Object.entries(ends)) {
    const begun = performance.now();
    const report = await sandbox.inspect(source(attack));
    const took = performance.now() - begun;
    t.match(report.coverage, { state: 'opaque', bytesInspected: 0, bytesTotal: attack.length }, `${attack} is opaque`);
    t.match(report.details?.['sandbox'], code, `${attack}: ${report.coverage.reason} (${Math.round(took)} ms)`);
    t.match(report.coverage.reason, /^[\x20-\x7e]+$/, `${attack} says why in printable text`);
    t.ok(took < TIMEOUT * 3, `${attack} ends in time`);
    t.ok(await whole(sandbox), `the pool is whole after ${attack}`);
    t.match(
      await sandbox.inspect(source('honest')),
      { coverage: { state: 'complete' } },
      `the next file after ${attack}`,
    );
  }
  const after = memoryOfChildren();
  t.ok(after < before + 64 * MIB, `memory is back: ${before} then ${after}`);
});

t.test('memory that the engine does not count is seen from outside', async (t) => {
  const sandbox = await createSandbox(
    { workers: 1, memory: 32 * MIB, timeout: 20_000, require: 'isolate' },
    { parsers: HOSTILE },
  );
  t.teardown(() => sandbox.close());
  const report = await sandbox.inspect(source('array'));
  t.match(report, { coverage: { reason: /needed more than \d+ bytes/ }, details: { sandbox: 'SANDBOX_MEMORY' } });
  t.ok(await whole(sandbox));
  t.match(await sandbox.inspect(source('honest')), { coverage: { state: 'complete' } });
});

t.test('a worker that is killed during an inspection is replaced', async (t) => {
  const sandbox = await hostile(2);
  t.teardown(() => sandbox.close());
  t.ok(await whole(sandbox, 2));
  const running = sandbox.inspect(source('loop'));
  running.catch(() => undefined);
  await wait(200);
  for (const pid of children()) process.kill(pid, 'SIGKILL');
  await t.rejects(
    running,
    { code: 'SANDBOX_UNAVAILABLE', message: /signal SIGKILL/ },
    'that is no verdict on the file',
  );
  t.ok(await whole(sandbox, 2), 'both workers are back, the idle one too');
  t.match(sandbox.stats(), { restarts: 2 });
  t.match(await sandbox.inspect(source('honest')), { coverage: { state: 'complete' } });
});

t.test('a read that is never answered ends the inspection, and a late answer harms nothing', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  const late = Promise.withResolvers<Uint8Array>();
  const report = await sandbox.inspect({ size: 6, read: () => late.promise });
  t.match(report, { coverage: { state: 'opaque', reason: /not answered/ }, details: { sandbox: 'SANDBOX_TIMEOUT' } });
  late.resolve(Buffer.from('honest'));
  t.ok(await whole(sandbox));
  t.match(await sandbox.inspect(source('honest')), { coverage: { state: 'complete' } });
});

t.test('time that a slow source takes is not the time of the parsers', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  const slow: Source = { size: 6, read: async () => wait(TIMEOUT * 0.8, Buffer.from('honest')) };
  t.match(await sandbox.inspect(slow), { coverage: { state: 'complete' } });
});

t.test('a fault of the source is passed on, and so is a source that gives too little', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  const fault = new Error('the disk is gone');
  await t.rejects(sandbox.inspect({ size: 6, read: () => Promise.reject(fault) }), fault);
  await t.rejects(
    sandbox.inspect({
      size: 6,
      read: () => {
        throw fault;
      },
    }),
    fault,
  );
  await t.rejects(sandbox.inspect({ size: 6, read: async () => new Uint8Array(5) }), /5 bytes where 6/);
  t.match(await sandbox.inspect(source('honest')), { coverage: { state: 'complete' } });
  t.match(sandbox.stats(), { restarts: 0 }, 'a fault of the source does not cost a worker');
});

t.test('a caller who gives up is answered at once, waiting or running', async (t) => {
  const sandbox = await hostile();
  t.teardown(() => sandbox.close());
  const running = new AbortController();
  const waiting = new AbortController();
  const first = sandbox.inspect(source('loop'), { signal: running.signal });
  const second = sandbox.inspect(source('honest'), { signal: waiting.signal });
  const third = sandbox.inspect(source('honest'));
  waiting.abort();
  await t.rejects(second, { code: 'CANCELLED' });
  await wait(50);
  running.abort();
  await t.rejects(first, { code: 'CANCELLED' });
  await t.rejects(sandbox.inspect(source('honest'), { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  t.match(await third, { coverage: { state: 'complete' } }, 'the file behind them is inspected');
});

t.test('closing cancels what waits and leaves no process behind', async (t) => {
  const sandbox = await hostile(2);
  const running = sandbox.inspect(source('loop'));
  const alsoRunning = sandbox.inspect(source('loop'));
  for (const each of [running, alsoRunning]) each.catch(() => undefined);
  t.ok(await eventually(() => sandbox.stats().workers === 2 && sandbox.stats().idle === 0));
  const waiting = sandbox.inspect(source('honest')).catch((error: unknown) => error);
  await sandbox.close();
  await t.rejects(running, { code: 'SANDBOX_UNAVAILABLE' });
  await t.rejects(alsoRunning, { code: 'SANDBOX_UNAVAILABLE' });
  t.ok(isFault(await waiting, 'CANCELLED'));
  t.ok(await eventually(() => children().length === 0));
});
