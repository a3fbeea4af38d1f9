import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect } from 'node:net';
import t from 'tap';
import { isFault } from '../../src/errors.ts';
import { isPublicAddress, publicLookup } from '../../src/upstream/guard.ts';
import { createUpstream, type UpstreamOptions } from '../../src/upstream/upstream.ts';
import { createCertificate } from '../support/certificate.ts';
import { startHub } from '../support/hub.ts';
import { collect, faultOf, listen } from '../support/wire.ts';

const patience = { connect: 1000, headers: 800, stall: 600, backoff: 5, longestPause: 400, longestDownloadPause: 400 };
const hub = await startHub({ repos: [{ name: 'org/m', files: { 'notes.txt': 'x' } }] });
t.teardown(() => hub.close());
const make = (more: Partial<UpstreamOptions> = {}) => {
  const upstream = createUpstream({ origin: { url: hub.url }, allowPrivate: true, patience, ...more });
  t.teardown(() => upstream.close());
  return upstream;
};

const createProxy = () => {
  const seen: string[] = [];
  const proxy = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end('through');
  });
  proxy.on('connect', (request, socket, head) => {
    seen.push(`CONNECT ${request.url}`);
    const [host, port] = (request.url ?? '').split(':');
    const far = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.write(head);
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
  return { proxy, seen };
};

t.test('redirects to private places, other schemes, credentials and loops are refused', async (t) => {
  let location = '';
  let hits = 0;
  const url = await listen(
    t,
    createServer((_, response) => response.writeHead(302, { location }).end()),
  );
  const victim = await listen(
    t,
    createServer((_, response) => {
      hits += 1;
      response.end('internal');
    }),
  );
  const strict = make({ origin: { url }, allowPrivate: false });
  const { port } = new URL(victim);
  const places = [
    ...[
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      '0.0.0.0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
    ],
    ...[
      '10.0.0.1',
      '192.168.1.1',
      '172.16.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '[fd00::1]',
      '[fe80::1]',
      '[64:ff9b::7f00:1]',
    ],
  ];
  for (const host of places) {
    location = `http://${host}:${port}/x`;
    const fault = await faultOf(collect(strict.download('/f', {}, { start: 0, size: 8 })));
    t.equal(fault.code, 'UPSTREAM_BLOCKED', host);
    t.equal(
      (await faultOf(strict.request({ method: 'GET', url: location }))).code,
      'UPSTREAM_BLOCKED',
      `${host} as a link`,
    );
  }
  for (location of ['ftp://files.example/x', 'file:///etc/passwd', 'http://user:secret@files.example/x']) {
    t.equal(
      (await faultOf(collect(strict.download('/f', {}, { start: 0, size: 8 })))).code,
      'UPSTREAM_BLOCKED',
      location,
    );
  }
  t.equal(hits, 0, 'nothing private was touched');
  location = '/again';
  t.equal((await faultOf(strict.request({ method: 'GET', url: '/' }))).code, 'UPSTREAM_REFUSED', 'a loop ends');
  t.equal((await faultOf(strict.request({ method: 'GET', url: '/a b\r\nx: y' }))).code, 'REQUEST_INVALID');
});

t.test('addresses are judged after they were unwrapped', (t) => {
  const bad =
    '127.0.0.1 ::1 ::ffff:10.0.0.1 fe80::1%eth0 2002:7f00:1:: 198.18.0.1 224.0.0.1 255.255.255.255 nonsense 0.0.0.0';
  for (const address of bad.split(' ')) t.notOk(isPublicAddress(address), address);
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) t.ok(isPublicAddress(address), address);
  publicLookup('localhost', {}, (error) => {
    t.equal(isFault(error, 'UPSTREAM_BLOCKED'), true, 'a name is judged by what it resolves to');
    t.end();
  });
});

t.test(
  'https: an authority of our own is trusted when configured, also by proxy; http after it is refused',
  async (t) => {
    const { cert, key } = createCertificate();
    let location: string | undefined;
    const secure = createSecureServer({ cert, key }, (_, response) =>
      location === undefined ? response.end('safe') : response.writeHead(302, { location }).end(),
    );
    const url = (await listen(t, secure)).replace('http:', 'https:');
    const ask = async (more: Partial<UpstreamOptions['origin']>) =>
      make({ origin: { url, ...more } }).request({ method: 'GET', url: '/' });
    t.equal(Buffer.from((await ask({ ca: cert })).body).toString(), 'safe');
    t.match(await faultOf(ask({})), { code: 'UPSTREAM_UNREACHABLE', details: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
    const { proxy, seen } = createProxy();
    t.equal((await ask({ ca: cert, proxy: await listen(t, proxy) })).status, 200);
    t.match(seen, [/^CONNECT 127\.0\.0\.1:/]);
    location = `${hub.url}/x`;
    const down = make({ origin: { url, ca: cert } }).download('/f', {}, { start: 0, size: 4 });
    t.equal((await faultOf(collect(down))).code, 'UPSTREAM_BLOCKED');
  },
);

t.test('a forward proxy carries everything, and private names are refused by name', async (t) => {
  const { proxy, seen } = createProxy();
  const through = make({ origin: { url: hub.url, proxy: await listen(t, proxy) }, allowPrivate: false });
  const answer = await through.request({ method: 'GET', url: '/api/models/org/m' });
  t.equal(answer.status, 200);
  t.ok(seen.length > 0, seen.join());
  for (const host of ['localhost', 'intranet', 'metadata.google.internal', '10.0.0.1']) {
    t.equal((await faultOf(through.request({ method: 'GET', url: `http://${host}/` }))).code, 'UPSTREAM_BLOCKED', host);
  }
});
