import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import t from 'tap';
import { createAccessLog } from '../../src/audit/access-log.ts';
import { MIB } from '../../src/bytes/limits.ts';
import { loadConfig } from '../../src/config.ts';
import { createApp } from '../../src/http/app.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { layout } from '../../src/store/layout.ts';
import { openStore } from '../../src/store/store.ts';

/** A pickle that would call os.system if anything loaded it; nothing here does. */
const ATTACK = Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.', 'latin1');
const TOKEN = 'the-token-of-the-scanning-team';
const POLICY = `
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: here, title: For this test }
rules:
  - { id: harm, when: 'artefact.content == "active" || findings.exists(f, f.severity >= high)', action: deny, message: it would run }
  - { id: inert, when: 'artefact.content == "inert" && coverage.state == "complete"', action: allow, message: it is inert }
  - { id: rest, when: 'artefact.content == "unknown"', action: quarantine, message: nobody knows }
`;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const sandbox = await createSandbox({ workers: 1, memory: 256 * MIB, timeout: 60_000, require: 'isolate' });
t.teardown(() => sandbox.close());
const policies = loadPolicies({ 'here.yaml': POLICY });

type Tap = Pick<typeof t, 'teardown'>;

const folder = t.testdir({});
let stores = 0;

/** A gateway that scans uploads of at most `limit` bytes, and its store. */
const start = async (t: Tap, { limit = 10 * MIB, env = {} }: { limit?: number; env?: Record<string, string> } = {}) => {
  const data = join(folder, `store-${stores++}`);
  const store = await openStore({ data, limit: 1024 * MIB });
  const directory = join(data, 'log');
  const log = await createAccessLog({ directory, origin: 'test.invalid/log', remember: () => undefined });
  const { server } = await createApp({
    config: loadConfig({ env: { WEIGHBRIDGE_PORT: '0', ...env } }),
    ecosystems: [],
    metrics: createMetrics(),
    health: async () => [],
    lookups: { reports: (digest) => store.records.get('report', `${sandbox.ruleset}/${digest}`) },
    scan: { ...store, sandbox, policies: () => policies, log, limit },
    logger: pino({ level: 'silent' }),
  });
  t.teardown(async () => {
    server.server.closeAllConnections();
    await server.close();
    await log.close();
    await store.close();
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const spooled = (): readonly string[] => readdirSync(layout(data).temporary);
  /** Waits for the end of an upload whose sender has gone. */
  const settled = async (): Promise<void> => {
    for (let tries = 0; spooled().length > 0 && tries < 200; tries++) await wait(25);
  };
  const entries = (): readonly Logged[] =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.jsonl') && name.startsWith('audit'))
      .flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'))
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { url, data, port: Number(new URL(url).port), store, log, spooled, settled, entries };
};

type Logged = {
  readonly kind: string;
  readonly artefact?: { readonly path: string; readonly size: number };
} & Readonly<Record<'request' | 'decision' | 'detail' | 'actor', unknown>> & {
    readonly evidence?: { readonly facts: string };
  };

const form = (files: Readonly<Record<string, Uint8Array>>): FormData => {
  const body = new FormData();
  for (const [name, bytes] of Object.entries(files)) body.append('file', new Blob([new Uint8Array(bytes)]), name);
  return body;
};
type Said = {
  readonly error: string;
  readonly files: readonly {
    readonly path: string;
    readonly evidence: { readonly facts: string };
    readonly report: { readonly findings: readonly unknown[] };
  }[];
};
const post = async (url: string, body: FormData, headers: Record<string, string> = {}) => {
  const answer = await fetch(`${url}/api/v1/scan`, { method: 'POST', body, headers });
  return { status: answer.status, headers: answer.headers, json: (await answer.json()) as Said };
};

t.test('each file of an upload gets a report and a decision, and nothing is kept', async (t) => {
  const { url, store, spooled } = await start(t);
  const text = Buffer.from('good day\n');
  const { status, json: said } = await post(url, form({ 'notes.txt': text, 'model.safetensors': ATTACK }));
  t.equal(status, 200);
  t.match(said.files, [
    { path: 'notes.txt', size: text.length, sha256: sha256(text), kept: false, decision: { action: 'allow' } },
    {
      path: 'model.safetensors',
      sha256: sha256(ATTACK),
      decision: { action: 'deny', rule: 'here/harm', reason: /it would run/ },
      report: { format: 'pickle', content: 'active', coverage: { state: 'complete' } },
    },
  ]);
  t.match(said.files[1]?.report.findings[0], { rule: /^pickle\./, refs: [/^C/] });
  t.equal((await store.blobs.usage()).blobs, 0);
  t.same(spooled(), []);
  t.equal(await store.blobs.has(sha256(text)), false);
  t.equal((await fetch(`${url}/api/v1/reports/${sha256(text)}`)).status, 404);
});

t.test('names of files are labels: none of them is a path here', async (t) => {
  const { url, data, spooled } = await start(t);
  const before = readdirSync(data).sort();
  const names = [
    '../../../escaped.txt',
    '/etc/escaped',
    'C:\\escaped.bin',
    `${'d/'.repeat(300)}x`,
    'a\u202eb\u001b[2J',
  ];
  const { json: said } = await post(url, form(Object.fromEntries(names.map((name) => [name, Buffer.from('hello\n')]))));
  t.match(
    said.files.map(({ path }) => path),
    ['../../../escaped.txt', '/etc/escaped', /escaped\.bin$/, `${'d/'.repeat(300)}x`, /^a.*b\\u\{1b\}\[2J$/],
  );
  t.same(readdirSync(data).sort(), before);
  t.same(spooled(), []);
  for (const place of [join(data, '../../../escaped.txt'), join(data, 'escaped.txt'), '/etc/escaped'])
    t.notOk(existsSync(place), place);
});

t.test('?keep=true keeps the bytes and the report', async (t) => {
  const { url, store } = await start(t);
  const answer = await fetch(`${url}/api/v1/scan?keep=true`, { method: 'POST', body: form({ 'a.pkl': ATTACK }) });
  t.match(await answer.json(), { files: [{ kept: true, sha256: sha256(ATTACK) }] });
  t.ok(await store.blobs.has(sha256(ATTACK)));
  const report = await fetch(`${url}/api/v1/reports/${sha256(ATTACK)}`);
  t.match([report.status, await report.json()], [200, { format: 'pickle', content: 'active' }]);
  t.match(await post(url, form({ 'b.pkl': ATTACK })), {
    json: { files: [{ kept: false, report: { format: 'pickle' } }] },
  });
  t.ok(await store.blobs.has(sha256(ATTACK)), 'what was kept stays when the same bytes come again');
});

/** The beginning and the end of a form with one file. */
const BOUNDARY = 'a-boundary-of-the-test';
const part = (name: string): string =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
const END = `\r\n--${BOUNDARY}--\r\n`;

/** Sends a form in pieces, with no length said. */
const streamed = async (port: number, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array | string>) => {
  const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
  const sending = request({ host: '127.0.0.1', port, path: '/api/v1/scan', method: 'POST', headers });
  sending.on('error', () => undefined);
  const answering = once(sending, 'response');
  Readable.from(body).pipe(sending);
  const [answer] = await answering;
  return { status: answer.statusCode, json: (await json(answer)) as { files: unknown[]; error: string } };
};

t.test('each file that is scanned is entered in the log before the answer, whatever it is called', async (t) => {
  const { url, entries, store, log } = await start(t);
  const text = Buffer.from('good day\n');
  const secret = ['hf', 'Zq7w9Lm2Xc4Vb6Nn8Kk1Jj3Hh5Gg7Ff9Dd'].join('_');
  const odd = `a\u202eb\u001b[2J/../${secret}`;
  const files = { 'notes.txt': text, [odd]: ATTACK, [`${'n'.repeat(5000)}.txt`]: text };
  const { json: said } = await post(url, form(files));
  const entered = entries();
  t.match(entered, [
    {
      v: 1,
      kind: 'upload.decision',
      request: { method: 'POST', route: '/api/v1/scan' },
      actor: /^p_/,
      client: { name: 'upload' },
      artefact: { ecosystem: 'file', path: 'notes.txt', sha256: sha256(text), size: text.length, format: 'text' },
      decision: { action: 'allow', rule: 'here/inert' },
      evidence: { policySet: policies.digest, ruleset: sandbox.ruleset, facts: /^[0-9a-f]{64}$/ },
      detail: { kept: false },
    },
    {
      kind: 'upload.decision',
      artefact: { path: /^a.*b.*\[redacted\]$/, sha256: sha256(ATTACK), format: 'pickle' },
      decision: { action: 'deny', rule: 'here/harm' },
    },
    { kind: 'upload.decision', artefact: { path: /^n{1000,1024}\.*$/ } },
  ]);
  t.equal(entered.length, 3);
  t.notMatch(JSON.stringify(entered), new RegExp(secret));
  t.same(
    said.files.map(({ evidence }) => evidence),
    entered.map(({ evidence }) => evidence),
    'the answer names the same evidence',
  );
  t.equal(await store.records.get('facts', said.files[0]?.evidence.facts ?? ''), undefined, 'and nothing is kept');
  await fetch(`${url}/api/v1/scan?keep=true`, { method: 'POST', body: form({ 'kept.txt': text }) });
  const kept = entries().at(-1);
  t.match(kept, { kind: 'upload.decision', detail: { kept: true } });
  const facts = await store.records.get('facts', kept?.evidence?.facts ?? '');
  t.match(facts, { artefact: { path: 'kept.txt', sha256: sha256(text) }, requester: { id: kept?.actor } });
  t.equal(policies.decide(facts as never, Date.now()).action, 'allow', 'what is kept decides again');
  await log.close();
  const closed = await post(url, form({ 'notes.txt': text }));
  t.equal(closed.status, 503, 'what cannot be entered is not told');
  t.notOk(closed.json.files);
});

setFlagsFromString('--expose-gc');
/** Lets go of what nobody uses, so that what is counted is in use. */
const collect: () => void = runInNewContext('gc');

t.test('a large file streams through with little memory', async (t) => {
  const size = 96 * MIB;
  const { port, spooled } = await start(t, { limit: 200 * MIB });
  const header = Buffer.from(`{"w":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const hash = createHash('sha256').update(length).update(header);
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const body = async function* () {
    yield Buffer.from(part('large'));
    yield Buffer.concat([length, header]);
    const block = Buffer.alloc(MIB, 5);
    for (let at = 0; at < size; at += MIB) {
      hash.update(block);
      yield block;
      if (at % (8 * MIB) !== 0) continue;
      collect();
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    yield Buffer.from(END);
  };
  const { status, json: said } = await streamed(port, body());
  t.equal(status, 200);
  t.match(said.files, [
    { format: undefined, size: size + header.length + 8, sha256: hash.digest('hex'), decision: { action: 'allow' } },
  ]);
  t.ok(peak < 32 * MIB, `${Math.round(peak / MIB)} MiB of buffers in use`);
  t.same(spooled(), []);
});

t.test('an upload that is cut leaves nothing behind but an entry', async (t) => {
  const { port, url, store, spooled, settled, entries } = await start(t);
  for (const bytes of [`${part('cut')}${'x'.repeat(100_000)}`, part('cut'), `--${BOUNDARY}\r\nContent-Dispo`]) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const head = `POST /api/v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n`;
    socket.write(`${head}Content-Length: 500000\r\n\r\n${bytes}`);
    await wait(100);
    socket.destroy();
    await settled();
    t.same(spooled(), []);
  }
  const short = await streamed(port, [part('short'), 'no end of the form']);
  t.match([short.status, short.json.error], [400, /not valid multipart/]);
  t.same(spooled(), []);
  t.equal((await store.blobs.usage()).bytes, 0);
  t.equal((await post(url, form({ 'a.txt': Buffer.from('still here\n') }))).status, 200);
  const failed = { kind: 'upload.failed', decision: undefined };
  t.match(entries(), [
    { ...failed, artefact: { path: 'cut' }, detail: { fault: 'CANCELLED' } },
    { ...failed, artefact: undefined, detail: { fault: 'CANCELLED' } },
    { ...failed, artefact: undefined, detail: { fault: 'CANCELLED' } },
    { ...failed, artefact: { path: 'short' }, detail: { fault: 'REQUEST_INVALID' } },
    { kind: 'upload.decision', artefact: { path: 'a.txt' } },
  ]);
  const received = entries()[0]?.artefact?.size ?? 0;
  t.ok(received > 0 && received <= 100_000, `${received} bytes had arrived`);
});

/** Sends bytes and gives what comes back until the connection ends or `until` has come. */
const raw = async (
  port: number,
  bytes: string,
  until?: RegExp,
): Promise<{ text: string; send: (more: string) => void; rest: () => Promise<string> }> => {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.setEncoding('latin1').write(bytes);
  let text = '';
  const iterator = socket[Symbol.asyncIterator]();
  const read = async (pattern?: RegExp): Promise<void> => {
    while (pattern === undefined || !pattern.test(text)) {
      const { value, done } = await iterator.next();
      if (done) return;
      text += String(value);
    }
  };
  await read(until);
  return {
    text,
    send: (more) => void socket.write(more),
    rest: async () => {
      await read();
      return text;
    },
  };
};
const head = (length: number, more = ''): string =>
  `POST /api/v1/scan HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
  `Content-Length: ${length}\r\n${more}\r\n`;

t.test('what is too large is refused with the limit, before the body where its length is said', async (t) => {
  const limit = 3 * MIB;
  const { port, url, spooled, entries } = await start(t, { limit });
  t.match(await (await fetch(`${url}/api/v1/scan`)).json(), { limits: { bytes: limit, files: 100 } });
  const waiting = await raw(port, head(limit * 2, 'Expect: 100-continue\r\n'));
  t.match(waiting.text, /^HTTP\/1\.1 413 /);
  t.notMatch(waiting.text, /100 Continue/i);
  t.match(waiting.text, /x-weighbridge-upload-limit: 3145728\r\n/i);
  t.match(waiting.text, /"code":"LIMIT_EXCEEDED"/);
  const eager = await post(url, form({ big: Buffer.alloc(limit * 2) }));
  t.match([eager.status, eager.json.error], [413, /3145728 bytes/]);
  t.equal(eager.headers.get('x-weighbridge-upload-limit'), String(limit));
  const half = 'x'.repeat(limit * 0.6);
  const unsaid = await streamed(port, [part('a'), half, `\r\n${part('b')}`, half, END]);
  t.match([unsaid.status, unsaid.json.error], [413, /3145728 bytes/], 'all files count together');
  const alone = await streamed(port, [part('a'), half, half, END]);
  t.equal(alone.status, 413);
  t.same(spooled(), []);
  const tooLarge = { kind: 'upload.failed', detail: { fault: 'LIMIT_EXCEEDED' }, decision: undefined };
  t.match(entries(), [
    { ...tooLarge, artefact: undefined },
    { ...tooLarge, artefact: undefined },
    { kind: 'upload.decision', artefact: { path: 'a', size: half.length } },
    { ...tooLarge, artefact: { path: 'b' } },
    { ...tooLarge, artefact: { path: 'a' } },
  ]);
});

t.test('a sender that waits for 100 Continue gets it when nothing speaks against its upload', async (t) => {
  const { port } = await start(t);
  const body = `${part('a.txt')}good day\n${END}`;
  const close = 'Connection: close\r\n';
  const waiting = await raw(port, head(body.length, `Expect: 100-continue\r\n${close}`), /\r\n\r\n/);
  t.match(waiting.text, /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  waiting.send(body);
  t.match(await waiting.rest(), /HTTP\/1\.1 200 OK[\s\S]*"path":"a\.txt"/);
});

t.test('only callers with a token may upload, where there are any, and are told before the body', async (t) => {
  const { port, url } = await start(t, { env: { WEIGHBRIDGE_AUTH_TOKENS: TOKEN } });
  const waiting = await raw(port, head(100, 'Expect: 100-continue\r\nConnection: close\r\n'));
  t.match(waiting.text, /^HTTP\/1\.1 401 /);
  const files = form({ 'a.txt': Buffer.from('good day\n') });
  t.equal((await post(url, files, { authorization: `Bearer ${TOKEN}` })).status, 200);
});

t.test('a fifth upload at the same time is told to come again', async (t) => {
  const { port, url, spooled, settled } = await start(t);
  const senders = Array.from({ length: 4 }, () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(`${head(5000)}${part('slow')}${'x'.repeat(1000)}`);
    return socket;
  });
  for (let tries = 0; spooled().length < 4 && tries < 200; tries++) await wait(25);
  const files = { 'a.txt': Buffer.from('good day\n') };
  const busy = await post(url, form(files));
  t.match([busy.status, busy.json.error, busy.headers.get('retry-after')], [503, /4 uploads/, '5']);
  for (const socket of senders) socket.destroy();
  await settled();
  t.equal((await post(url, form(files))).status, 200);
});

t.test('what is no upload is refused, and says what one is', async (t) => {
  const { url, port, entries } = await start(t);
  const send = async (body: string, type: string, query = '', headers = {}) => {
    const answer = await fetch(`${url}/api/v1/scan${query}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type, ...headers },
    });
    return [answer.status, ((await answer.json()) as { error: string }).error];
  };
  const type = `multipart/form-data; boundary=${BOUNDARY}`;
  const whole = `${part('a')}x${END}`;
  for (const wrong of [
    'application/json',
    'application/octet-stream',
    'text/plain',
    'multipart/form-data',
    'multipart/mixed; boundary=x',
  ])
    t.match(await send('{}', wrong), [415, /multipart\/form-data/], wrong);
  t.match(await send('', type), [400, /no file|not valid/]);
  t.match(await send(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="x"\r\n\r\ny${END}`, type), [
    400,
    /no file/,
  ]);
  t.match(await send('no form at all', type), [400, /not valid|no file/]);
  t.match(await send(whole, type, '?keep=perhaps'), [400, /keep/]);
  t.match(await send(whole, type, '?other=1'), [400, /keep/]);
  t.match(await send(whole, type, '', { 'sec-fetch-site': 'cross-site' }), [403, /other sites/]);
  const proto = whole.replace('name="file"', 'name="__proto__"');
  t.match(await send(proto, type), [400, /not valid/]);
  const many = Array.from({ length: 101 }, (_, index) => `${part(`f${index}`)}x\r\n`).join('');
  const before = entries().length;
  t.match(await send(`${many}--${BOUNDARY}--\r\n`, type), [413, /100 files/]);
  const entered = entries().slice(before);
  t.equal(entered.filter(({ kind }) => kind === 'upload.decision').length, 100, 'those before have their decisions');
  t.match(entered.at(-1), { kind: 'upload.failed', artefact: undefined });
  const fields = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n`.repeat(50);
  t.match(await send(`${fields}${whole}`, type), [413, /files/]);
  const header = await streamed(port, [`--${BOUNDARY}\r\nX: ${'a'.repeat(200_000)}\r\n\r\nx${END}`]);
  t.equal(header.status, 400);
});
