import { once } from 'node:events';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import t from 'tap';
import { type Config, loadConfig } from '../../src/config.ts';
import type { Ecosystem } from '../../src/ecosystems/types.ts';
import { WeighbridgeError } from '../../src/errors.ts';
import { type App, createApp } from '../../src/http/app.ts';
import type { HealthFact } from '../../src/http/health.ts';
import { createLogger } from '../../src/http/logger.ts';
import { counted, createMetrics } from '../../src/http/metrics.ts';
import { createCertificate } from '../support/certificate.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const digest = 'ab'.repeat(32);
const token = 'the-token-of-the-training-team';

/** An ecosystem that shows what a plugin sees, and can be told to fail. */
const mirror: Ecosystem = {
  name: 'mirror',
  mount: '/m',
  setting: (url) => `MIRROR=${url}`,
  async plugin(app) {
    app.get('/fault/:code', async () => {
      throw new WeighbridgeError(
        'UPSTREAM_UNREACHABLE',
        'no answer from https://user:pw@cdn.example/f?sig=SECRET with hf_abcdefghijkl',
      );
    });
    app.get('/defect', async () => {
      throw new TypeError('reading /etc/secret failed');
    });
    app.get('/inject', async () => {
      throw new WeighbridgeError('REQUEST_INVALID', 'no such file a\r\nX-Evil: 1\u0000é');
    });
    app.get('/slow', async (_request, reply) => {
      reply.raw.writeHead(200, { 'content-type': 'text/plain' });
      reply.hijack();
      reply.raw.write('begin ');
      setTimeout(() => reply.raw.end('end'), 150);
    });
    app.post('/post', async () => 'taken');
    app.get('/*', async (request) => ({
      url: request.raw.url,
      caller: request.caller ?? null,
      headers: request.headers,
      protocol: request.protocol,
      ip: request.ip,
    }));
  },
};

const never = (): never => {
  throw new Error('not part of this test');
};
const deps = {
  gateway: { view: never, head: never, get: never },
  upstream: { origin: { url: 'http://127.0.0.1:1' }, request: never, stat: never, download: never, close: never },
  records: { get: never, put: never, add: never, delete: never, list: never, close: never },
  credentialOf: () => undefined,
  publicUrl: undefined,
};

type Wanted = { env?: Record<string, string>; health?: () => Promise<HealthFact[]> };

const build = async (t: Tap, { env = {}, health = async () => [] }: Wanted = {}): Promise<App & { config: Config }> => {
  const config = loadConfig({ env: { WEIGHBRIDGE_PORT: '0', ...env } });
  const app = await createApp({
    config,
    ecosystems: [{ ecosystem: mirror, deps, mount: '/m' }],
    metrics: createMetrics(),
    health,
    lookups: {
      reports: async (sha256) => (sha256 === digest ? { format: 'safetensors' } : undefined),
      facts: async () => undefined,
    },
    logger: pino({ level: 'silent' }),
  });
  t.teardown(() => app.server.close());
  return { ...app, config };
};
type Tap = { teardown: (end: () => Promise<unknown>) => void };

const started = async (t: Tap, wanted?: Wanted): Promise<App & { url: string; port: number }> => {
  const app = await build(t, wanted);
  const url = await app.server.listen({ host: '127.0.0.1', port: 0 });
  return { ...app, url, port: Number(new URL(url).port) };
};

/** Sends bytes as they are and reads until the connection ends, which a reset does not count as. */
const said = (socket: Socket, request: string): Promise<string> => {
  socket.write(request);
  return text(socket);
};
const raw = (port: number, request: string): Promise<string> => said(connect(port, '127.0.0.1'), request);

t.test('every answer has a request id of our own making', async (t) => {
  const { server } = await build(t);
  for (const url of ['/healthz', '/m/x', '/nowhere', '/m/defect', '/m/%zz', '/m/fault/1']) {
    const answer = await server.inject({ url, headers: { 'x-request-id': 'forged\tid' } });
    t.match(answer.headers['x-request-id'], UUID, url);
  }
  t.match(await raw((await started(t)).port, 'NONSENSE\r\n\r\n'), /X-Request-Id: [0-9a-f-]{36}\r\n/);
});

