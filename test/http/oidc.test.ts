import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { account } from '../../src/cli/account.ts';
import { report } from '../../src/cli/report.ts';
import { openBrowser } from '../support/browser.ts';
import { makeCertificates } from '../support/certificates.ts';
import { runCommand } from '../support/command-io.ts';
import { type Lies, startFalseProvider } from '../support/false-provider.ts';
import { CLIENT, type Directory, type IdentityProvider, startIdentityProvider } from '../support/identity-provider.ts';
import { startWorld, type World } from '../support/world.ts';

const CALLBACK = '/api/v1/session/oidc/callback';
const PASSWORD = 'correct horse battery';
type Tap = Parameters<typeof startWorld>[0];
type Options = Parameters<typeof startIdentityProvider>[2];

const PEOPLE: Directory = {
  'alice-1': { preferred_username: 'alice', groups: ['staff', 'ml-admins', 'ml-viewers'] },
  'vera-2': { preferred_username: 'vera', groups: ['ml-viewers'] },
  'nick-3': { preferred_username: 'nick', groups: ['staff'] },
  'otto-4': { preferred_username: 'otto' },
  'text-5': { preferred_username: 'text', groups: 'ml-admins' },
  'odd-6': { preferred_username: 'odd', groups: ['ml-admins', { toString: 'ml-viewers' }] },
  'huge-7': {
    preferred_username: 'huge',
    groups: Array.from({ length: 60_000 }, (_, at) => `group-${at}-${'x'.repeat(20)}`),
  },
  'many-8': {
    preferred_username: 'many',
    groups: [...Array.from({ length: 400 }, (_, at) => `group-${at}`), 'ml-viewers'],
  },
};

/** Settings of a gateway whose people are known to that provider. */
const settingsFor = ({ issuer }: Pick<IdentityProvider, 'issuer'>): Record<string, string> => ({
  AUTH_REQUIRED: 'true',
  AUTH_OIDC_ISSUER: issuer,
  AUTH_OIDC_CLIENT_ID: CLIENT.id,
  AUTH_OIDC_CLIENT_SECRET: CLIENT.secret,
  AUTH_OIDC_GROUPS_ROLES_ADMIN: 'ml-admins',
  AUTH_OIDC_GROUPS_ROLES_VIEWER: 'ml-viewers, guests',
});

const withProvider = async (t: Tap, options: Options = {}, more: Record<string, string> = {}) => {
  const provider = await startIdentityProvider(t, structuredClone(PEOPLE), options);
  const world = await startWorld(t, [], { settings: { ...settingsFor(provider), ...more } });
  provider.serve(world.url);
  return { provider, world };
};

const isCallback = (url: string): boolean => new URL(url).pathname === CALLBACK;
const sessionOf = (browser: ReturnType<typeof openBrowser>, world: World): string =>
  browser.cookies.get(new URL(world.url).hostname)?.get('weighbridge') ?? '';
const who = async (browser: ReturnType<typeof openBrowser>, world: World) =>
  JSON.parse((await browser.get(`${world.url}/api/v1/session`)).text);

const signIn = async (world: World, name: string, browser = openBrowser(), back = '/') => {
  const start = `${world.url}/api/v1/session/oidc?back=${encodeURIComponent(back)}`;
  const callback = await browser.walk(start, name, isCallback);
  return { browser, callback, page: await browser.get(callback) };
};

