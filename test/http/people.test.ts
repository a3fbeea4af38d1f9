import { readdirSync, readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { account } from '../../src/cli/account.ts';
import { report } from '../../src/cli/report.ts';
import { makeCertificates } from '../support/certificates.ts';
import { runCommand } from '../support/command-io.ts';
import { jsonOf, startWorld, type World } from '../support/world.ts';

const PASSWORD = 'correct horse battery';
type Tap = Parameters<typeof startWorld>[0];
type Headers = Record<string, string>;

const run = (input: string, ...args: string[]) => runCommand(account.run, args, input);

/** A gateway that answers nobody unknown, with an account for each of these roles. */
const withPeople = async (t: Tap, ...people: (readonly [name: string, role: string])[]): Promise<World> => {
  const world = await startWorld(t, [], { settings: { AUTH_REQUIRED: 'true' } });
  await world.restart(async () => {
    for (const [name, role] of people) {
      const { code, stderr } = await run(`${PASSWORD}\n`, 'add', name, '--role', role, '--data', world.data);
      if (code !== 0) throw new Error(stderr);
    }
  });
  return world;
};

const signIn = async (world: World, name: string, password = PASSWORD, headers: Headers = {}) => {
  const answer = await fetch(`${world.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name, password }),
  });
  const set = answer.headers.get('set-cookie') ?? '';
  // biome-ignore lint/suspicious/noExplicitAny: read as a page would
  const json = (await answer.json()) as any;
  return { status: answer.status, set, cookie: set.split(';')[0] ?? '', csrf: String(json.csrf ?? ''), json };
};

const ask = async (world: World, path: string, headers: Headers, method = 'GET', body?: object): Promise<number> => {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const type: Headers = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(`${world.url}${path}`, { method, headers: { ...type, ...headers }, ...json });
  await answer.arrayBuffer();
  return answer.status;
};

t.test('a person signs in, is known by the cookie, and is out at once after signing out', async (t) => {
  const world = await withPeople(t, ['alice', 'admin'], ['vera', 'viewer']);
  const alice = await signIn(world, 'alice');
  t.match(alice, { status: 200, json: { name: 'alice', role: 'admin' } });
  t.match(alice.set, /^weighbridge=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  const again = await signIn(world, 'alice', PASSWORD, { cookie: alice.cookie });
  t.not(again.cookie, alice.cookie, 'each sign-in has a secret of its own, whatever the browser brought');
  const vera = await signIn(world, 'vera');
  t.equal(await ask(world, '/api/v1/tokens', { cookie: alice.cookie }), 200);
  t.equal(await ask(world, '/api/v1/tokens', { cookie: vera.cookie }), 403, 'roles hold');
  t.equal(await ask(world, '/metrics', { cookie: vera.cookie }), 200);
  t.equal(await ask(world, '/hf/api/models/x/y', { cookie: alice.cookie }), 403, 'a browser loads no models');
  for (const wrong of ['weighbridge=', 'weighbridge=x', `${alice.cookie}x`, `${alice.cookie}; ${vera.cookie}`, 'a=b'])
    t.equal(await ask(world, '/api/v1/tokens', { cookie: wrong }), 401, wrong.slice(0, 20));
  const leave = { cookie: alice.cookie, 'x-weighbridge-csrf': alice.csrf };
  t.equal(await ask(world, '/api/v1/session', leave, 'DELETE'), 204);
  t.equal(await ask(world, '/api/v1/tokens', { cookie: alice.cookie }), 401);
  t.equal(await ask(world, '/api/v1/tokens', { cookie: again.cookie }), 200, 'the other session goes on');
  await world.restart();
  t.equal(await ask(world, '/api/v1/tokens', { cookie: again.cookie }), 200, 'also after a restart');
  t.equal(await ask(world, '/api/v1/tokens', { cookie: alice.cookie }), 401);

  const entries = await world.entries();
  const added = entries.find(({ kind, detail }) => kind === 'account.added' && detail.role === 'admin');
  const opened = entries.filter(({ kind }) => kind === 'session.opened');
  t.equal(opened.length, 3);
  t.match(opened[0], { actor: added?.['detail'].pseudonym, detail: { via: 'account', role: 'admin' }, request: {} });
  t.match(
    entries.find(({ kind }) => kind === 'session.closed'),
    { actor: added?.['detail'].pseudonym },
  );
  t.notMatch(JSON.stringify(entries), /alice|vera/, 'by pseudonyms only');
  const secrets = [PASSWORD, alice.cookie.slice(12), again.cookie.slice(12), vera.csrf];
  for (const one of readdirSync(world.data, { recursive: true, withFileTypes: true })) {
    if (!one.isFile()) continue;
    const bytes = readFileSync(join(one.parentPath, one.name));
    for (const secret of secrets) t.notOk(bytes.includes(secret), `${one.name} has no secret in it`);
  }
});

t.test('nothing is changed with a cookie unless a page of ours says so', async (t) => {
  const world = await withPeople(t, ['alice', 'admin'], ['anna', 'admin']);
  const [{ cookie, csrf }, other] = [await signIn(world, 'alice'), await signIn(world, 'anna')];
  const make = (headers: Headers) =>
    ask(world, '/api/v1/tokens', { cookie, ...headers }, 'POST', { team: 'speech', mounts: ['hf'] });
  const own = { 'x-weighbridge-csrf': csrf };
  t.equal(await make(own), 201);
  t.equal(await make({ ...own, origin: world.url, 'sec-fetch-site': 'same-origin' }), 201);
  t.equal(await make({}), 403);
  for (const wrong of ['', 'x', other.csrf, csrf.slice(1), cookie.slice(12)])
    t.equal(await make({ 'x-weighbridge-csrf': wrong }), 403, wrong.slice(0, 8));
  t.equal(await make({ ...own, 'sec-fetch-site': 'cross-site' }), 403);
  t.equal(await make({ ...own, 'sec-fetch-site': 'same-site' }), 403);
  for (const origin of ['http://evil.example', 'null', `${world.url}0`, 'http://127.0.0.1'])
    t.equal(await make({ ...own, origin }), 403, origin);
  t.equal(await ask(world, '/api/v1/session', { cookie }, 'DELETE'), 403, 'nobody is signed out from elsewhere');
  t.equal((await signIn(world, 'alice', PASSWORD, { 'sec-fetch-site': 'cross-site' })).status, 403, 'nor in');
  const form = { 'content-type': 'text/plain' };
  t.equal((await signIn(world, 'alice', PASSWORD, form)).status, 400, 'a form cannot send what is read');
});

t.test('people see where they are signed in, and end one or all of it by their password', async (t) => {
  const world = await withPeople(t, ['alice', 'admin'], ['vera', 'viewer']);
  const [here, there] = [await signIn(world, 'alice'), await signIn(world, 'alice')];
  const vera = await signIn(world, 'vera');
  const list = async ({ cookie }: { cookie: string }) => {
    const answer = await fetch(`${world.url}/api/v1/sessions`, { headers: { cookie } });
    return { status: answer.status, json: await jsonOf(answer) };
  };
  const end = async ({ cookie, csrf }: typeof here, body: object) => {
    const headers = { cookie, 'x-weighbridge-csrf': csrf, 'content-type': 'application/json' };
    const answer = await fetch(`${world.url}/api/v1/sessions/end`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: answer.status, set: answer.headers.get('set-cookie') ?? '', json: await jsonOf(answer) };
  };
  const { sessions } = (await list(here)).json;
  t.match(sessions, [
    { current: true, via: 'account', id: /^[0-9a-f]{16}$/ },
    { current: false, via: 'account', id: /^[0-9a-f]{16}$/ },
  ]);
  t.equal(sessions.length, 2, 'their own only');
  t.ok(sessions[0].expiresAt > Date.now() && sessions[0].expiresAt <= Date.now() + 30 * 60_000);
  const [mine, other] = sessions.map(({ id }: { id: string }) => id);
  const [hers] = (await list(vera)).json.sessions;

  t.match(await end(here, { id: other }), { status: 401 }, 'not without the password');
  t.match(await end(here, { id: other, current: 'wrong horse battery' }), { status: 401 });
  t.match(await end({ ...here, csrf: '' }, { id: other, current: PASSWORD }), { status: 403 });
  for (const id of [hers.id, 'f'.repeat(16)])
    t.match(await end(here, { id, current: PASSWORD }), { status: 404 }, 'nobody ends what is not theirs');
  for (const wrong of [{ id: 7 }, { id: '*' }, { all: true }, { id: here.cookie }])
    t.match(await end(here, { current: PASSWORD, ...wrong }), { status: 400 }, JSON.stringify(wrong).slice(0, 20));
  t.equal((await list(there)).status, 200, 'so far nothing has ended');

  t.match(await end(here, { id: other, current: PASSWORD }), { status: 200, set: '', json: { ended: [other] } });
  t.equal((await list(there)).status, 401);
  t.equal((await list(here)).json.sessions.length, 1);
  const third = await signIn(world, 'alice');
  const all = await end(here, { current: PASSWORD });
  t.match([all.status, all.json.ended.length], [200, 2]);
  t.match(all.set, /^weighbridge=; .*Max-Age=0/);
  for (const gone of [here, third]) t.equal((await list(gone)).status, 401);
  t.equal((await list(vera)).status, 200, 'others stay');
  const closed = (await world.entries()).filter(({ kind }) => kind === 'session.closed');
  t.match(closed[0]?.['detail'], { session: other, by: mine, via: 'account' });
  t.equal(closed.length, 3);
  t.notMatch(JSON.stringify(closed), /alice/);
});

t.test('a password alone opens a gateway for its own machine, or for others where the settings say so', async (t) => {
  const world = await withPeople(t, ['alice', 'admin']);
  const from = { 'x-forwarded-for': '203.0.113.7' };
  const refused = await signIn(world, 'alice', PASSWORD, from);
  t.match(refused, { status: 403, set: '', json: { error: /a password alone/ } });
  const wrong = await signIn(world, 'alice', 'wrong horse battery', from);
  t.match(wrong.json.error, refused.json.error, 'which tells nothing of the password');
  const ways = async (headers: Headers) =>
    (await jsonOf(await fetch(`${world.url}/api/v1/session/ways`, { headers }))).password;
  t.same([await ways({}), await ways(from)], [true, false]);
  const elsewhere = { AUTH_REQUIRED: 'true', PUBLIC_URL: 'https://weighbridge.example' };
  const far = await startWorld(t, [], { settings: elsewhere });
  t.equal((await signIn(far, 'alice')).status, 403);
  const meant = await startWorld(t, [], { settings: { ...elsewhere, AUTH_PASSWORDS: 'anywhere' } });
  t.equal((await signIn(meant, 'alice')).status, 401);
});

t.test('guessing is slow, tells nothing, and is in the log', async (t) => {
  const world = await withPeople(t, ['alice', 'admin']);
  const wrong = await signIn(world, 'alice', 'wrong horse battery');
  const unknown = await signIn(world, 'nobody', 'wrong horse battery');
  t.match([wrong.status, unknown.status, wrong.set], [401, 401, '']);
  t.equal(wrong.json.error, unknown.json.error, 'in the same words');
  t.equal((await signIn(world, 'secret typed as a name', 'x')).status, 401);
  let status = 0;
  for (let attempt = 0; attempt < 12 && status !== 429; attempt += 1)
    ({ status } = await signIn(world, 'alice', 'wrong horse battery'));
  t.equal(status, 429);
  t.equal((await signIn(world, 'alice')).status, 429, 'the right password does not help then');
  // Nobody waits for entries of refusals: they are all there once it has ended.
  await world.restart();
  const entries = await world.entries();
  const refused = entries.filter(({ kind }) => kind === 'session.refused');
  const added = entries.find(({ kind }) => kind === 'account.added');
  t.ok(refused.length >= 12, `${refused.length} entries`);
  t.match(refused[0], { actor: added?.['detail'].pseudonym, detail: { status: 401, via: 'account' } });
  t.not(refused[1]?.['actor'], refused[0]?.['actor']);
  t.ok(refused.some(({ detail }) => detail.status === 429));
  const files = readdirSync(world.data, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  for (const one of files)
    t.notOk(readFileSync(join(one.parentPath, one.name)).includes('secret typed as a name'), one.name);
});

t.test('an account ends at once with its sessions, over the API as on the command line', async (t) => {
  const world = await withPeople(t, ['alice', 'admin'], ['bob', 'approver']);
  const [alice, bob] = [await signIn(world, 'alice'), await signIn(world, 'bob')];
  const admin = { cookie: alice.cookie, 'x-weighbridge-csrf': alice.csrf };
  t.equal(await ask(world, '/api/v1/quarantine', { cookie: bob.cookie }), 200);
  const post = (path: string, body: object) => ask(world, `/api/v1/accounts${path}`, admin, 'POST', body);
  t.equal(await post('/bob/password', { password: 'another horse battery' }), 200);
  t.equal(await ask(world, '/api/v1/quarantine', { cookie: bob.cookie }), 401, 'a new password ends old sessions');
  t.equal((await signIn(world, 'bob')).status, 401);
  const later = await signIn(world, 'bob', 'another horse battery');
  t.equal(later.status, 200);
  t.equal(await post('/bob/disable', {}), 200);
  t.equal(await ask(world, '/api/v1/quarantine', { cookie: later.cookie }), 401);
  t.equal((await signIn(world, 'bob', 'another horse battery')).status, 401);
  t.equal(await post('', { name: 'bob', role: 'admin', password: PASSWORD }), 400, 'nobody takes over a name');
  t.equal(await post('/nobody/disable', {}), 404);
  for (const wrong of [
    { name: 'Carol', role: 'admin', password: PASSWORD },
    { name: 't-0123456789abcdef', role: 'admin', password: PASSWORD },
    { name: 'carol', role: 'pipeline', password: PASSWORD },
    { name: 'carol', role: 'admin', password: 'short' },
    { name: 'carolinabeth', role: 'admin', password: 'carolinabeth1' },
    { name: 'carol', role: 'admin' },
  ])
    t.equal(await post('', wrong), 400, JSON.stringify(wrong));
  await world.restart(async () => {
    const here = ['--data', world.data];
    t.match((await run('', 'list', ...here)).stdout, /^alice +admin +since .*\nbob +approver .* disabled /);
    await t.rejects(run('short\n', 'password', 'alice', ...here), /^password: expected|expected 12 to 256/);
    await t.rejects(run('', 'add', 'carol', 'a-password-here', ...here), /nothing after it/);
    t.match(await run(`${PASSWORD} new\n`, 'password', 'alice', ...here), { code: 0 });
    t.match(await run('', 'disable', 'bob', ...here), { code: 0 });
  });
  t.equal(await ask(world, '/api/v1/tokens', { cookie: alice.cookie }), 401, 'what was changed meanwhile counts');
});

t.test('another role is held at once, also by who is signed in, and the report tells of both', async (t) => {
  const world = await withPeople(t, ['alice', 'admin'], ['bob', 'viewer'], ['carl', 'viewer']);
  const [alice, bob] = [await signIn(world, 'alice'), await signIn(world, 'bob')];
  const admin = { cookie: alice.cookie, 'x-weighbridge-csrf': alice.csrf };
  const give = (name: string, role: unknown, headers: Headers = admin) =>
    ask(world, `/api/v1/accounts/${name}/role`, headers, 'POST', { role });
  t.equal(await ask(world, '/api/v1/tokens', { cookie: bob.cookie }), 403);
  t.equal(await give('bob', 'admin', { cookie: bob.cookie, 'x-weighbridge-csrf': bob.csrf }), 403, 'not by oneself');
  t.equal(await give('bob', 'admin'), 200);
  t.equal(await ask(world, '/api/v1/tokens', { cookie: bob.cookie }), 200);
  t.equal(await give('bob', 'auditor'), 200);
  t.equal(await ask(world, '/api/v1/tokens', { cookie: bob.cookie }), 403);
  t.equal(await ask(world, '/api/v1/quarantine', { cookie: bob.cookie }), 200);
  for (const role of ['pipeline', 'root', '', 7, null]) t.equal(await give('bob', role), 400, String(role));
  t.equal(await give('nobody', 'viewer'), 404);
  t.equal(await ask(world, '/api/v1/accounts/carl/disable', admin, 'POST'), 200);
  t.equal(await give('carl', 'admin'), 400, 'what has ended stays so');
  const assigned = (await world.entries()).filter(({ kind }) => kind === 'account.assigned');
  t.match(
    assigned.map(({ detail }) => [detail.before, detail.role]),
    [
      ['viewer', 'admin'],
      ['admin', 'auditor'],
    ],
  );
  await world.restart(async () => {
    const here = ['--data', world.data];
    t.match(await run('', 'role', 'bob', '--role', 'approver', ...here), { code: 0, stdout: /^bob +approver/ });
    await t.rejects(run('', 'role', 'bob', ...here), /role: expected viewer/);
  });
  t.match(await ask(world, '/api/v1/scan', { cookie: bob.cookie }), 200);
  const { stdout } = await runCommand(report.run, ['access', '--json', '--data', world.data]);
  const rows = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const held = rows.filter(({ name }) => name === 'bob');
  t.match(held, [{ role: 'viewer' }, { role: 'admin' }, { role: 'auditor' }, { role: 'approver' }]);
  for (const [at, row] of held.entries()) t.equal(row.until, held[at + 1]?.from, 'each until the next');
  t.equal(held[1].by, rows.find(({ name }) => name === 'alice').who);
});

t.test('over TLS the cookie is bound to this host and is never sent in the open', async (t) => {
  const { ca, cert, key } = makeCertificates(t.testdir({}));
  const world = await startWorld(t, [], { settings: { TLS_CERT: cert, TLS_KEY: key, AUTH_REQUIRED: 'true' } });
  await world.restart(() => run(`${PASSWORD}\n`, 'add', 'alice', '--role', 'admin', '--data', world.data));
  const body = JSON.stringify({ name: 'alice', password: PASSWORD });
  const send = (path: string, method: string, headers: Headers, sent = '') =>
    new Promise<{ status: number; set: string }>((resolve, reject) => {
      const url = `${world.url}/api/v1/${path}`.replace('127.0.0.1', 'localhost');
      const sending = httpsRequest(url, { method, headers, ca: readFileSync(ca), family: 4 }, (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode ?? 0, set: String(answer.headers['set-cookie'] ?? '') });
      });
      sending.on('error', reject).end(sent);
    });
  const { status, set } = await send('session', 'POST', { 'content-type': 'application/json' }, body);
  t.equal(status, 200);
  t.match(set, /^__Host-weighbridge=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);
  const cookie = set.split(';')[0] ?? '';
  t.equal((await send('tokens', 'GET', { cookie })).status, 200);
  t.equal((await send('tokens', 'GET', { cookie: cookie.replace('__Host-', '') })).status, 401, 'no other name does');
});