t.test('a fault is worded with status, code and request id, and leaks no credential', async (t) => {
  const { server } = await build(t);
  const answer = await server.inject('/m/fault/1');
  t.equal(answer.statusCode, 504);
  t.equal(answer.headers['retry-after'], '5');
  t.match(answer.json(), { code: 'UPSTREAM_UNREACHABLE', requestId: answer.headers['x-request-id'] });
  t.equal(answer.json().error, 'no answer from https://cdn.example/f?… with hf_…');
  t.notMatch(String(answer.headers['x-error-message']), /SECRET|pw@|abcdefgh/);
});

t.test('a defect is an answer without its text; what asks wrongly is told so', async (t) => {
  const { server } = await build(t);
  const defect = await server.inject('/m/defect');
  t.equal(defect.statusCode, 500);
  t.notMatch(defect.body, 'etc');
  t.equal((await server.inject('/m/%zz')).statusCode, 400);
  t.equal((await server.inject({ method: 'POST', url: '/m/x' })).statusCode, 404);
});

t.test('nothing from outside adds a header', async (t) => {
  const { server } = await build(t);
  const answer = await server.inject('/m/inject');
  t.equal(answer.statusCode, 400);
  t.equal(answer.headers['x-evil'], undefined);
  t.match(answer.headers['x-error-message'], /^no such file a X-Evil: 1\?\? \(request [0-9a-f-]+\)$/);
});

t.test('ecosystems see the URL as it was written', async (t) => {
  const { server } = await build(t);
  for (const url of ['/m/a%2Fb/c%252Fd//e/?q=%2F', `/m/${'a'.repeat(9000)}`, '/m/a;b=c%20d', '/m/..%2f']) {
    const answer = await server.inject(url);
    t.equal(answer.json().url, url);
  }
  const dots = await raw(
    (await started(t)).port,
    'GET /m/%2e%2e/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
  );
  t.match(dots, '"url":"/m/%2e%2e/x"');
  t.equal((await server.inject('//m/x')).statusCode, 404, 'slashes are not folded');
  t.equal((await server.inject({ method: 'HEAD', url: '/m/x' })).statusCode, 404, 'HEAD is for ecosystems to define');
});

t.test('what is not served is answered with the mounts', async (t) => {
  const { server } = await build(t);
  const answer = await server.inject('/hf/x');
  t.equal(answer.statusCode, 404);
  t.match(answer.json(), { code: 'NOT_FOUND', error: /\/m, \/api\/v1/ });
});

t.test('with tokens only their bearers come in, and the token stays here', async (t) => {
  const { server } = await build(t, { env: { WEIGHBRIDGE_AUTH_TOKENS: `${token} another-token-of-length` } });
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  const wrong = [
    undefined,
    '',
    'Bearer',
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    basic('user:wrong'),
    `Digest ${token}`,
  ];
  for (const authorization of wrong) {
    const answer = await server.inject({ url: '/m/x', headers: authorization === undefined ? {} : { authorization } });
    t.equal(answer.statusCode, 401, String(authorization));
    t.match(answer.headers['www-authenticate'], 'Basic');
  }
  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, basic(`user:${token}`), basic(`${token}:`)]) {
    const answer = await server.inject({ url: '/m/x', headers: { authorization } });
    t.match(answer.json(), { caller: { name: /^token-/, team: '', role: 'pipeline' } }, authorization);
    t.notOk('authorization' in answer.json().headers);
  }
  const both = await server.inject({
    url: '/m/x',
    headers: { authorization: 'Bearer hf_x', 'x-weighbridge-token': token },
  });
  t.match(
    both.json(),
    { headers: { authorization: 'Bearer hf_x' } },
    'a second header leaves room for the upstream token',
  );
  t.notOk('x-weighbridge-token' in both.json().headers);
  for (const url of ['/healthz', '/readyz']) t.equal((await server.inject(url)).statusCode, 200, url);
  for (const url of ['/metrics', `/api/v1/reports/${digest}`, '/healthz/../m/x', '/healthz?/m/x', '/nowhere']) {
    t.equal((await server.inject(url)).statusCode, 401, url);
  }
});

t.test('on the loopback interface without tokens, a name that a web page could have is refused', async (t) => {
  const { server } = await build(t, { env: { WEIGHBRIDGE_PUBLIC_URL: 'http://gate.example:1' } });
  const status = async (host: string): Promise<number> =>
    (await server.inject({ url: '/m/x', headers: { host } })).statusCode;
  for (const host of ['127.0.0.1:8080', 'localhost:8080', '[::1]:8080', 'gate.example', 'a.localhost']) {
    t.equal(await status(host), 200, host);
  }
  for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example'])
    t.equal(await status(host), 400, host);
});

