import t from 'tap';
import { openAccounts } from '../../src/gateway/accounts.ts';
import { createAttempts } from '../../src/gateway/oidc/attempt.ts';
import { directoryDigest, openDirectory } from '../../src/gateway/oidc/directory.ts';
import { createProvider } from '../../src/gateway/oidc/provider.ts';
import { openSessions } from '../../src/gateway/sessions.ts';
import {
  type DirectorySettings,
  nameInDirectory,
  roleByGroups,
  shownInDirectory,
} from '../../src/identity/directory.ts';
import { createExchange } from '../../src/upstream/exchange.ts';
import { type FalseProvider, type Lies, startFalseProvider } from '../support/false-provider.ts';
import { CLIENT } from '../support/identity-provider.ts';
import { createMemoryRecords } from '../support/memory-records.ts';

const REDIRECT = 'http://127.0.0.1:1/callback';
const MINUTE = 60_000;
type Tap = Parameters<typeof startFalseProvider>[0];

const settingsFor = ({ issuer }: Pick<FalseProvider, 'issuer'>): DirectorySettings => ({
  issuer,
  clientId: CLIENT.id,
  clientSecret: CLIENT.secret,
  scopes: ['groups', 'openid'],
  groups: { claim: 'realm.roles', roles: { admin: ['ml-admins'], viewer: ['ml-viewers'] } },
  acr: [],
  amr: [],
  allowPrivate: false,
});

const open = async (t: Tap, more: Partial<DirectorySettings> = {}) => {
  const provider = await startFalseProvider(t);
  const settings = { ...settingsFor(provider), ...more };
  const exchange = createExchange({ url: settings.issuer }, settings.allowPrivate);
  t.teardown(() => exchange.close());
  const records = createMemoryRecords();
  const sessions = await openSessions(records, await openAccounts(records));
  const directory = openDirectory(settings, exchange, sessions, new Uint8Array(32));
  /** Begins, and comes back with a code, to a provider that says that. */
  const visit = async (lies: Lies) => {
    const { attempt, location } = await directory.begin(REDIRECT, '/log');
    const asked = new URL(location).searchParams;
    provider.say({ ...lies, claims: { nonce: asked.get('nonce'), ...lies.claims } });
    return directory.finish(attempt, `?${new URLSearchParams({ code: 'c', state: asked.get('state') ?? '' })}`);
  };
  return { directory, exchange, provider, sessions, settings, visit };
};

t.test('a provider is not asked at places that are not its own, nor believed to be another one', async (t) => {
  const cases: readonly (readonly [Lies, RegExp])[] = [
    [{ document: { issuer: 'https://idp.example' } }, /does not match the expected issuer/],
    [{ document: { issuer: 7 } }, /now: /],
    [{ answers: { '/.well-known/openid-configuration': { body: '<html>' } } }, /parsing error/],
    [{ answers: { '/.well-known/openid-configuration': { status: 404 } } }, /unexpected HTTP response/],
    [{ answers: { '/.well-known/openid-configuration': { status: 302 } } }, /unexpected HTTP response/],
    [{ answers: { '/.well-known/openid-configuration': { body: '['.repeat(2_000_000) } } }, /over 1048576 bytes/],
    [{ document: { authorization_endpoint: 'http://idp.example/a' } }, /over TLS/],
    [{ document: { authorization_endpoint: 'javascript:alert(1)' } }, /over TLS/],
    [{ document: { authorization_endpoint: undefined } }, /no place/],
  ];
  for (const [lies, words] of cases) {
    const { directory, provider } = await open(t);
    provider.say(lies);
    await t.rejects(directory.begin(REDIRECT, '/'), { code: 'IDENTITY_UNAVAILABLE', message: words }, String(words));
  }
  for (const place of [
    'https://127.0.0.1:9/token',
    'https://[::1]:9/',
    'http://idp.example/token',
    'https://2130706433/',
    'https://localhost:9/',
    'https://169.254.169.254/latest',
    'https://user:word@idp.example/',
  ]) {
    for (const name of ['token_endpoint', 'jwks_uri', 'userinfo_endpoint']) {
      const { provider, visit } = await open(t);
      provider.say({ document: { [name]: place } });
      // `openid-client` asks for user information as the token leaves the claim out.
      await t.rejects(
        visit({}),
        { code: 'IDENTITY_UNAVAILABLE', message: /is not (fetched from|asked)/ },
        `${name} ${place}`,
      );
    }
  }
});