t.test('a person signs in at the provider, has the role of their groups, and signs out there too', async (t) => {
  const { provider, world } = await withProvider(t);
  const ways = await openBrowser().get(`${world.url}/api/v1/session/ways`);
  t.same(JSON.parse(ways.text), { password: true, oidc: { issuer: provider.issuer, begin: '/api/v1/session/oidc' } });
  const { browser, callback, page } = await signIn(world, 'alice-1', openBrowser(), '/log?team="a"');
  t.equal(page.status, 200, page.text);
  t.match(page.text, `content="0;url=${world.url}/log?team=%22a%22"`);
  t.match(page.headers, { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  t.match(page.headers['content-security-policy'], /^default-src 'none'.*frame-ancestors 'none'$/);
  t.match(page.headers['set-cookie'], [
    /^weighbridge-sign-in=; .*Max-Age=0$/,
    /^weighbridge=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  ]);
  const me = await who(browser, world);
  t.match(me, { name: `${provider.issuer}#alice-1`, shown: 'alice', role: 'admin', team: '' });
  t.equal((await browser.get(`${world.url}/api/v1/tokens`)).status, 200);
  t.equal((await browser.get(`${world.url}/hf/api/models/x/y`)).status, 403, 'a browser loads no models');
  const password = JSON.stringify({ current: PASSWORD, password: `${PASSWORD} new` });
  const own = { 'content-type': 'application/json', 'x-weighbridge-csrf': me.csrf };
  const changed = await browser.send('POST', `${world.url}/api/v1/session/password`, own, password);
  t.match(changed, { status: 403, text: /the identity provider keeps it/ });

  const again = await browser.get(callback);
  t.match(again, { status: 403, text: /not begun in this browser/ }, 'the same answer counts once');
  t.equal((await who(browser, world)).role, 'admin', 'and nobody is signed out by that');

  const out = await browser.send('DELETE', `${world.url}/api/v1/session`, { 'x-weighbridge-csrf': me.csrf });
  t.equal(out.status, 200);
  const leave = new URL(JSON.parse(out.text).signOut);
  t.equal(leave.origin, provider.issuer);
  t.match(Object.fromEntries(leave.searchParams), {
    client_id: CLIENT.id,
    post_logout_redirect_uri: `${world.url}/`,
  });
  t.equal((await browser.get(leave.href)).status, 200, 'the provider knows where to come back to');
  t.equal((await browser.get(`${world.url}/api/v1/tokens`)).status, 401);
});

t.test('what was said at the provider is kept nowhere, and the log knows who came by pseudonyms', async (t) => {
  const { provider, world } = await withProvider(t);
  const alice = await signIn(world, 'alice-1');
  const nick = await signIn(world, 'nick-3');
  t.match(nick.page, { status: 403, text: /none of your groups at the provider has a role here/ });
  t.match(alice.page.status, 200);
  t.equal(sessionOf(nick.browser, world), '');
  const { searchParams } = new URL(alice.callback);
  const secrets = [
    CLIENT.secret,
    Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64'),
    searchParams.get('code') ?? '',
    searchParams.get('state') ?? '',
    sessionOf(alice.browser, world),
  ];
  await world.restart();
  const entries = await world.entries();
  t.ok(secrets.every((secret) => secret.length > 20));
  let files = 0;
  for (const one of readdirSync(world.data, { recursive: true, withFileTypes: true })) {
    if (!one.isFile()) continue;
    files += 1;
    const bytes = readFileSync(join(one.parentPath, one.name));
    for (const secret of secrets) t.notOk(bytes.includes(secret), `${one.name} has no secret in it`);
  }
  t.ok(files > 5);
  const opened = entries.find(({ kind }) => kind === 'session.opened');
  t.match(opened, {
    actor: /^p_/,
    request: { method: 'GET', route: CALLBACK },
    detail: { via: 'oidc', role: 'admin', called: /^p_/, session: /^[0-9a-f]{16}$/, expires: /Z$/ },
  });
  const refused = entries.find(({ kind }) => kind === 'session.refused');
  t.match(refused, {
    actor: /^p_/,
    request: { route: CALLBACK },
    detail: { via: 'oidc', status: 403, code: 'FORBIDDEN' },
  });
  t.not(refused?.['actor'], opened?.['actor']);
  t.notMatch(JSON.stringify(entries), /alice|nick/);
  t.equal((await who(alice.browser, world)).name, `${provider.issuer}#alice-1`, 'a session outlives a restart');
});

t.test('who has no role is told so in a sentence, and groups are a list of texts or nothing', async (t) => {
  const { world } = await withProvider(t);
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['nick-3', 403, /none of your groups at the provider has a role here/],
    ['otto-4', 403, /the provider says nothing in the claim groups/],
    ['text-5', 403, /the claim groups of the provider is not a list/],
    ['odd-6', 403, /the claim groups of the provider is not a list/],
    ['huge-7', 503, /over 1048576 bytes/],
    ['many-8', 200, /You are signed in/],
    ['vera-2', 200, /You are signed in/],
  ];
  for (const [name, status, words] of cases) {
    const { browser, page } = await signIn(world, name);
    t.match(page, { status, text: words }, name);
    t.equal(sessionOf(browser, world) !== '', status === 200, `${name} ${status === 200 ? 'is in' : 'is out'}`);
    t.notOk(page.headers['www-authenticate'], 'no browser asks for a password then');
  }
});

t.test('a new role at the provider counts for every session, and so does none', async (t) => {
  const { provider, world } = await withProvider(t, { inToken: true });
  const first = await signIn(world, 'vera-2');
  const other = await signIn(world, 'alice-1');
  t.equal((await who(first.browser, world)).role, 'viewer');
  provider.people['vera-2'] = { preferred_username: 'vera', groups: ['ml-viewers', 'ml-admins'] };
  const second = await signIn(world, 'vera-2');
  t.equal((await who(second.browser, world)).role, 'admin');
  t.equal((await first.browser.get(`${world.url}/api/v1/session`)).status, 401, 'nobody has two roles');
  provider.people['vera-2'] = { preferred_username: 'vera', groups: [] };
  t.equal((await signIn(world, 'vera-2')).page.status, 403);
  t.equal((await second.browser.get(`${world.url}/api/v1/session`)).status, 401);
  t.equal((await who(other.browser, world)).role, 'admin', 'others stay');
  provider.people['vera-2'] = { preferred_username: 'alice', groups: ['ml-viewers'] };
  const third = await signIn(world, 'vera-2');
  const { csrf } = await who(third.browser, world);
  await third.browser.send('DELETE', `${world.url}/api/v1/session`, { 'x-weighbridge-csrf': csrf });

  await world.restart();
  const { stdout } = await runCommand(report.run, ['access', '--json', '--data', world.data]);
  const rows = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  const vera = rows.filter(({ name }) => name === `${provider.issuer}#vera-2`);
  t.match(vera, [
    { kind: 'oidc', role: 'viewer', called: 'vera', signIns: 1, by: '', until: /Z$/ },
    { kind: 'oidc', role: 'admin', called: 'vera', signIns: 1, until: /Z$/ },
    { kind: 'oidc', role: 'viewer', called: 'alice', signIns: 1, until: /Z$/ },
  ]);
  t.equal(vera.length, 3);
  t.equal(vera[0].until, vera[1].from);
  const times = vera.flatMap((row) => [row.from, row.until]);
  t.same([...times].sort(), times, 'one after the other');
  t.ok(Date.parse(vera[2].until) <= Date.now(), 'signed out');
  const alice = rows.find(({ name }) => name === `${provider.issuer}#alice-1`);
  t.ok(Date.parse(alice.until) > Date.now() + 11 * 3_600_000, 'who is signed in has the role for twelve hours at most');
  const text = await runCommand(report.run, ['access', '--data', world.data]);
  t.match(text.stdout, /oidc {6}admin .* called alice {2}signed in 1 times/);
});

t.test('an account and a person of the provider are two, whatever they are called', async (t) => {
  const { provider, world } = await withProvider(t);
  const here = ['--data', world.data];
  await world.restart(async () => {
    const added = await runCommand(account.run, ['add', 'vera', '--role', 'admin', ...here], `${PASSWORD}\n`);
    t.equal(added.code, 0, added.stderr);
  });
  provider.serve(world.url);
  const vera = await signIn(world, 'vera-2');
  t.match(await who(vera.browser, world), { name: `${provider.issuer}#vera-2`, shown: 'vera', role: 'viewer' });
  t.equal((await vera.browser.get(`${world.url}/api/v1/tokens`)).status, 403);
  const local = openBrowser();
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'vera', password: PASSWORD });
  t.equal((await local.send('POST', `${world.url}/api/v1/session`, json, body)).status, 200);
  const me = await who(local, world);
  t.match(me, { name: 'vera', role: 'admin' });
  const out = await local.send('DELETE', `${world.url}/api/v1/session`, { 'x-weighbridge-csrf': me.csrf });
  t.equal(out.status, 204, 'nobody is sent to the provider who did not come from there');
  await world.restart(() => runCommand(account.run, ['disable', 'vera', ...here]));
  t.equal((await who(vera.browser, world)).role, 'viewer', 'the one ends without the other');
  const actors = (await world.entries())
    .filter(({ kind }) => kind === 'session.opened')
    .map(({ actor, detail }) => [actor, detail.via]);
  t.equal(new Set(actors.map(([actor]) => actor)).size, 2);
});

