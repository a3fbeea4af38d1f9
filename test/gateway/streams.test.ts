import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createSecureServer } from 'node:tls';
import t from 'tap';
import { loadConfig } from '../../src/config.ts';
import { openStreams, type StreamSettings } from '../../src/gateway/streams/open.ts';
import { createSyslogSender } from '../../src/upstream/syslog.ts';
import { decision, openLog } from '../audit/support.ts';
import { createCertificate } from '../support/certificate.ts';
import { createMemoryRecords } from '../support/memory-records.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
type Tap = { testdir(files: Record<string, string>): string; teardown(end: () => unknown): void };

const listen = async (t: Tap, server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
};
const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; !holds(); turn += 1) {
    if (turn > 500) throw new Error('it did not come');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** A webhook that takes what is signed; `answer` says with which status. */
const webhook = async (t: Tap, answer: (turn: number) => number) => {
  const taken: {
    id: string;
    body: { type: string; data: { index: number; entry: { artefact?: { path: string } } } };
  }[] = [];
  let turn = 0;
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const { 'webhook-id': id = '', 'webhook-signature': signature, 'webhook-timestamp': time } = request.headers;
    const hmac = createHmac('sha256', Buffer.alloc(32, 7)).update(`${id}.${time}.${body}`).digest('base64');
    const status = signature === `v1,${hmac}` ? answer(turn) : 401;
    turn += 1;
    if (status === 200) taken.push({ id: String(id), body: JSON.parse(body) });
    response.writeHead(status).end();
  };
  const server = createHttpServer((request, response) => void take(request, response));
  return { taken, port: await listen(t, server), turns: () => turn };
};

t.test('a webhook has each entry that it wants, signed, in order, also after faults and a restart', async (t) => {
  const home = t.testdir({});
  const log = await openLog(home);
  t.teardown(() => log.close());
  await log.append(decision(0));
  const hook = await webhook(t, (turn) => (turn < 2 ? 500 : 200));
  const records = createMemoryRecords();
  const told: (string | undefined)[] = [];
  const settings: StreamSettings[] = [
    { name: 'hook', url: `http://127.0.0.1:${hook.port}/in`, secret: SECRET, kinds: ['artefact.*', 'order.placed'] },
  ];
  const tell = (_stream: string, problem: string | undefined) => void told.push(problem);
  const open = () => openStreams(settings, { directory: join(home, 'log'), log, records, tell, pause: 10 });
  const first = await open();
  await log.append(decision(1));
  await log.append({ kind: 'listing' });
  await log.append({ kind: 'order.placed', detail: { order: 'hold-1' } });
  await until(() => hook.taken.length === 2);
  t.equal(hook.turns(), 4, 'two that were not taken, and two');
  t.match(told, [/answers 500/, undefined], 'told once, and when it goes on');
  await first.close();
  await log.append(decision(2));
  t.equal(hook.taken.length, 2);
  const second = await open();
  await until(() => hook.taken.length === 3);
  await log.append(decision(3));
  await until(() => hook.taken.length === 4);
  await second.close();
  t.same(
    hook.taken.map(({ body }) => [body.type, body.data.index, body.data.entry.artefact?.path]),
    [
      ['weighbridge.artefact.decision', 1, 'file-1.bin'],
      ['weighbridge.order.placed', 3, undefined],
      ['weighbridge.artefact.decision', 4, 'file-2.bin'],
      ['weighbridge.artefact.decision', 5, 'file-3.bin'],
    ],
    'what was there before the stream is not sent',
  );
  t.equal(new Set(hook.taken.map(({ id }) => id)).size, 4);
});

t.test('a stream follows the log from one segment into the next', async (t) => {
  const home = t.testdir({});
  const log = await openLog(home, { rotate: 2000 });
  t.teardown(() => log.close());
  const hook = await webhook(t, () => 200);
  const settings = [{ name: 'a', url: `http://127.0.0.1:${hook.port}`, secret: SECRET, kinds: ['*'] }];
  const parts = { directory: join(home, 'log'), log, records: createMemoryRecords(), tell: () => undefined, pause: 10 };
  const stream = await openStreams(settings, parts);
  for (let index = 0; index < 30; index += 1) await log.append(decision(index));
  await until(() => hook.taken.length === 30);
  await stream.close();
  t.same(
    hook.taken.map(({ body }) => body.data.index),
    Array.from({ length: 30 }, (_, index) => index),
  );
});