t.test('what a provider says of itself is asked for once, kept, and kept longer while it is away', async (t) => {
  const { exchange, provider, settings } = await open(t);
  let now = Date.UTC(2026, 10, 24);
  const { current } = createProvider(settings, exchange, () => now);
  const asked = (): number => provider.seen.length;
  provider.say({ answers: { '/.well-known/openid-configuration': { status: 503 } } });
  const away = { code: 'IDENTITY_UNAVAILABLE', message: /answered with 503/ };
  await Promise.all(Array.from({ length: 5 }, () => t.rejects(current(), away)));
  await t.rejects(current(), away);
  t.equal(asked(), 1, 'five who come at once, and one soon after, knock once');
  provider.say({});
  now += 2_000;
  const first = await current();
  t.equal(await current(), first);
  t.equal(asked(), 2);
  now += 9 * MINUTE;
  t.equal(await current(), first);
  t.equal(asked(), 2);
  now += 2 * MINUTE;
  const second = await current();
  t.not(second, first, 'asked anew after ten minutes');
  provider.say({ answers: { '/.well-known/openid-configuration': { status: 503 } } });
  now += 23 * 60 * MINUTE;
  t.equal(await current(), second, 'what it said last counts while it is away');
  t.equal(await current(), second);
  t.equal(asked(), 4);
  now += 2 * 60 * MINUTE;
  await t.rejects(current(), away, 'for a day');
});

t.test('a secret is shown in the way that the provider takes, and a public client shows none', async (t) => {
  const claims = { realm: { roles: ['ml-viewers'] } };
  const posted = await open(t);
  posted.provider.say({
    document: { token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_post'] },
  });
  t.match(await posted.visit({ claims }), { person: { role: 'viewer', via: 'oidc' }, back: '/log' });
  const token = posted.provider.seen.find(({ path }) => path === '/token');
  t.match([token?.authorization, token?.body], ['', new RegExp(`client_secret=${CLIENT.secret}`)]);
  const provider = await startFalseProvider(t);
  const { clientSecret: _, ...settings } = settingsFor(provider);
  const exchange = createExchange({ url: provider.issuer }, false);
  t.teardown(() => exchange.close());
  const records = createMemoryRecords();
  const sessions = await openSessions(records, await openAccounts(records));
  const directory = openDirectory(settings, exchange, sessions, new Uint8Array(32));
  const { attempt, location } = await directory.begin(REDIRECT, '/');
  const { searchParams } = new URL(location);
  t.equal(searchParams.get('scope'), 'openid groups');
  provider.say({ claims: { ...claims, nonce: searchParams.get('nonce') } });
  const query = `?${new URLSearchParams({ code: 'c', state: searchParams.get('state') ?? '' })}`;
  t.match((await directory.finish(attempt, query)).person, { name: `${provider.issuer}#mallory` });
  const shown = provider.seen.find(({ path }) => path === '/token');
  t.match([shown?.authorization, shown?.body], ['', /code_verifier=/]);
  t.notMatch(shown?.body, /client_secret/);
  t.equal(await directory.signOutAt('http://127.0.0.1:1/'), undefined, 'it announces no place to sign out at');
});

t.test('sessions of a directory count under the settings that they were opened under', async (t) => {
  const records = createMemoryRecords();
  const accounts = await openAccounts(records);
  const settings = settingsFor({ issuer: 'https://idp.example' });
  const start = (digest?: string) => openSessions(records, accounts, Date.now, digest);
  const person = { name: 'https://idp.example#a', role: 'admin', via: 'oidc', shown: 'a' } as const;
  const digest = directoryDigest(settings);
  const secret = await (await start(digest)).open(person);
  t.match((await start(digest)).find(secret), { name: person.name, shown: 'a', role: 'admin' });
  t.equal((await start(directoryDigest({ ...settings, clientSecret: 'new', scopes: [] }))).find(secret)?.role, 'admin');
  const other = { ...settings, groups: { ...settings.groups, roles: { viewer: ['ml-admins'] } } };
  t.equal((await start(directoryDigest(other))).find(secret), undefined, 'another role for the group');
  const again = await (await start(digest)).open(person);
  t.equal((await start()).find(again), undefined, 'no directory any more');
});

t.test('an attempt is sealed for one gateway and ten minutes', async (t) => {
  let now = 1_000 * MINUTE;
  const attempt = { state: 's', nonce: 'n', verifier: 'v', redirect: REDIRECT, back: '/', again: false, at: now };
  const { open: unseal, seal } = createAttempts(new Uint8Array(32), () => now);
  const sealed = seal(attempt);
  t.same(unseal(sealed), attempt);
  t.match(sealed, /^[\w-]+$/, 'fit for a cookie');
  t.not(seal(attempt), sealed);
  t.equal(createAttempts(new Uint8Array(32).fill(1), () => now).open(sealed), undefined);
  for (let at = 0; at < sealed.length; at += 7) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    t.equal(unseal(changed), undefined);
  }
  now += 10 * MINUTE;
  t.equal(unseal(sealed), undefined);
});

