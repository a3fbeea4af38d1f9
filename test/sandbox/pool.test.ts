import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { createFrameReader } from '../../src/sandbox/frame-reader.ts';
import { frameHeader, KIND, MESSAGE_LIMIT, READ_LIMIT, REPORT_LIMIT, readRequest } from '../../src/sandbox/frames.ts';
import { createPool } from '../../src/sandbox/pool.ts';
import { createQueue } from '../../src/sandbox/queue.ts';
import type { Source } from '../../src/sandbox/types.ts';
import type { Ending, Listener, WorkerProcess } from '../../src/sandbox/worker-process.ts';

// Workers here are objects in this process: they lie in ways that the real program never would.

const SIZE = 10;
const REPORT = {
  format: 'text',
  content: 'inert',
  coverage: { state: 'complete', bytesInspected: SIZE, bytesTotal: SIZE, reason: '' },
  findings: [],
};
const source: Source = { size: SIZE, read: async (_, length) => new Uint8Array(length) };

type Said = { readonly kind: number; readonly payload: Uint8Array };
type Script = (said: Said, say: (kind: number, payload: Uint8Array | string) => void) => void;

type FakeWorker = WorkerProcess & {
  readonly dead: () => boolean;
  /** Ends it as somebody else's SIGKILL does. */
  readonly lose: () => void;
};
const LOST: Ending = { code: 'SANDBOX_UNAVAILABLE', message: 'the worker ended: signal SIGKILL' };

/** A worker that answers what the host says by `script`. */
const fakeWorker = (script: Script): FakeWorker => {
  let listener: Listener | undefined;
  let dead = false;
  const ended = Promise.withResolvers<Ending>();
  const say = (kind: number, payload: Uint8Array | string): void => {
    setImmediate(() => dead || listener?.frame({ kind, payload: Buffer.from(payload as string) }));
  };
  return {
    pid: process.pid,
    level: 'bare',
    refused: { read: true, write: true, spawn: true },
    send: (kind, payload) => script({ kind, payload }, say),
    listen: (next) => {
      listener = next;
    },
    kill: () => {
      dead = true;
      ended.resolve(LOST);
    },
    lose: () => {
      dead = true;
      ended.resolve(LOST);
      listener?.gone(LOST.code, LOST.message);
    },
    ended: ended.promise,
    dead: () => dead,
  };
};
const honest: Script = ({ kind }, say) => {
  if (kind === KIND.job) say(KIND.read, readRequest(0, SIZE));
  else if (kind === KIND.bytes) say(KIND.report, JSON.stringify(REPORT));
  else if (kind === KIND.fault) say(KIND.failure, JSON.stringify({ why: 'error', message: 'no bytes' }));
};
const options = { memory: 8192 * MIB, patience: 60_000 };
const request = (from: Source = source, timeout = 5000) => ({
  source: from,
  options: '{}',
  signal: undefined,
  timeout,
});

