import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { retryAfter } from '../../src/upstream/patience.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/upstream.ts';
import { type Fault, startHub } from '../support/hub.ts';
import { collect, faultOf, listen } from '../support/wire.ts';

/** What every download promises, whether undici brings its bytes or our own socket (from `largeFrom` bytes on). */
export const upstreamSuite = async (largeFrom: number): Promise<void> => {
  const MIB = 1 << 20;
  const weights = randomBytes(3 * MIB);
  const text = 'x'.repeat(5000);
  const PATH = '/org/m/resolve/main/model.safetensors';
  const TEXT = '/org/m/resolve/main/notes.txt';
  const patience = {
    connect: 1000,
    headers: 800,
    stall: 600,
    backoff: 5,
    longestPause: 400,
    longestDownloadPause: 400,
  };

  const hub = await startHub({
    repos: [
      { name: 'org/m', files: { 'model.safetensors': weights, 'notes.txt': text, 'empty.bin': '' } },
      { name: 'org/p', files: { 'a.txt': 'secret' }, private: true, allow: ['hf_mine'] },
    ],
  });
  const make = (more: Partial<UpstreamOptions> = {}) => {
    const upstream = createUpstream({ origin: { url: hub.url }, allowPrivate: true, patience, largeFrom, ...more });
    t.teardown(() => upstream.close());
    return upstream;
  };
  const upstream = make();
  t.teardown(() => hub.close());
  t.beforeEach(() => {
    hub.heal();
    hub.log.length = 0;
  });

  const whole = { start: 0, size: weights.length };
  const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  t.test('a file arrives whole, by range and empty, and the token stays at home', async (t) => {
    const auth = { Authorization: 'Bearer hf_mine' };
    t.equal(sha(await collect(upstream.download(PATH, auth, whole))), sha(weights));
    const part = await collect(upstream.download(PATH, auth, { start: 1000, end: 70_000, size: weights.length }));
    t.ok(part.equals(weights.subarray(1000, 70_000)));
    t.equal((await collect(upstream.download('/org/m/resolve/main/empty.bin', {}, { start: 0, size: 0 }))).length, 0);
    t.equal((await collect(upstream.download(TEXT, {}, { start: 0, size: text.length }))).toString(), text);
    const cdn = hub.log.filter(({ where }) => where === 'cdn');
    t.ok(cdn.length >= 2, 'the second host was asked');
    t.ok(cdn.every(({ headers }) => headers.authorization === undefined && headers['accept-encoding'] === 'identity'));
    const resolved = hub.log.filter(({ path }) => path === PATH);
    t.equal(resolved.length, 1, 'a signed redirect is used again for the next range');
    t.equal(resolved[0]?.headers.authorization, 'Bearer hf_mine');
  });

  const survivable: Record<string, Fault> = {
    'a cut by FIN': { kind: 'cut', at: MIB, times: 1 },
    'a cut by RST': { kind: 'cut', at: MIB, rst: true, times: 1 },
    'three cuts in a row': { kind: 'cut', at: 700_000, times: 3 },
    'a cut before the first byte': { kind: 'cut', at: 0, times: 2 },
    'a reset before the answer': { kind: 'reset', times: 2 },
    'a stall in the body': { kind: 'stall', ms: 60_000, at: 500_000, times: 1 },
    'a stall before the headers': { kind: 'stall', ms: 60_000, times: 1 },
    'status 503': { kind: 'status', status: 503, times: 2 },
    'status 500': { kind: 'status', status: 500, times: 1 },
    'status 429 with Retry-After': { kind: 'status', status: 429, headers: { 'retry-after': '1' }, times: 1 },
    'an expired signed URL': { kind: 'status', status: 403, where: 'cdn', times: 1 },
    'a declared length that never arrives': { kind: 'length', delta: 5000, times: 1 },
    'a short object that is consistent in itself': { kind: 'length', delta: -5000, where: 'cdn', times: 1 },
    'an unwanted gzip': { kind: 'gzip', times: 1 },
    'no length at all': { kind: 'nolength' },
    'a slow drip': { kind: 'drip', chunk: 400_000, ms: 50 },
  };
  for (const [name, fault] of Object.entries(survivable)) {
    t.test(`a download survives ${name}`, async (t) => {
      hub.fail({ where: 'cdn', ...fault });
      t.equal(sha(await collect(upstream.download(PATH, {}, whole))), sha(weights));
      hub.heal();
      if (fault.kind !== 'stall') {
        hub.fail({ where: 'hub', match: /resolve-cache/, ...fault });
        t.equal((await collect(upstream.download(TEXT, {}, { start: 0, size: text.length }))).toString(), text);
      }
    });
  }

  t.test('a cut is resumed with Range and If-Range from the byte that is missing', async (t) => {
    hub.fail({ kind: 'cut', at: MIB, where: 'cdn', times: 1 });
    await collect(upstream.download(PATH, {}, whole));
    const second = hub.log.filter(({ where }) => where === 'cdn')[1];
    t.equal(second?.headers.range, `bytes=${MIB}-${weights.length - 1}`);
    t.match(second?.headers['if-range'], /^"[0-9a-f]{32}"$/);
  });

  t.test('an upstream that ignores ranges still gives the range asked for', async (t) => {
    hub.fail({ kind: 'norange' });
    const part = await collect(
      upstream.download(PATH, {}, { start: 2 * MIB, end: 2 * MIB + 10, size: weights.length }),
    );
    t.ok(part.equals(weights.subarray(2 * MIB, 2 * MIB + 10)));
    hub.fail({ kind: 'cut', at: MIB, where: 'cdn', times: 1 });
    t.equal(sha(await collect(upstream.download(PATH, {}, whole))), sha(weights));
  });

  t.test('an expired URL that was remembered is resolved anew', async (t) => {
    await collect(upstream.download(PATH, {}, { start: 0, end: 10, size: weights.length }));
    hub.fail({ kind: 'status', status: 403, where: 'cdn', times: 1 });
    hub.log.length = 0;
    await collect(upstream.download(PATH, {}, { start: 10, end: 20, size: weights.length }));
    t.equal(hub.log.filter(({ path }) => path === PATH).length, 1);
  });

  t.test('a length that is not the listed one is a mismatch, never a short or a long file', async (t) => {
    for (const size of [weights.length - 1, weights.length + 1]) {
      t.equal((await faultOf(collect(upstream.download(PATH, {}, { start: 0, size })))).code, 'UPSTREAM_MISMATCH');
      t.equal((await faultOf(collect(upstream.download(PATH, {}, { start: 5, size })))).code, 'UPSTREAM_MISMATCH');
    }
    const beyond = { start: weights.length + 5, size: weights.length + 10 };
    t.equal((await faultOf(collect(upstream.download(PATH, {}, beyond)))).code, 'UPSTREAM_MISMATCH', '416');
    hub.fail({ kind: 'nolength' });
    const long = { start: 0, size: weights.length - 1 };
    t.equal((await faultOf(collect(upstream.download(PATH, {}, long)))).code, 'UPSTREAM_MISMATCH', 'without a length');
    hub.heal();
    hub.fail({ kind: 'gzip' });
    t.equal((await faultOf(collect(upstream.download(PATH, {}, long)))).code, 'UPSTREAM_MISMATCH', 'compressed');
    hub.heal();
    hub.fail({ kind: 'endless', where: 'cdn' });
    t.equal((await faultOf(collect(upstream.download(PATH, {}, whole)))).code, 'UPSTREAM_MISMATCH', 'endless');
  });

  t.test('a body shorter than its Content-Range says, again and again, is a mismatch that names both', async (t) => {
    const range = { start: 10, end: MIB, size: weights.length };
    const text = new RegExp(`sent 100 bytes of a body where its Content-Range has ${MIB - 10}$`);
    hub.fail({ kind: 'stub', bytes: 100, where: 'cdn' });
    t.match(await faultOf(collect(upstream.download(PATH, {}, range))), { code: 'UPSTREAM_MISMATCH', message: text });
    t.equal(hub.log.filter(({ where }) => where === 'cdn').length, 4, 'asked again, a bounded number of times');
    hub.heal();
    hub.fail({ kind: 'stub', bytes: 100, where: 'cdn' });
    hub.fail({ kind: 'nolength', where: 'cdn' });
    const chunked = await faultOf(collect(upstream.download(PATH, {}, range)));
    t.match(chunked, { code: 'UPSTREAM_MISMATCH', message: /sent a body that ends at byte 410 of 1048576$/ });
    const endless = await faultOf(collect(upstream.download(PATH, {}, whole)));
    t.match(endless, { code: 'UPSTREAM_MISMATCH', message: /ends at byte 400 of 3145728$/ }, 'of a whole file too');
    hub.heal();
    hub.fail({ kind: 'stub', bytes: 100, where: 'cdn', times: 3 });
    t.ok((await collect(upstream.download(PATH, {}, range))).equals(weights.subarray(10, MIB)), 'it may pass');
  });

  t.test('ranges shorter than those asked for are put together', async (t) => {
    const parts = createServer((request, response) => {
      const [, from = '0', to = `${weights.length - 1}`] =
        /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
      const end = Math.min(Number(to), Number(from) + 700_000 - 1);
      response.writeHead(206, { 'content-range': `bytes ${from}-${end}/${weights.length}` });
      response.end(weights.subarray(Number(from), end + 1));
    });
    const cautious = make({ origin: { url: await listen(t, parts) } });
    t.ok((await collect(cautious.download('/x', {}, whole))).equals(weights));
  });

  t.test(
    'a body that ends with its connection may have been cut: asked for again, away when it stays so',
    async (t) => {
      let asked = 0;
      const raw = createTcp((socket) => {
        asked += 1;
        socket.on('error', () => socket.destroy());
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nshort'));
      });
      const odd = make({ origin: { url: await listen(t, raw) } });
      t.equal((await faultOf(collect(odd.download('/x', {}, whole)))).code, 'UPSTREAM_UNREACHABLE');
      t.ok(asked >= 6, `asked ${asked} times`);
    },
  );

  t.test('a file that changes between two requests is a mismatch', async (t) => {
    hub.fail({ kind: 'cut', at: MIB, where: 'cdn', times: 1 });
    hub.fail({ kind: 'headers', headers: { etag: '"other"' }, where: 'cdn', skip: 1 });
    t.equal((await faultOf(collect(upstream.download(PATH, {}, whole)))).code, 'UPSTREAM_MISMATCH');
  });

  t.test('a range that is answered with another range is a mismatch', async (t) => {
    hub.fail({ kind: 'headers', headers: { 'content-range': `bytes 0-9/${weights.length}` }, where: 'cdn' });
    const range = { start: 10, end: 20, size: weights.length };
    t.equal((await faultOf(collect(upstream.download(PATH, {}, range)))).code, 'UPSTREAM_MISMATCH');
  });

  t.test('upstream that stays away ends in a fault after a bounded number of attempts', async (t) => {
    hub.fail({ kind: 'status', status: 503, where: 'cdn' });
    const fault = await faultOf(collect(upstream.download(PATH, {}, whole)));
    t.match(fault, { code: 'UPSTREAM_UNREACHABLE', details: { status: 503 } });
    t.equal(hub.log.filter(({ where }) => where === 'cdn').length, 6);
    t.equal(
      (await faultOf(collect(upstream.download('/org/m/resolve/main/none', {}, whole)))).code,
      'UPSTREAM_REFUSED',
    );
    const gone = make({ origin: { url: 'http://127.0.0.1:1' } });
    t.equal((await faultOf(gone.request({ method: 'GET', url: '/api' }))).code, 'UPSTREAM_UNREACHABLE');
  });

  t.test('a caller who leaves or gives up ends the transfer', async (t) => {
    const stop = new AbortController();
    hub.fail({ kind: 'drip', chunk: 65_536, ms: 20, where: 'cdn' });
    const work = faultOf(collect(upstream.download(PATH, {}, whole, stop.signal)));
    setTimeout(() => stop.abort(), 100);
    t.equal((await work).code, 'CANCELLED');
    for await (const chunk of upstream.download(PATH, {}, whole)) {
      t.ok(chunk.length > 0);
      break;
    }
    const before = new AbortController();
    before.abort();
    t.equal(
      (await faultOf(upstream.request({ method: 'GET', url: '/api/x', signal: before.signal }))).code,
      'CANCELLED',
    );
  });

  t.test('metadata: statuses are values, faults that pass are hidden, errors keep their headers', async (t) => {
    hub.fail({ kind: 'status', status: 502, times: 1 });
    hub.fail({ kind: 'reset', times: 1, skip: 1 });
    t.equal((await upstream.request({ method: 'GET', url: '/api/models/org/m' })).status, 200);
    hub.fail({ kind: 'status', status: 429, headers: { 'retry-after': '3000' } });
    const limited = await upstream.request({ method: 'GET', url: '/api/models/org/m' });
    t.match(limited, { status: 429, headers: { 'retry-after': '3000' } }, 'a long Retry-After is handed on at once');
    hub.heal();
    const missing = await upstream.stat('/org/m/resolve/main/none', {});
    t.match(missing, { status: 404, headers: { 'x-error-code': 'EntryNotFound', 'x-repo-commit': /^[0-9a-f]{40}$/ } });
    const found = await upstream.stat(PATH, {});
    t.match(
      found,
      { status: 302, headers: { 'x-linked-size': String(weights.length) } },
      'not followed to another host',
    );
    t.equal((await upstream.stat('/ORG/M/resolve/main/notes.txt', {})).headers['content-length'], String(text.length));
    t.equal((await upstream.request({ method: 'GET', url: '/api/models/ORG/m?blobs=true' })).status, 200);
  });

  t.test('metadata: an answer beyond the cap is refused, also one that only grows when decoded', async (t) => {
    hub.fail({ kind: 'endless', match: /resolve-cache/ });
    t.equal((await faultOf(upstream.request({ method: 'GET', url: TEXT }))).code, 'UPSTREAM_TOO_LARGE');
    const bomb = gzipSync(Buffer.alloc(80 * MIB));
    const url = await listen(
      t,
      createServer((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)),
    );
    t.equal((await faultOf(make({ origin: { url } }).request({ method: 'GET', url: '/' }))).code, 'UPSTREAM_TOO_LARGE');
    const odd = await listen(
      t,
      createServer((_, response) => response.writeHead(200, { 'content-encoding': 'x' }).end('a')),
    );
    t.equal(
      (await faultOf(make({ origin: { url: odd } }).request({ method: 'GET', url: '/' }))).code,
      'UPSTREAM_REFUSED',
    );
  });

  t.test('the configured token is a default that the caller overrides; neither is sent abroad', async (t) => {
    const own = make({ origin: { url: hub.url, token: 'hf_mine' } });
    t.equal((await own.request({ method: 'GET', url: '/api/models/org/p' })).status, 200);
    const bad = await own.request({
      method: 'GET',
      url: '/api/models/org/p',
      headers: { Authorization: 'Bearer hf_bad' },
    });
    t.equal(bad.status, 401);
    await collect(own.download(PATH, {}, whole));
    t.ok(hub.log.filter(({ where }) => where === 'cdn').every(({ headers }) => headers.authorization === undefined));
  });

  t.test('Retry-After is read as seconds and as a date', async (t) => {
    t.equal(retryAfter('3', 0), 3000);
    t.equal(retryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4000), 6000);
    t.equal(retryAfter('soon', 0), undefined);
  });

  t.test('a reader that takes its time is not a stall', async (t) => {
    let bytes = 0;
    for await (const chunk of upstream.download(PATH, {}, whole)) {
      if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 2000));
      bytes += chunk.length;
    }
    t.equal(bytes, weights.length);
    t.equal(hub.log.filter(({ where }) => where === 'cdn').length, 1, 'nothing was asked again');
  });

  t.test('a path stands below the url of the origin and goes out as it is written', async (t) => {
    const url = await listen(
      t,
      createServer((request, response) => response.end(request.url)),
    );
    const below = make({ origin: { url: `${url}/hub/` } });
    const echo = async (path: string) =>
      Buffer.from((await below.request({ method: 'GET', url: path })).body).toString();
    t.equal(await echo('/a%2Fb/%252e%252e/x?y=%20'), '/hub/a%2Fb/%252e%252e/x?y=%20');
    t.equal(await echo(`${url}/elsewhere`), '/elsewhere', 'an absolute URL is taken as it is');
    t.equal(Buffer.concat([await collect(below.download('/f', {}, { start: 0, size: 6 }))]).toString(), '/hub/f');
  });

  t.test('an answer that is no HTTP, or headers without end, is a fault and not a crash', async (t) => {
    for (const words of [
      'hello\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}`,
      'HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n',
    ]) {
      const raw = createTcp((socket) => {
        socket.on('error', () => socket.destroy());
        socket.end(words);
      });
      const odd = make({ origin: { url: await listen(t, raw) } });
      t.equal((await faultOf(odd.request({ method: 'GET', url: '/' }))).code, 'UPSTREAM_UNREACHABLE');
    }
  });
};