t.test('over TLS, with an authority of the settings, everything is bound to this host', async (t) => {
  const certificates = makeCertificates(t.testdir({}));
  const more = { TLS_CERT: certificates.cert, TLS_KEY: certificates.key, AUTH_OIDC_CA: certificates.ca };
  const provider = await startIdentityProvider(t, structuredClone(PEOPLE), { certificates });
  const world = await startWorld(t, [], { settings: { ...settingsFor(provider), ...more } });
  const ca = readFileSync(certificates.ca, 'utf8');
  const browser = openBrowser(ca);
  const away = await browser.get(`${world.url}/api/v1/session/oidc`);
  t.match(away, { status: 503, text: /nobody can sign in at the identity provider now: .* answered with 503/ });
  t.match(away.headers, { 'retry-after': /^\d+$/ });
  await new Promise((resolve) => setTimeout(resolve, 2100));
  provider.serve(world.url);
  const begun = await browser.get(`${world.url}/api/v1/session/oidc`);
  t.equal(begun.status, 303, begun.text);
  t.match(
    String(begun.headers['set-cookie']),
    /^__Host-weighbridge-sign-in=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600; Secure$/,
  );
  const { page } = await signIn(world, 'alice-1', browser);
  t.equal(page.status, 200, page.text);
  t.match(
    String(page.headers['set-cookie']),
    /__Host-weighbridge=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure/,
  );
  t.equal((await who(browser, world)).role, 'admin');
  provider.leave();
  t.equal((await browser.get(`${world.url}/api/v1/session/oidc`)).status, 303, 'what it says of itself is remembered');
  const stopped = await signIn(world, 'vera-2', openBrowser(ca)).catch((error: Error) => error);
  t.match(stopped, /503/);
});

