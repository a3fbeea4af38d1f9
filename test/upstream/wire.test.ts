import { randomBytes } from 'node:crypto';
import { createServer as createTcp, type LookupFunction, type Socket } from 'node:net';
import { createSecureContext, createServer as createTls } from 'node:tls';
import t from 'tap';
import { publicLookup } from '../../src/upstream/guard.ts';
import { DEFAULT_PATIENCE } from '../../src/upstream/patience.ts';
import { parseHead } from '../../src/upstream/response-head.ts';
import { getByWire, type WireOptions } from '../../src/upstream/wire.ts';
import { createCertificate } from '../support/certificate.ts';
import { collect, faultOf, listen } from '../support/wire.ts';
import { upstreamSuite } from './suite.ts';

// Everything that holds for a download holds for one over our own socket.
await upstreamSuite(0);

const options: WireOptions = { patience: { ...DEFAULT_PATIENCE, connect: 1000, headers: 300, stall: 300 } };
const ask = { path: '/file?a=1', headers: { authorization: 'Bearer x' } };

/** A server that says `answer` to whatever it is asked, or does `answer`. */
const server = (answer: string | Buffer | ((socket: Socket, asked: string) => void)) =>
  createTcp((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => {
      if (typeof answer === 'function') answer(socket, bytes.toString());
      else socket.write(answer);
    });
  });

t.test('a head is read strictly: what could be read in two ways is refused', async (t) => {
  const good = parseHead('HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nX-A: b \r\nx-a:c\r\nEmpty:');
  t.same(good, { status: 206, headers: { 'content-length': '12', 'x-a': 'b, c', empty: '' }, length: 12 });
  t.equal(parseHead('HTTP/1.0 200').length, undefined, 'no length: until the end of the connection');
  t.equal(parseHead('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked').length, undefined);
  t.equal(parseHead('HTTP/1.1 304 Not Modified\r\nContent-Length: 9').length, 0);
  for (const bad of [
    '',
    'HTTP/2 200 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 600 No',
    'http/1.1 200 OK',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6',
    'HTTP/1.1 200 OK\r\nContent-Length: 5, 5',
    'HTTP/1.1 200 OK\r\nContent-Length: +5',
    'HTTP/1.1 200 OK\r\nContent-Length: 0x5',
    'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999',
    'HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nContent-Length : 5',
    'HTTP/1.1 200 OK\r\n folded: 5',
    'HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5',
    'HTTP/1.1 200 OK\r\nA: b\0c',
    'HTTP/1.1 200 OK\r\nnocolon',
    `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(201)}`,
  ])
    t.equal(
      (await faultOf(Promise.resolve().then(() => parseHead(bad)))).code,
      'UPSTREAM_UNREACHABLE',
      bad.slice(0, 60),
    );
});

t.test('one request goes out as it is written, and the body is exactly as long as was said', async (t) => {
  const bytes = randomBytes(5 << 20);
  let asked = '';
  const origin = await listen(
    t,
    server((socket, text) => {
      asked = text;
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: ');
      // What follows the body was never asked for.
      socket.end(
        Buffer.concat([Buffer.from(`${bytes.length}\r\n\r\n`), bytes, Buffer.from('HTTP/1.1 200 OK\r\n\r\n')]),
      );
    }),
  );
  const reply = await getByWire({ origin, ...ask }, options);
  t.match(reply, { status: 200, headers: { 'content-length': String(bytes.length) } });
  t.ok((await collect(reply!.body)).equals(bytes));
  const host = new URL(origin).host;
  t.equal(asked, `GET /file?a=1 HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\nauthorization: Bearer x\r\n\r\n`);
});

t.test('an answer in one piece behind its announcements is read, an endless announcement is not', async (t) => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const origin = await listen(t, server(`${early.repeat(2)}HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc`));
  const reply = await getByWire({ origin, ...ask }, options);
  t.equal((await collect(reply!.body)).toString(), 'abc', 'although nothing comes after it');
  const endless = await listen(
    t,
    server((socket) => {
      const timer = setInterval(() => socket.write(early), 1);
      socket.on('close', () => clearInterval(timer));
    }),
  );
  await t.rejects(getByWire({ origin: endless, ...ask }, options), { code: 'UND_ERR_SOCKET' });
  const other = await listen(t, server('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'));
  await t.rejects(getByWire({ origin: other, ...ask }, options), { code: 'UND_ERR_SOCKET' });
});

t.test('an answer that another reader is needed for is left to it', async (t) => {
  for (const head of ['Transfer-Encoding: chunked', 'X: y', 'Content-Length: 5\r\nContent-Encoding: gzip']) {
    const origin = await listen(t, server(`HTTP/1.1 200 OK\r\n${head}\r\n\r\nhello`));
    t.equal(await getByWire({ origin, ...ask }, options), undefined, head);
  }
});

