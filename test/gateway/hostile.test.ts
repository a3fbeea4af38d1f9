import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { HubRepo } from '../support/hub.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { HUB_AGENT, startWorld, type World } from '../support/world.ts';

const MIB = 1024 * 1024;

const weights = (bytes: number, seed = 1): Uint8Array => {
  const data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 997) data[at] = (at * seed) >> 3;
  return safetensors({ weight: { dtype: 'U8', shape: [bytes], data } }, { metadata: { format: 'pt' } });
};
const repo = (files: HubRepo['files'], more: Partial<HubRepo> = {}): HubRepo => ({ name: 'acme/tiny', files, ...more });
const path = (file: string): string => `acme/tiny/resolve/main/${file}`;
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A download over a bare socket that takes `rate` bytes every 50 ms; resolves with the body's length. */
const slowReader = async (world: World, file: string, rate: number): Promise<number> => {
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `GET /hf/${path(file)} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUser-Agent: ${HUB_AGENT}\r\nConnection: close\r\n\r\n`,
  );
  let total = 0;
  let head: Buffer = Buffer.alloc(0);
  let body = false;
  while (!socket.readableEnded && !socket.destroyed) {
    const chunk = (socket.read(rate) ?? socket.read()) as Buffer | null;
    if (chunk === null) {
      await sleep(5);
      continue;
    }
    if (body) total += chunk.length;
    else {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end >= 0) {
        body = true;
        total = head.length - end - 4;
      }
    }
    await sleep(50);
  }
  socket.destroy();
  return total;
};

t.test('200 slow readers of one file cost little memory and all get the whole of it', async (t) => {
  const file = weights(4 * MIB);
  const world = await startWorld(t, [repo({ 'model.safetensors': file })]);
  await bytesOf(await world.fetch(path('model.safetensors')));
  const before = process.memoryUsage().rss;
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 50);
  const sizes = await Promise.all(
    Array.from({ length: 200 }, () => slowReader(world, 'model.safetensors', 128 * 1024)),
  );
  clearInterval(watch);
  t.same([...new Set(sizes)], [file.length]);
  // Sockets and chunks of both ends live in this process; whole files would take 800 MiB.
  t.ok(peak - before < 500 * MIB, `${Math.round((peak - before) / MIB)} MiB more than before`);
});

t.test('what changes between HEAD and GET is never served under the old name', async (t) => {
  const [old, renewed] = [weights(2 * MIB, 1), weights(2 * MIB, 2)];
  const world = await startWorld(t, [repo({ 'model.safetensors': old })]);
  const head = await world.fetch(path('model.safetensors'), { method: 'HEAD' });
  t.equal(head.headers.get('etag'), `"${sha256(old)}"`);
  await world.hub.put(repo({ 'model.safetensors': renewed }));
  const answer = await world.fetch(path('model.safetensors'));
  if (answer.status === 200) t.equal(answer.headers.get('etag'), `"${sha256(await bytesOf(answer))}"`);
  else t.match(await answer.text(), /Invalid rev/i);
  await sleep(5100);
  const later = await world.fetch(path('model.safetensors'));
  t.equal(later.headers.get('etag'), `"${sha256(renewed)}"`, 'a branch that moved is followed after a few seconds');
  t.ok((await bytesOf(later)).equals(Buffer.from(renewed)));
});

t.test('a decompression bomb is refused, and the next file is judged', async (t) => {
  const bomb = gzipSync(Buffer.alloc(1_500 * MIB), { level: 9 });
  const world = await startWorld(t, [repo({ 'data.csv.gz': bomb, 'model.safetensors': weights(1000) })]);
  const answer = await world.fetch(path('data.csv.gz'));
  t.equal(answer.status, 403);
  t.match(answer.headers.get('x-error-message'), /limit|ratio|expand|bomb/i);
  t.equal((await world.fetch(path('model.safetensors'))).status, 200);
});

/** The processes that this one started, which are the sandbox's workers and nothing else here. */
const children = async (): Promise<readonly number[]> => {
  const { readdir, readFile } = await import('node:fs/promises');
  const found: number[] = [];
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid) found.push(Number(name));
  }
  return found;
};