/** A gateway before a provider that lies, and one visit of a browser to it. */
const withFalseProvider = async (t: Tap, more: Record<string, string> = {}) => {
  const provider = await startFalseProvider(t);
  const world = await startWorld(t, [], { settings: { ...settingsFor(provider), ...more } });
  const begin = async (browser = openBrowser(), query = '') => {
    const page = await browser.get(`${world.url}/api/v1/session/oidc${query}`);
    if (typeof page.headers['location'] !== 'string') throw new Error(`${page.status} ${page.text}`);
    const asked = Object.fromEntries(new URL(page.headers['location']).searchParams) as Record<string, string>;
    return { browser, asked };
  };
  const comeBack = (browser: ReturnType<typeof openBrowser>, query: Record<string, string>) =>
    browser.get(`${world.url}${CALLBACK}?${new URLSearchParams(query)}`);
  /** One visit from beginning to end, in which the provider says that. */
  const visit = async (lies: Lies, query: Record<string, string> = {}) => {
    const { asked, browser } = await begin();
    provider.say({ ...lies, claims: { nonce: asked['nonce'], ...lies.claims } });
    const page = await comeBack(browser, { code: 'canary-code', state: asked['state'] ?? '', ...query });
    return { asked, browser, page };
  };
  return { provider, world, begin, comeBack, visit };
};