/** Reads frames of RFC 6587. */
const frames = (bytes: string): string[] => {
  const found: string[] = [];
  for (let rest = Buffer.from(bytes); rest.length > 0; ) {
    const [head = '', length = '0'] = /^(\d+) /.exec(rest.toString('latin1', 0, 10)) ?? [];
    found.push(rest.toString('utf8', head.length, head.length + Number(length)));
    rest = rest.subarray(head.length + Number(length));
    if (head === '') break;
  }
  return found;
};

t.test('syslog has the lines as they were signed, and is connected to again', async (t) => {
  const home = t.testdir({});
  const log = await openLog(home);
  t.teardown(() => log.close());
  let received = '';
  const sockets: Socket[] = [];
  const port = await listen(
    t,
    createServer((socket) => {
      sockets.push(socket);
      socket.on('data', (chunk) => {
        received += chunk.toString('utf8');
      });
    }),
  );
  const settings = [{ name: 'siem', url: `syslog+tcp://127.0.0.1:${port}`, kinds: ['*'] }];
  const parts = { directory: join(home, 'log'), log, records: createMemoryRecords(), tell: () => undefined, pause: 10 };
  const stream = await openStreams(settings, parts);
  t.teardown(() => stream.close());
  await log.append(decision(0));
  await log.append({ ...decision(1), decision: { action: 'allow', rule: 'r', reason: 'Grüße ]"\\' } });
  await until(() => frames(received).length === 2);
  const [refused = '', allowed = ''] = frames(received);
  t.match(
    refused,
    /^<108>1 \d{4}-\S+Z test weighbridge - artefact\.decision \[weighbridge@32473 index="0" id="[0-9a-f-]{36}"\] \ufeff\{"v":1/,
  );
  t.match(allowed, /^<110>1 /);
  t.match(JSON.parse(allowed.slice(allowed.indexOf('{'))), { decision: { reason: 'Grüße ]"\\' } });
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await log.append(decision(2));
  await until(() => received.includes('file-2.bin'));
  t.equal(sockets.length, 2);
});

t.test('over TLS it talks only to whom an authority vouches for', async (t) => {
  const { cert, key } = createCertificate();
  let received = '';
  const port = await listen(
    t,
    createSecureServer({ cert, key }, (socket) => {
      socket.on('data', (chunk) => {
        received += chunk.toString('utf8');
      });
      socket.on('error', () => undefined);
    }),
  );
  const target = { host: 'localhost', port, secure: true };
  const stranger = createSyslogSender(target);
  await t.rejects(stranger.send('hello'), { code: 'UPSTREAM_UNREACHABLE' });
  await stranger.close();
  const known = createSyslogSender({ ...target, ca: cert });
  await known.send('hello');
  await until(() => received === '5 hello');
  await known.close();
  const nobody = createSyslogSender({ host: '127.0.0.1', port: 1, secure: false });
  await t.rejects(nobody.send('x'), { code: 'UPSTREAM_UNREACHABLE' });
});

t.test('settings of a stream are checked', (t) => {
  const load = (stream: string) => {
    const file = join(t.testdirName, 'weighbridge.yaml');
    writeFileSync(file, `log:\n  streams:\n    - ${stream}\n`);
    return loadConfig({ file, env: {} }).log.streams;
  };
  t.testdir({});
  t.match(load(`{ name: a, url: 'https://x.example/h', secret: '${SECRET}' }`), [{ kinds: ['*'] }]);
  t.match(load("{ name: a, url: 'syslog+tls://x.example:6514', kinds: ['order.*'] }"), [{ name: 'a' }]);
  for (const wrong of [
    "{ name: a, url: 'https://x.example/h' }",
    "{ name: a, url: 'https://x.example/h', secret: 'abc' }",
    "{ name: a, url: 'syslog+udp://x:1' }",
    "{ name: a, url: 'syslog+tcp://x' }",
    "{ name: '', url: 'syslog+tcp://x:1' }",
    "{ name: a, url: 'syslog+tcp://x:1', kinds: [] }",
  ])
    t.throws(() => load(wrong), { code: 'CONFIG_INVALID' }, wrong);
  t.end();
});