t.test('readiness follows the required facts and fails safe', async (t) => {
  const fact = { name: 'network', ok: false, detail: 'bubblewrap is not installed', required: false };
  const weak = await (await build(t, { health: async () => [fact] })).server.inject('/readyz');
  t.match([weak.statusCode, weak.json()], [200, { ready: true, facts: [fact] }]);
  const wrong = await (await build(t, { health: async () => [{ ...fact, required: true }] })).server.inject('/readyz');
  t.match([wrong.statusCode, wrong.json().ready], [503, false]);
  const broken = await (await build(t, { health: async () => never() })).server.inject('/readyz');
  t.equal(broken.statusCode, 503);
  const hangs = await (await build(t, { health: () => new Promise(() => {}) })).server.inject('/readyz');
  t.match([hangs.statusCode, hangs.body], [503, /no answer within 3000 ms/]);
});

t.test('reports are found by digest only', async (t) => {
  const { server } = await build(t);
  t.same((await server.inject(`/api/v1/reports/${digest}`)).json(), { format: 'safetensors' });
  t.equal((await server.inject(`/api/v1/reports/${'cd'.repeat(32)}`)).statusCode, 404);
  t.equal((await server.inject(`/api/v1/facts/${digest}`)).statusCode, 404);
  for (const bad of ['x', digest.toUpperCase(), '..%2f..%2fetc', `${digest}0`]) {
    t.equal((await server.inject(`/api/v1/reports/${bad}`)).statusCode, 400, bad);
  }
});

t.test('requests, decisions, bytes and delays are counted', async (t) => {
  const metrics = createMetrics();
  const entries: string[] = [];
  const log = counted(
    {
      append: async (entry) => entries.push(entry.kind),
      enqueue: (entry) => void entries.push(entry.kind),
      checkpoint: () => 'signed',
      key: 'k',
      size: 7,
      pseudonym: (value) => value,
      close: async () => {},
    },
    metrics,
  );
  const artefact = { ecosystem: 'mirror', repo: 'r', commit: 'c', path: 'p' };
  await log.append({ kind: 'artefact.decision', artefact, decision: { action: 'deny', rule: 'x', reason: '' } });
  log.enqueue({
    kind: 'artefact.outcome',
    artefact,
    served: { status: 200, bytes: 12, release: 'cached', complete: true },
  });
  t.same(entries, ['artefact.decision', 'artefact.outcome']);
  t.equal(log.size, 7);
  metrics.gauge('weighbridge_store_bytes', 'Bytes in the store', async () => 41);
  const config = loadConfig({ env: {} });
  const lookups = { reports: async () => undefined, facts: async () => undefined };
  const { server } = await createApp({
    config,
    metrics,
    lookups,
    ecosystems: [{ ecosystem: mirror, deps, mount: '/m' }],
    health: async () => [],
  });
  t.teardown(() => server.close());
  await server.inject('/m/x');
  await server.inject('/nowhere');
  const text = (await server.inject('/metrics')).body;
  t.match(text, 'weighbridge_decisions_total{ecosystem="mirror",action="deny"} 1');
  t.match(text, 'weighbridge_served_bytes_total{ecosystem="mirror",release="cached"} 12');
  t.match(text, 'weighbridge_requests_total{mount="/m",method="GET",status="200"} 1');
  t.match(text, 'weighbridge_requests_total{mount="own",method="GET",status="404"} 1');
  t.match(text, 'weighbridge_store_bytes 41');
  t.match(text, 'nodejs_eventloop_lag_p99_seconds');
});