t.test('what is asked of the provider is what the protocol wants, and told to no other place', async (t) => {
  const { provider, world, visit } = await withFalseProvider(t);
  const { asked, browser, page } = await visit({});
  t.equal(page.status, 200, page.text);
  t.match(await who(browser, world), { name: `${provider.issuer}#mallory`, role: 'admin' });
  t.match(asked, {
    response_type: 'code',
    client_id: CLIENT.id,
    redirect_uri: `${world.url}${CALLBACK}`,
    scope: 'openid profile',
    code_challenge_method: 'S256',
  });
  for (const name of ['state', 'nonce', 'code_challenge'] as const) t.ok((asked[name] ?? '').length >= 43, name);
  const token = provider.seen.find(({ path }) => path === '/token');
  t.match(token?.authorization, /^Basic /);
  t.match(Object.fromEntries(new URLSearchParams(token?.body)), {
    grant_type: 'authorization_code',
    code: 'canary-code',
    redirect_uri: `${world.url}${CALLBACK}`,
    code_verifier: /^[\w-]{43}$/,
  });
  t.notOk(
    provider.seen.some(({ path }) => path === '/userinfo'),
    'nothing more is asked for than is needed',
  );
  const more = await visit({ claims: { groups: undefined } });
  t.equal((await who(more.browser, world)).role, 'viewer', 'what the token leaves out is asked for');
});

t.test('nobody is believed who is not the provider, to whom nobody else was sent, about something else', async (t) => {
  const { world, visit } = await withFalseProvider(t);
  const hour = Math.floor(Date.now() / 1000) - 3600;
  const header = (alg: string): Lies => ({ header: { alg } });
  const lies: Readonly<Record<string, readonly [Lies, Record<string, string>?]>> = {
    'another state': [{}, { state: 'x'.repeat(43) }],
    'no state': [{}, { state: '' }],
    'another nonce': [{ claims: { nonce: 'x'.repeat(43) } }],
    'no nonce': [{ claims: { nonce: undefined } }],
    'no signature': [header('none')],
    'a signature by the secret': [header('HS256')],
    'the signature of somebody else': [{ strangeKey: true }],
    'a key that is not shown': [{ header: { kid: 'other' } }],
    'another audience': [{ claims: { aud: 'another-client' } }],
    'audiences with another one in charge': [{ claims: { aud: [CLIENT.id, 'another'], azp: 'another' } }],
    'no audience': [{ claims: { aud: undefined } }],
    'a token that has expired': [{ claims: { exp: hour, iat: hour - 60 } }],
    'a token without an end': [{ claims: { exp: undefined } }],
    'a token of another issuer': [{ claims: { iss: 'https://idp.example' } }],
    nobody: [{ claims: { sub: '' } }],
    'a subject that is no text': [{ claims: { sub: 7 } }],
    'a subject that is too long': [{ claims: { sub: 'x'.repeat(256) } }],
    'a subject with a line break': [{ claims: { sub: 'a\nb' } }],
    'an answer for another provider': [{}, { iss: 'https://idp.example' }],
    'no ID token': [{ answers: { '/token': { body: '{"access_token":"a","token_type":"Bearer"}' } } }],
    'a code that it does not know': [{ answers: { '/token': { status: 400, body: '{"error":"invalid_grant"}' } } }],
    'that the person said no': [{}, { error: 'access_denied', error_description: '<script>' }],
    'a word of its own': [{}, { error: 'evil sentence from elsewhere' }],
    'user information of somebody else': [
      { claims: { groups: undefined }, answers: { '/userinfo': { body: '{"sub":"eve","groups":["ml-admins"]}' } } },
    ],
  };
  for (const [name, [told, query]] of Object.entries(lies)) {
    const { browser, page } = await visit(told, query);
    t.match(page, { status: 403, text: /"code":"FORBIDDEN"/ }, `${name}: ${page.text.slice(0, 200)}`);
    t.notMatch(page.text, /script|evil|canary|eyJ/, name);
    t.equal(sessionOf(browser, world), '', name);
  }
  const away: Readonly<Record<string, Lies>> = {
    'does not know us': { answers: { '/token': { status: 401, body: '{"error":"invalid_client"}' } } },
    'is broken': { answers: { '/token': { status: 500, body: 'canary' } } },
    'sends us elsewhere': { answers: { '/token': { status: 302, body: '' } } },
    'sends without end': { answers: { '/token': { body: 'x'.repeat(2 * 1024 * 1024) } } },
  };
  for (const [name, told] of Object.entries(away)) {
    const { browser, page } = await visit(told);
    t.match(page, { status: 503, text: /IDENTITY_UNAVAILABLE/ }, `${name}: ${page.text.slice(0, 200)}`);
    t.notMatch(page.text, /canary/);
    t.equal(sessionOf(browser, world), '', name);
  }
  t.equal((await visit({})).page.status, 200, 'and the truth is believed after that');
  const refused = (await world.entries()).filter(({ kind }) => kind === 'session.refused');
  t.equal(refused.length, Object.keys(lies).length, 'each is in the log');
  t.ok(refused.every(({ detail }) => detail.via === 'oidc'));
  t.notMatch(JSON.stringify(await world.entries()), /canary|script|mallory|evil|eyJ/);
});

