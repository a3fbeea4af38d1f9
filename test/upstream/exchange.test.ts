import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { createExchange } from '../../src/upstream/exchange.ts';

type Tap = { teardown: (end: () => void) => void };

const listen = async (t: Tap, answer: (request: IncomingMessage, response: ServerResponse) => void) => {
  const server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const get = { method: 'GET', headers: {} };

t.test(
  'a provider that is slow, endless, broken or elsewhere is a fault with words, and nothing waits for ever',
  async (t) => {
    let hops = 0;
    const url = await listen(t, ({ url: path }, response) => {
      hops += 1;
      if (path === '/silent') return;
      if (path === '/stalled') response.write('{');
      else if (path === '/endless') response.end(Buffer.alloc(1024 * 1024 + 1));
      else if (path === '/unannounced') for (let at = 0; at < 20; at += 1) response.write(Buffer.alloc(100_000));
      else if (path === '/busy') response.writeHead(429).end();
      else if (path === '/elsewhere') response.writeHead(302, { location: '/' }).end();
      else response.writeHead(Number(path?.slice(1))).end();
    });
    const exchange = createExchange({ url }, false, { time: 300 });
    t.teardown(() => exchange.close());
    const send = (path: string) => exchange.send(url + path, get);
    const from = performance.now();
    await t.rejects(send('/silent'), { code: 'UPSTREAM_UNREACHABLE', message: /no answer within 0.3 s/ });
    await t.rejects(send('/stalled'), { code: 'UPSTREAM_UNREACHABLE', message: /no answer within 0.3 s/ });
    t.ok(performance.now() - from < 10_000);
    await t.rejects(send('/endless'), { code: 'UPSTREAM_TOO_LARGE', message: /over 1048576 bytes/ });
    await t.rejects(send('/unannounced'), { code: 'UPSTREAM_TOO_LARGE' });
    const before = hops;
    await t.rejects(send('/busy'), { code: 'UPSTREAM_UNREACHABLE', message: /answered with 429/ });
    await t.rejects(send('/503'), { code: 'UPSTREAM_UNREACHABLE' });
    t.equal(hops, before + 2, 'what can be used once is sent once');
    t.equal((await send('/elsewhere')).status, 302, 'a redirect is an answer');
    t.match([(await send('/204')).status, (await send('/404')).status], [204, 404]);
    const gone = AbortSignal.abort();
    await t.rejects(exchange.send(`${url}/204`, { ...get, signal: gone }), { code: 'CANCELLED' });
    await t.rejects(exchange.send(`${url}/204`, { ...get, method: 'DELETE' }), { code: 'REQUEST_INVALID' });
    await t.rejects(exchange.send(`${url}/204`, { ...get, method: 'POST', body: {} }), { code: 'REQUEST_INVALID' });
  },
);

t.test('only the place of the settings is asked without TLS or at a private address', async (t) => {
  const asked: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(`${request.headers.host} ${request.headers.authorization}`);
    response.end('{}');
  };
  const [home, other] = [await listen(t, answer), await listen(t, answer)];
  const headers = { Authorization: 'Basic canary', Accept: 'application/json' };
  const exchange = createExchange({ url: `${home}/realm` }, false);
  const open = createExchange({ url: `${home}/realm` }, true);
  t.teardown(() => Promise.all([exchange.close(), open.close()]));
  t.equal(
    (await exchange.send(`${home}/token`, { method: 'POST', headers, body: new URLSearchParams('a=b') })).status,
    200,
  );
  t.match(asked, [/Basic canary$/]);
  for (const [url, words] of [
    [`${other}/token`, /not fetched from: a private/],
    ['https://127.0.0.1/token', /a private/],
    ['https://[::ffff:7f00:1]/token', /a private/],
    ['https://user:word@idp.example/token', /credentials/],
    ['http://idp.example/token', /without TLS/],
    ['file:///etc/passwd', /scheme/],
  ] as const)
    await t.rejects(exchange.send(url, { method: 'GET', headers }), { code: 'UPSTREAM_BLOCKED', message: words }, url);
  await t.rejects(open.send(`${other}/token`, { method: 'GET', headers }), { message: /without TLS/ });
  t.equal(asked.length, 1);
});
