import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get as getOverTls } from 'node:https';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { account } from '../../src/cli/account.ts';
import { checkPassword } from '../../src/identity/accounts.ts';
import { makeCertificates } from '../support/certificates.ts';
import { runCommand } from '../support/command-io.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { startWorld, type World } from '../support/world.ts';

const PASSWORD = 'correct horse battery';
const weights = safetensors({ a: { dtype: 'F32', shape: [1], data: float32(1) } }, { metadata: { format: 'pt' } });

t.test('every answer tells browsers to run, frame and guess nothing, and what is ours is not kept', async (t) => {
  const world = await startWorld(t, [{ name: 'acme/m', files: { 'model.safetensors': weights } }]);
  const answers = await Promise.all(
    [
      '/healthz',
      '/metrics',
      '/openapi.json',
      '/nowhere',
      '/api/v1/log',
      '/api/v1/tokens',
      '/api/v1/nothing',
      '/hf/api/models/acme/m',
      '/hf/acme/m/resolve/main/model.safetensors',
      '/hf/acme/m/resolve/main/none',
      '/hf/%zz',
    ].map(async (path) => {
      const answer = await fetch(world.url + path);
      await answer.arrayBuffer();
      return { path, status: answer.status, headers: answer.headers };
    }),
  );
  t.same([...new Set(answers.map(({ status }) => status))].sort(), [200, 400, 404]);
  for (const { path, headers } of answers) {
    t.equal(headers.get('x-content-type-options'), 'nosniff', path);
    const policy = headers.get('content-security-policy') ?? '';
    for (const directive of ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"])
      t.match(policy, directive, path);
    t.match(policy, /; sandbox$/, path);
    t.equal(headers.get('referrer-policy'), 'no-referrer', path);
    t.equal(headers.get('strict-transport-security'), null, 'said over TLS only');
    for (const other of ['server', 'x-powered-by', 'access-control-allow-origin']) t.equal(headers.get(other), null);
    if (path.startsWith('/api/')) t.equal(headers.get('cache-control'), 'no-store', path);
  }
});

t.test('over TLS browsers stay there for a year, and only ciphers with forward secrecy are spoken', async (t) => {
  const { ca, cert, key } = makeCertificates(t.testdir({}));
  const world = await startWorld(t, [], { settings: { TLS_CERT: cert, TLS_KEY: key } });
  const trusted = readFileSync(ca);
  const strict = await new Promise((resolve, reject) => {
    const url = `${world.url.replace('127.0.0.1', 'localhost')}/healthz`;
    getOverTls(url, { ca: trusted, family: 4 }, (answer) => {
      answer.resume();
      resolve(answer.headers['strict-transport-security']);
    }).on('error', reject);
  });
  t.equal(strict, 'max-age=31536000; includeSubDomains');
  const port = Number(new URL(world.url).port);
  const speak = async (ciphers: string): Promise<unknown> => {
    const socket = connectTls({ port, host: 'localhost', ca: trusted, maxVersion: 'TLSv1.2', ciphers });
    try {
      await once(socket, 'secureConnect');
      return socket.getCipher().name;
    } finally {
      socket.destroy();
    }
  };
  t.match(await speak('ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256'), /^ECDHE-.*-GCM/);
  for (const old of ['AES128-SHA', 'AES256-GCM-SHA384', 'ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA'])
    await t.rejects(speak(old), { code: /SSL|ECONNRESET/ }, old);
});

t.test('a password may have any form, but is none of those that are guessed first', async (t) => {
  const good = [
    'correct horse battery',
    'x'.repeat(256),
    '        eight words    ',
    'пароль для работы',
    '🐴🔋'.repeat(6),
  ];
  for (const password of good) t.doesNotThrow(() => checkPassword(password, 'alice'), password.slice(0, 30));
  const bad = {
    short: 'elevenchars',
    long: 'x'.repeat(257),
    common: '1q2w3e4r5t6y',
    'common in another case': '1Q2W3E4R5T6Y',
    'a keyboard': 'qazwsxedcrfv',
    'the name': 'alice-2026-11',
    'the program': 'weighbridge-2026',
    'two expected words': 'weighbridge-admin-password',
  };
  for (const [why, password] of Object.entries(bad))
    t.throws(() => checkPassword(password, 'alice'), { code: 'REQUEST_INVALID', message: /^password: expected/ }, why);
  const said = t.throws(() => checkPassword('1q2w3e4r5t6y', 'alice'));
  t.notMatch(String(said), '1q2w3e4r5t6y', 'the fault does not repeat it');
});

t.test('people change their own password by the one that they have, and are signed out everywhere', async (t) => {
  const world = await startWorld(t, [], { settings: { AUTH_REQUIRED: 'true' } });
  await world.restart(() =>
    runCommand(account.run, ['add', 'vera', '--role', 'viewer', '--data', world.data], `${PASSWORD}\n`),
  );
  const [here, there] = [await signIn(world, PASSWORD), await signIn(world, PASSWORD)];
  t.match([here.status, there.status], [200, 200]);
  const change = (body: object, headers: Record<string, string> = here.headers) =>
    post(world, '/api/v1/session/password', body, headers);
  const wanted = { current: PASSWORD, password: 'another horse battery' };
  t.equal((await change(wanted, { cookie: here.headers.cookie })).status, 403, 'not from elsewhere');
  t.equal((await change({ ...wanted, current: 'wrong horse battery' })).status, 401);
  t.equal((await change({ password: wanted.password })).status, 400);
  t.equal((await change({ ...wanted, password: '1q2w3e4r5t6y' })).status, 400);
  const changed = await change(wanted);
  t.equal(changed.status, 204);
  t.match(changed.headers.get('set-cookie'), /Max-Age=0/);
  for (const { cookie } of [here.headers, there.headers])
    t.equal((await fetch(`${world.url}/api/v1/session`, { headers: { cookie } })).status, 401);
  t.equal((await signIn(world, PASSWORD)).status, 401);
  t.equal((await signIn(world, wanted.password)).status, 200);
  const entries = await world.entries();
  t.match(
    entries.filter(({ kind }) => kind === 'account.changed'),
    [{ request: { route: '/api/v1/session/password' } }],
  );
  t.ok(entries.some(({ kind, request }) => kind === 'session.refused' && request.route.endsWith('/password')));
});

const post = (world: World, path: string, body: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(world.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const signIn = async (world: World, password: string) => {
  const answer = await post(world, '/api/v1/session', { name: 'vera', password });
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  const { csrf = '' } = (await answer.json()) as { csrf?: string };
  return { status: answer.status, headers: { cookie, 'x-weighbridge-csrf': csrf } };
};