t.test('a worker that breaks the protocol is replaced, and its word is worth nothing', async (t) => {
  const onJob =
    (kind: number, payload: Uint8Array | string): Script =>
    (said, say) => {
      if (said.kind === KIND.job) say(kind, payload);
    };
  const lies: Record<string, Script> = {
    'reads behind the end': onJob(KIND.read, readRequest(SIZE, 1)),
    'reads across the end': onJob(KIND.read, readRequest(5, 6)),
    'reads before the beginning': onJob(KIND.read, readRequest(-1, 1)),
    'reads at a fraction': onJob(KIND.read, readRequest(0.5, 1)),
    'reads nothing': onJob(KIND.read, readRequest(0, 0)),
    'reads at no number': onJob(KIND.read, readRequest(Number.NaN, 1)),
    'reads too much': onJob(KIND.read, readRequest(0, READ_LIMIT + 1)),
    'asks half a question': onJob(KIND.read, new Uint8Array(11)),
    'is ready again': onJob(KIND.ready, '{}'),
    'reports what is no JSON': onJob(KIND.report, '{"format":'),
    'fails without words': onJob(KIND.failure, 'null'),
    'fails in an unknown way': onJob(KIND.failure, '{"why":"__proto__","message":"x"}'),
    'asks twice at once': (said, say) => {
      if (said.kind !== KIND.job) return;
      say(KIND.read, readRequest(0, 1));
      say(KIND.read, readRequest(1, 1));
    },
    'answers before it has the bytes': (said, say) => {
      if (said.kind !== KIND.job) return;
      say(KIND.read, readRequest(0, 1));
      say(KIND.report, JSON.stringify(REPORT));
    },
  };
  for (const [name, script] of Object.entries(lies)) {
    const liar = fakeWorker(script);
    const pool = createPool(liar, { size: 1, ...options, start: async () => fakeWorker(honest) });
    const slow: Source = { size: SIZE, read: async (_, length) => wait(20, new Uint8Array(length)) };
    t.match(
      await pool.submit(request(slow)),
      { coverage: { state: 'opaque' }, details: { sandbox: 'SANDBOX_LIED' } },
      name,
    );
    t.ok(liar.dead(), `a worker that ${name} is ended`);
    t.match(
      await pool.submit(request()),
      { format: 'text', coverage: { state: 'complete' } },
      `after one that ${name}`,
    );
    t.match(pool.stats(), { workers: 1, restarts: 1 });
    await pool.close();
  }
});

t.test('frames of unknown kinds or over their limit end the conversation before they are held', async (t) => {
  const ofFrames = (chunks: readonly Uint8Array[]) => {
    const reader = createFrameReader();
    let all: readonly { kind: number; payload: Buffer }[] | undefined = [];
    for (const chunk of chunks) {
      const frames = reader.push(Buffer.from(chunk));
      if (frames === undefined) return undefined;
      all = [...all, ...frames];
    }
    return all;
  };
  t.equal(ofFrames([frameHeader(KIND.report, REPORT_LIMIT + 1)]), undefined);
  t.equal(ofFrames([frameHeader(KIND.read, MESSAGE_LIMIT + 1)]), undefined);
  t.equal(ofFrames([frameHeader(KIND.job, 1)]), undefined);
  t.equal(ofFrames([frameHeader(0xff, 0)]), undefined);
  const whole = Buffer.concat([
    frameHeader(KIND.read, 12),
    readRequest(7, 3),
    frameHeader(KIND.report, 2),
    Buffer.from('{}'),
  ]);
  for (let cut = 1; cut < whole.length; cut++) {
    const frames = ofFrames([whole.subarray(0, cut), whole.subarray(cut)]);
    t.same(
      frames?.map(({ kind, payload }) => [kind, payload.toString('hex')]),
      [
        [KIND.read, Buffer.from(readRequest(7, 3)).toString('hex')],
        [KIND.report, '7b7d'],
      ],
    );
  }
  t.equal(ofFrames([...whole].map((byte) => Uint8Array.of(byte)))?.length, 2, 'byte by byte');
});

t.test('a worker that cannot be started is tried again until it can', async (t) => {
  let attempts = 0;
  const start = async (): Promise<WorkerProcess> => {
    attempts += 1;
    if (attempts < 3) throw new Error('no processes left');
    return fakeWorker(honest);
  };
  const first = fakeWorker(() => {});
  const pool = createPool(first, { size: 1, ...options, start });
  first.kill();
  await wait(10);
  const report = await pool.submit(request());
  t.match(report, { coverage: { state: 'complete' } });
  t.equal(attempts, 3);
  await pool.close();
});