t.test('no head, half a head, a head without end and a body that stops are faults within their time', async (t) => {
  const cases: [string, string | Buffer | ((socket: Socket) => void), RegExp][] = [
    ['silence', () => undefined, /HEADERS_TIMEOUT/],
    ['half a head', 'HTTP/1.1 200 OK\r\nConte', /HEADERS_TIMEOUT/],
    ['no end', Buffer.from(`HTTP/1.1 200 OK\r\na: ${'b'.repeat(40_000)}`), /HEADERS_OVERFLOW/],
    ['a close', (socket) => socket.end(), /UND_ERR_SOCKET/],
    ['a reset', (socket) => socket.resetAndDestroy(), /ECONNRESET/],
    ['a stall', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', /BODY_TIMEOUT/],
    ['a short body', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'), /UND_ERR_SOCKET/],
  ];
  for (const [name, answer, code] of cases) {
    const origin = await listen(t, server(answer));
    const work = getByWire({ origin, ...ask }, options).then((reply) => collect(reply!.body));
    await t.rejects(work, { code }, name);
  }
});

t.test('whoever gives up ends the connection, before and in the body', async (t) => {
  let closed = 0;
  const origin = await listen(
    t,
    server((socket) => {
      socket.on('close', () => (closed += 1));
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc');
    }),
  );
  const given = new AbortController();
  const reply = await getByWire({ origin, ...ask, signal: given.signal }, options);
  const reading = collect(reply!.body);
  given.abort();
  t.equal((await faultOf(reading)).code, 'CANCELLED');
  t.equal((await faultOf(getByWire({ origin, ...ask, signal: given.signal }, options))).code, 'CANCELLED');
  const left = await getByWire({ origin, ...ask }, options);
  for await (const chunk of left!.body) {
    t.equal(chunk.length, 3);
    break;
  }
  while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
});

t.test(
  'names of private hosts are refused where they are resolved, and headers cannot carry a second request',
  async (t) => {
    const origin = (await listen(t, server('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))).replace(
      '127.0.0.1',
      'localhost',
    );
    const guarded = getByWire({ origin, ...ask }, { ...options, lookup: publicLookup });
    t.equal((await faultOf(guarded)).code, 'UPSTREAM_BLOCKED');
    for (const wrong of [{ path: '/a b' }, { headers: { x: 'a\r\nb: c' } }, { headers: { 'x\r\ny': 'a' } }])
      t.equal((await faultOf(getByWire({ origin, ...ask, ...wrong }, options))).code, 'REQUEST_INVALID');
  },
);

t.test('over TLS only who is trusted is believed', async (t) => {
  const { cert, key } = createCertificate();
  const bytes = randomBytes(3 << 20);
  const secure = createTls({ cert, key }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`), bytes])),
    );
  });
  secure.on('tlsClientError', () => undefined);
  const origin = (await listen(t, secure)).replace('http:', 'https:').replace('127.0.0.1', 'localhost');
  const trusting = { ...options, trust: createSecureContext({ ca: [cert] }) };
  const reply = await getByWire({ origin, ...ask }, trusting);
  t.ok((await collect(reply!.body)).equals(bytes));
  await t.rejects(getByWire({ origin, ...ask }, options), { code: /SELF_SIGNED/ });
  const byAddress = await getByWire({ origin: origin.replace('localhost', '127.0.0.1'), ...ask }, trusting);
  t.ok((await collect(byAddress!.body)).equals(bytes), 'an address that the certificate names');
  const lookup: LookupFunction = (_, __, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
  await t.rejects(
    getByWire({ origin: origin.replace('localhost', 'other.example'), ...ask }, { ...trusting, lookup }),
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    'a certificate for another name',
  );
});

t.test(
  'a reader that takes its time gets every byte, over TCP and TLS, and nothing changes while it holds it',
  async (t) => {
    const { cert, key } = createCertificate();
    const bytes = randomBytes(9 << 20);
    // What follows the body was never asked for, and comes together with its last record.
    const answer = Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`),
      bytes,
      Buffer.alloc(40_000, 'x'),
    ]);
    const send = (socket: Socket): void => {
      socket.on('error', () => undefined);
      socket.once('data', () => void socket.end(answer));
    };
    const secure = await listen(t, createTls({ cert, key }, send));
    const origins = [
      await listen(t, createTcp(send)),
      secure.replace('http:', 'https:').replace('127.0.0.1', 'localhost'),
    ];
    const pauses = [
      async () => undefined,
      () => new Promise((resolve) => setImmediate(resolve)),
      () => new Promise((resolve) => setTimeout(resolve, 2)),
    ];
    for (const origin of origins) {
      for (const pause of pauses) {
        // Where the reader gives memory of its own, as the store does: none of it is touched before it is asked for again.
        const memory = Buffer.alloc(answer.length + (4 << 20));
        let at = 0;
        for (const room of [undefined, (ahead: number) => memory.subarray(at + ahead)]) {
          at = 0;
          const reply = await getByWire(
            { origin, ...ask, room },
            { ...options, trust: createSecureContext({ ca: [cert] }) },
          );
          for await (const chunk of reply!.body) {
            await pause();
            if (!bytes.subarray(at, at + chunk.length).equals(chunk)) t.fail(`other bytes at ${at}`);
            if (room !== undefined) memory.set(chunk, at);
            at += chunk.length;
          }
          t.equal(at, bytes.length);
          if (room !== undefined) t.ok(memory.subarray(0, at).equals(bytes), 'what was taken stays');
        }
      }
    }
  },
);