t.test('the provider says that there were two factors, where they are asked for, or nobody is let in', async (t) => {
  const strong = { AUTH_OIDC_ACR: 'silver, gold', AUTH_OIDC_AMR: 'mfa, hwk' };
  const { visit, world } = await withFalseProvider(t, strong);
  const enough = { acr: 'gold', amr: ['pwd', 'hwk', 'mfa'] };
  const first = await visit({ claims: enough });
  t.equal(first.page.status, 200, first.page.text);
  t.equal(first.asked['acr_values'], 'silver gold');
  const lacking: Readonly<Record<string, object>> = {
    'no class': { amr: enough.amr },
    'another class': { ...enough, acr: 'bronze' },
    'a list of classes': { ...enough, acr: ['gold'] },
    'no methods': { acr: 'gold' },
    'one of two methods': { ...enough, amr: ['mfa'] },
    'methods in one text': { ...enough, amr: 'mfa hwk' },
    'methods as a map': { ...enough, amr: { 0: 'mfa', 1: 'hwk', length: 2 } },
  };
  for (const [name, claims] of Object.entries(lacking)) {
    const { browser, page } = await visit({ claims });
    t.match(page, { status: 403, text: /does not say that you signed in as asked for/ }, name);
    t.equal(sessionOf(browser, world), '', name);
  }
  const refused = (await world.entries()).filter(({ kind }) => kind === 'session.refused');
  t.equal(refused.length, Object.keys(lacking).length, 'each is in the log');
});