t.test('roles come from a list of texts at the place that is named, the most trusted one first', async (t) => {
  const roles = { viewer: ['v'], approver: ['p', 'q'], admin: ['a'] };
  const role = (claim: string, claims: Record<string, unknown>) => roleByGroups(claims, { claim, roles });
  t.equal(role('groups', { groups: ['a', 'v'] }), 'admin');
  t.equal(role('groups', { groups: ['q', 'v', 'unknown'] }), 'approver');
  t.equal(role('realm.roles', { realm: { roles: ['v'] } }), 'viewer');
  t.equal(role('https://w.example/roles', { 'https://w.example/roles': ['v'] }), 'viewer');
  t.equal(role('realm.roles', { 'realm.roles': ['v'], realm: { roles: ['a'] } }), 'viewer', 'its own name first');
  const nothing = { code: 'FORBIDDEN', message: /says nothing/ };
  for (const claims of [{}, { realm: null }, { realm: 'roles' }, { realm: [] }])
    t.throws(() => role('realm.roles', claims), nothing);
  for (const claim of ['constructor', '__proto__', 'toString', 'constructor.name'])
    t.throws(() => role(claim, {}), nothing);
  for (const groups of ['a', { 0: 'a', length: 1 }, [['a']], ['a', 7], ['a', null], 7, true, Array(10_001).fill('a')])
    t.throws(() => role('groups', { groups }), { code: 'FORBIDDEN', message: /not a list/ });
  for (const groups of [[], ['A'], ['a '], ['admin']])
    t.throws(() => role('groups', { groups }), { message: /none of your groups/ });
  t.throws(() => roleByGroups({ groups: ['a'] }, { claim: 'groups', roles: {} }), { code: 'FORBIDDEN' });

  t.equal(nameInDirectory('https://i', 'a b'), 'https://i#a b');
  for (const wrong of ['', 'é', 'a\u0000', 'x'.repeat(256), 7, undefined, null, ['a']])
    t.throws(() => nameInDirectory('https://i', wrong), { code: 'FORBIDDEN' });
  t.equal(shownInDirectory({ name: 'n', email: 'e' }), 'e');
  t.equal(shownInDirectory({ preferred_username: 'a\u202eb\nc\u0000' }), 'abc');
  t.equal(shownInDirectory({ preferred_username: 7, name: 'x'.repeat(300) })?.length, 100);
  t.equal(shownInDirectory({}), undefined);
});