const killAll = async (): Promise<void> => {
  for (const pid of await children()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
};

/** Code whose reading takes long: some 2 s for 60,000 lines. */
const longCode = (lines: number): Buffer =>
  Buffer.from(
    Array.from({ length: lines }, (_, at) => `v${at} = {'k': [${at}, 'some text', f(x, y=${at})]}\n`).join(''),
  );

// A worker of its own for each limit: on a busy machine the file that takes the memory would meet a short time first.
for (const { limit, settings, name, file, why } of [
  {
    limit: 'time',
    settings: { SANDBOX_TIMEOUT: '400ms' },
    name: 'slow.py',
    file: () => longCode(150_000),
    why: /longer than 400 ms/,
  },
  {
    limit: 'memory',
    settings: { SANDBOX_MEMORY: '64MiB', SANDBOX_TIMEOUT: '60s' },
    name: 'memory.bin',
    file: () => {
      const large = Buffer.alloc(120 * MIB);
      for (let at = 0; at < large.length; at += 64) large.writeUInt32LE((at * 2654435761) >>> 0, at);
      return gzipSync(large, { level: 1 });
    },
    why: /allocation failed|needed more than/,
  },
]) {
  t.test(`a file that takes a worker its ${limit} is refused, and the next file is served`, async (t) => {
    const good = weights(1000);
    const world = await startWorld(t, [repo({ [name]: file(), 'good.safetensors': good })], { settings });
    const answer = await world.fetch(path(name));
    t.equal(answer.status, 403, name);
    t.match(answer.headers.get('x-error-message'), why, name);
    const next = await world.fetch(path('good.safetensors'));
    t.equal(next.status, 200, `after ${name}`);
    t.ok((await bytesOf(next)).equals(good));
  });
}

t.test(
  'a file whose worker is killed by others in mid-inspection is neither passed nor refused, and may come again',
  async (t) => {
    const code = longCode(60_000);
    const world = await startWorld(t, [repo({ 'busy.py': code, 'good.safetensors': weights(1000) })]);
    const asked = world.fetch(path('busy.py'));
    while (!world.hub.log.some((seen) => seen.path.includes('busy.py'))) await sleep(20);
    await sleep(400);
    await killAll();
    const answer = await asked;
    t.equal(answer.status, 503);
    t.match(answer.headers.get('retry-after'), /^\d+$/);
    t.match(answer.headers.get('x-error-message'), /signal SIGKILL; the file was not judged/);
    t.equal((await world.fetch(path('good.safetensors'))).status, 200, 'the pool is whole again');
    const again = await world.fetch(path('busy.py'));
    t.equal(again.status, 200, 'judged in peace it is what it always was');
    t.ok((await bytesOf(again)).equals(code));
    const told = (await world.entries()).filter(({ artefact }) => artefact?.path === 'busy.py');
    t.match(told[0], {
      kind: 'artefact.outcome',
      served: { status: 503, bytes: 0 },
      detail: { fault: 'SANDBOX_UNAVAILABLE' },
    });
  },
);

t.test(
  'files that are asked for while no worker is up wait for one, and the workers replaced are counted',
  async (t) => {
    const files: Record<string, Uint8Array> = {};
    for (let at = 0; at < 24; at++) files[`good-${at}.safetensors`] = weights(1000 + at);
    const world = await startWorld(t, [repo(files)], { settings: { SANDBOX_WORKERS: '2' } });
    const restarts = async (): Promise<number> => {
      const text = await (await fetch(`${world.url}/metrics`)).text();
      return Number(/^weighbridge_sandbox_restarts (\d+)$/m.exec(text)?.[1]);
    };
    t.equal(await restarts(), 0);
    // At different moments after the blow: unnoticed, noticed, and when new workers start.
    for (const [round, pause] of [0, 2, 20].entries()) {
      await killAll();
      await sleep(pause);
      const asked = Object.keys(files).slice(8 * round, 8 * round + 8);
      const answers = await Promise.all(asked.map((name) => world.fetch(path(name))));
      t.same([...new Set(answers.map(({ status }) => status))], [200], `asked ${pause} ms after all were killed`);
    }
    t.ok((await restarts()) >= 3);
  },
);

t.test('a redirect of the Hub to an internal address is not followed', async (t) => {
  const world = await startWorld(t, [repo({ 'model.safetensors': weights(2000) })], {
    settings: { UPSTREAMS_ALLOW_PRIVATE: 'false' },
    hub: { cdnHost: '127.0.0.1' },
  });
  const answer = await world.fetch(path('model.safetensors'));
  t.equal(answer.status, 403, 'a client of the Hub prints that one');
  t.match(await answer.text(), /private|loopback|not allowed|blocked/i);
  t.equal(world.hub.log.filter(({ where }) => where === 'cdn').length, 0);
});

t.test('the caller’s token goes to the Hub alone, and into no log, report or metric', async (t) => {
  const token = 'hf_CanaryCanaryCanaryCanaryCanaryCanary';
  const world = await startWorld(t, [
    repo({ 'model.safetensors': weights(2000), 'config.json': '{}' }, { private: true, allow: [token] }),
  ]);
  const headers = { authorization: `Bearer ${token}` };
  t.equal((await world.fetch(path('model.safetensors'), { headers })).status, 200);
  t.equal((await world.fetch(path('absent.json'), { headers })).status, 404);
  t.equal((await world.fetch(`api/models/acme/tiny?token=${token}`, { headers })).status, 200);
  t.not((await world.fetch(path('model.safetensors'))).status, 200, 'another caller is asked for rights of its own');
  for (const { where, headers: sent } of world.hub.log) {
    if (where === 'cdn') t.notOk(sent['authorization'], 'no token to the second host');
  }
  await sleep(100);
  const { readdir, readFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const folders = await readdir(world.data, { recursive: true, withFileTypes: true });
  for (const entry of folders.filter((file) => file.isFile() && !file.parentPath.includes('blobs'))) {
    const text = await readFile(join(entry.parentPath, entry.name));
    t.notOk(text.includes(token), `${entry.name} does not hold the token`);
  }
  t.notOk((await (await fetch(`${world.url}/metrics`)).text()).includes(token));
});

t.test('a client that gives up in the middle leaves nothing behind', async (t) => {
  const world = await startWorld(t, [repo({ 'model.safetensors': weights(12 * MIB) })]);
  world.hub.fail({ kind: 'drip', chunk: 256 * 1024, ms: 20, where: 'cdn' });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const leaving = new AbortController();
    const answer = await world.fetch(path('model.safetensors'), { signal: leaving.signal });
    const reader = answer.body!.getReader();
    await reader.read();
    leaving.abort();
    await reader.cancel().catch(() => undefined);
  }
  world.hub.heal();
  const answer = await world.fetch(path('model.safetensors'));
  t.equal((await bytesOf(answer)).length, weights(12 * MIB).length);
  await sleep(200);
  const entries = (await world.entries()).filter(({ artefact }) => artefact?.path === 'model.safetensors');
  const outcomes = entries.filter(({ kind }) => kind === 'artefact.outcome');
  t.equal(
    outcomes.length,
    entries.filter(({ kind }) => kind === 'artefact.decision').length,
    'each decision has its outcome',
  );
  t.ok(outcomes.some(({ served }) => served.complete === false));
});

t.test('a file over 50 GB is refused with the reason to the clients that would give up on it', async (t) => {
  const { open } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const file = join(t.testdir(), 'sparse.gguf');
  const handle = await open(file, 'w');
  await handle.truncate(50_000_000_001);
  await handle.close();
  const world = await startWorld(t, [repo({ 'large.gguf': { file, sha256: 'ab'.repeat(32) } })]);
  for (const method of ['HEAD', 'GET']) {
    const answer = await world.fetch(path('large.gguf'), { method });
    t.equal(answer.status, 403);
    t.equal(answer.headers.get('x-error-code'), 'GatedRepo');
    t.match(answer.headers.get('x-error-message'), /over 50 GB.*Xet.*curl/);
  }
  await sleep(100);
  const [entry] = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
  t.match(entry, { decision: { action: 'deny', rule: /over-50-gb/ } });
});