t.test('who is signed in by a provider ends their sessions once it has seen them again', async (t) => {
  const { world } = await withProvider(t);
  const [first, second] = [await signIn(world, 'alice-1'), await signIn(world, 'alice-1')];
  const end = async (browser: ReturnType<typeof openBrowser>) => {
    const headers = { 'x-weighbridge-csrf': (await who(browser, world)).csrf };
    return browser.send('POST', `${world.url}/api/v1/sessions/end`, headers);
  };
  t.match(await end(first.browser), { status: 403, text: /again=true/ }, 'a session alone ends none');
  const start = `${world.url}/api/v1/session/oidc?again=true`;
  const asked = new URL(String((await openBrowser().get(start)).headers['location'])).searchParams;
  t.match(Object.fromEntries(asked), { prompt: 'login', max_age: '0' });
  const callback = await first.browser.walk(start, 'alice-1', isCallback);
  t.equal((await first.browser.get(callback)).status, 200);
  const listed = JSON.parse((await first.browser.get(`${world.url}/api/v1/sessions`)).text).sessions;
  t.match(listed, [{ via: 'oidc' }, { via: 'oidc' }, { via: 'oidc', current: true }]);
  const ended = await end(first.browser);
  t.equal(ended.status, 200, ended.text);
  t.equal(JSON.parse(ended.text).ended.length, 3);
  t.equal((await second.browser.get(`${world.url}/api/v1/session`)).status, 401);

  const { begin, comeBack, provider, world: other } = await withFalseProvider(t);
  for (const seen of [undefined, Math.floor(Date.now() / 1000) - 600]) {
    const { asked: told, browser } = await begin(openBrowser(), '?again=true');
    provider.say({ claims: { nonce: told['nonce'], auth_time: seen } });
    const page = await comeBack(browser, { code: 'c', state: told['state'] ?? '' });
    t.equal(page.status, 403, page.text);
    t.equal(sessionOf(browser, other), '', 'nobody was seen again');
  }
});

t.test('a sign-in belongs to the browser that began it, and leads to no other place', async (t) => {
  const { begin, comeBack, provider, world } = await withFalseProvider(t);
  const [victim, attacker] = [await begin(), await begin()];
  provider.say({ claims: { nonce: attacker.asked['nonce'] } });
  const planted = await comeBack(victim.browser, { code: 'c', state: attacker.asked['state'] ?? '' });
  t.equal(planted.status, 403, 'nobody is signed in as somebody else');
  t.equal((await comeBack(openBrowser(), { code: 'c', state: attacker.asked['state'] ?? '' })).status, 403);
  const jar = attacker.browser.cookies.get(new URL(world.url).hostname);
  const kept = jar?.get('weighbridge-sign-in') ?? '';
  for (const wrong of ['', 'x', kept.slice(2), `${kept.slice(0, -4)}AAAA`, 'A'.repeat(5000)]) {
    jar?.set('weighbridge-sign-in', wrong);
    const page = await comeBack(attacker.browser, { code: 'c', state: attacker.asked['state'] ?? '' });
    t.match(page, { status: 403, text: /not begun in this browser/ }, wrong.slice(0, 10));
  }
  t.notOk(
    provider.seen.some(({ path }) => path === '/token'),
    'the provider was never asked',
  );

  const fixed = await begin();
  const secret = 'A'.repeat(43);
  fixed.browser.cookies.get(new URL(world.url).hostname)?.set('weighbridge', secret);
  provider.say({ claims: { nonce: fixed.asked['nonce'] } });
  t.equal((await comeBack(fixed.browser, { code: 'c', state: fixed.asked['state'] ?? '' })).status, 200);
  t.match(sessionOf(fixed.browser, world), /^[\w-]{43}$/);
  t.not(sessionOf(fixed.browser, world), secret, 'a session that somebody else set is not taken up');

  const wrong = [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'evil',
    '',
    '/.//evil.example',
    '/\t/evil.example',
  ];
  for (const back of [...wrong, `/${'x'.repeat(600)}`, 'javascript:alert(1)', '/..//evil.example']) {
    const page = await openBrowser().get(`${world.url}/api/v1/session/oidc?back=${encodeURIComponent(back)}`);
    t.match(page, { status: 400, headers: { location: undefined } }, back.slice(0, 20));
  }
  const twice = await openBrowser().get(`${world.url}/api/v1/session/oidc?back=/a&back=//evil.example`);
  t.equal(twice.status, 400);
  const elsewhere = await openBrowser().get(`${world.url}/api/v1/session/oidc`, { host: 'evil.example' });
  t.equal(elsewhere.status, 400, 'nor does a name that a page pointed here');
});