t.test('draining fails readiness, refuses new work and lets a stream end', async (t) => {
  const app = await started(t);
  const slow = fetch(`${app.url}/m/slow`).then((answer) => answer.text());
  while (app.running() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const drained = app.drain(10_000);
  const ready = await fetch(`${app.url}/readyz`);
  t.match([ready.status, await ready.json()], [503, { ready: false, draining: true }]);
  const refused = await fetch(`${app.url}/m/x`);
  t.match([refused.status, await refused.json()], [503, { code: 'DRAINING' }]);
  t.equal(await slow, 'begin end');
  await drained;
  await t.rejects(fetch(`${app.url}/healthz`), 'nobody listens any more');
});

t.test('draining ends when patience does', async (t) => {
  const app = await started(t);
  const socket = connect(app.port, '127.0.0.1').on('error', () => {});
  socket.write('GET /m/slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(socket, 'data');
  const from = performance.now();
  await app.drain(20);
  t.ok(performance.now() - from < 120, 'did not wait for the answer');
});

t.test('two readings of one request are refused', async (t) => {
  const { port } = await started(t);
  const shapes = [
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nhello',
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nX: a\rX-Evil: 1\r\n\r\n',
    'GET /m/x HTTP/1.1\r\nConnection: close\r\n\r\n',
    'GET /m/x HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n',
    'GET /m/x y HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ];
  for (const shape of shapes) t.match(await raw(port, shape), /^HTTP\/1\.1 400 /, JSON.stringify(shape));
  const long = await raw(port, `GET /m/x HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`);
  t.match(long, /^HTTP\/1\.1 431 /);
});

t.test('whoever is still sending a head that is too long gets the refusal, and a clean end', async (t) => {
  const { cert, key } = createCertificate();
  const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key });
  const plain = await started(t);
  const { server } = await build(t, {
    env: { WEIGHBRIDGE_TLS_CERT: `${folder}/cert.pem`, WEIGHBRIDGE_TLS_KEY: `${folder}/key.pem` },
  });
  const secure = Number(new URL(await server.listen({ host: '127.0.0.1', port: 0 })).port);
  const head = `GET /m/x HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(400_000)}\r\n\r\n`;
  for (let round = 0; round < 20; round += 1) {
    t.match(await said(connect(plain.port, '127.0.0.1'), head), /^HTTP\/1\.1 431 .*\}$/s, 'http');
    const tls = connectTls({ host: '127.0.0.1', port: secure, servername: 'localhost', ca: cert });
    t.match(await said(tls, head), /^HTTP\/1\.1 431 .*\}$/s, 'https');
  }
});

t.test('a sender that never stops is not read for ever', async (t) => {
  const { port } = await started(t);
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  const send = setInterval(() => socket.write('a'.repeat(20_000)), 20);
  t.teardown(() => clearInterval(send));
  await new Promise((closed) => socket.once('close', closed));
  t.ok(socket.destroyed, 'the connection was closed under it');
});

t.test('forwarded headers are believed only from trusted addresses', async (t) => {
  const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.9' };
  const plain = await (await build(t)).server.inject({ url: '/m/x', headers });
  t.match(plain.json(), { protocol: 'http', ip: '127.0.0.1' });
  const trusting = await build(t, { env: { WEIGHBRIDGE_TRUST_PROXY: '127.0.0.0/8' } });
  t.match((await trusting.server.inject({ url: '/m/x', headers })).json(), { protocol: 'https', ip: '192.0.2.9' });
});

t.test('with a certificate it speaks https, and nothing older than TLS 1.2', async (t) => {
  const { cert, key } = createCertificate();
  const folder = t.testdir({ 'cert.pem': cert, 'key.pem': key });
  const env = { WEIGHBRIDGE_TLS_CERT: `${folder}/cert.pem`, WEIGHBRIDGE_TLS_KEY: `${folder}/key.pem` };
  const { server } = await build(t, { env });
  const url = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const answer = await new Promise<string>((resolve, reject) => {
    get({ hostname: 'localhost', port: url.port, path: '/m/x', ca: cert }, (response) => resolve(text(response))).on(
      'error',
      reject,
    );
  });
  t.match(JSON.parse(answer), { protocol: 'https' });
  t.match(
    await raw(Number(url.port), 'GET /m/x HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    /^(?!HTTP\/1.1 200)/,
    'no plain http',
  );
  const old = connectTls({
    port: Number(url.port),
    host: '127.0.0.1',
    ca: cert,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  });
  await t.rejects(once(old, 'secureConnect'), { code: /SSL|ECONNRESET/ });
});

t.test('a body beyond the limit is refused', async (t) => {
  const { server } = await build(t);
  const payload = Buffer.alloc(3 * 1024 ** 2);
  const headers = { 'content-type': 'application/json' };
  const answer = await server.inject({ method: 'POST', url: '/m/post', payload, headers });
  t.match([answer.statusCode, answer.json()], [413, { code: 'REQUEST_INVALID' }]);
});

t.test('the log of the program carries no credential', async (t) => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(line) });
  const cause = new Error('GET https://cdn.example/x?sig=SECRET');
  logger.error({ err: new Error('Bearer abc.def', { cause }), headers: { authorization: 'SECRET' } }, 'failed');
  t.match(lines[0], 'failed');
  t.notMatch(lines.join(''), /SECRET|abc\.def/);
});