t.test(
  'a file whose worker is killed by others is not judged; one that it had not begun goes to another',
  async (t) => {
    const begun = fakeWorker(({ kind }, say) => {
      if (kind === KIND.job) say(KIND.read, readRequest(0, SIZE));
      else begun.lose();
    });
    const pool = createPool(begun, { size: 1, ...options, start: async () => fakeWorker(honest) });
    await t.rejects(pool.submit(request()), { code: 'SANDBOX_UNAVAILABLE', status: 503, message: /not judged/ });
    t.match(await pool.submit(request()), { coverage: { state: 'complete' } }, 'asked for again it is');
    t.match(pool.stats(), { workers: 1, restarts: 1 });
    await pool.close();

    const dying = (): FakeWorker => {
      const worker = fakeWorker(({ kind }) => kind === KIND.job && setImmediate(worker.lose));
      return worker;
    };
    let started = 0;
    const start = async () => (++started === 1 ? dying() : fakeWorker(honest));
    const after = createPool(dying(), { size: 1, ...options, start });
    t.match(await after.submit(request()), { coverage: { state: 'complete' } }, 'the third worker judges it');
    t.match(after.stats(), { workers: 1, restarts: 2 });
    await after.close();

    const never = createPool(dying(), { size: 1, ...options, start: async () => dying() });
    await t.rejects(never.submit(request()), { code: 'SANDBOX_UNAVAILABLE' }, 'not for ever');
    await never.close();
  },
);

t.test('a file for which no worker becomes free is not judged, and may come again', async (t) => {
  const pool = createPool(
    fakeWorker(() => {}),
    { size: 1, ...options, patience: 50, start: async () => fakeWorker(honest) },
  );
  const running = pool.submit(request(source, 300));
  await t.rejects(pool.submit(request()), { code: 'SANDBOX_UNAVAILABLE', message: /no worker became free/ });
  t.match(await running, { details: { sandbox: 'SANDBOX_TIMEOUT' } });
  await pool.close();
  await t.rejects(pool.submit(request()), { code: 'SANDBOX_UNAVAILABLE' }, 'and none is after the end');
});

t.test('a worker is replaced after its thousandth file', async (t) => {
  let started = 0;
  const start = async () => {
    started += 1;
    return fakeWorker(honest);
  };
  const pool = createPool(fakeWorker(honest), { size: 1, ...options, start });
  for (let file = 0; file < 1000; file++) await pool.submit(request());
  t.match(await pool.submit(request()), { coverage: { state: 'complete' } });
  t.equal(started, 1);
  await pool.close();
});

t.test('small files and large files wait in lanes of their own and take turns', async (t) => {
  const queue = createQueue<string>(6);
  for (const name of ['L1', 'L2', 'L3']) t.ok(queue.add(name, 64 * MIB));
  for (const name of ['s1', 's2', 's3']) t.ok(queue.add(name, 10));
  t.notOk(queue.add('one too many', 10));
  const order = ['s1', 'L1', 's2', 'L2', 's3', 'L3'];
  for (const name of order) t.equal(queue.next(true)?.item, name);
  t.equal(queue.next(true), undefined);
  queue.add('L4', 64 * MIB);
  t.equal(queue.next(false), undefined, 'a large file waits where it has no room');
  t.ok(queue.remove('L4'));
  t.notOk(queue.remove('L4'));
});

t.test('large files leave a worker to small ones, and have them all where nothing is reserved', async (t) => {
  for (const [reserve, expected] of [
    [undefined, 1],
    [0, 2],
  ] as const) {
    const started = async () => fakeWorker(honest);
    const pool = createPool(fakeWorker(honest), {
      size: 2,
      ...options,
      ...(reserve === undefined ? {} : { reserve }),
      start: started,
    });
    await wait(10);
    t.equal(pool.stats().workers, 2);
    let reading = 0;
    let most = 0;
    const go = Promise.withResolvers<void>();
    const large: Source = {
      size: 64 * MIB,
      read: async (_, length) => {
        most = Math.max(most, ++reading);
        await go.promise;
        reading -= 1;
        return new Uint8Array(length);
      },
    };
    const reports = [1, 2, 3].map(() => pool.submit(request(large)));
    await wait(30);
    t.equal(most, expected, `${expected} of 2 at once`);
    go.resolve();
    await Promise.all(reports);
    await pool.close();
  }
});
