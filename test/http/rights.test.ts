import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config.ts';
import { huggingface } from '../../src/ecosystems/huggingface/plugin.ts';
import { forgeryToken } from '../../src/gateway/sessions.ts';
import type { Route } from '../../src/http/api/operation.ts';
import { type AppParts, createApp } from '../../src/http/app.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { MAY_LOAD, OPEN, RIGHTS, SIGN_IN } from '../../src/http/rights.ts';
import { PERSON_ROLES, ROLES } from '../../src/identity/roles.ts';

/** Stands for what handlers work on: whoever gets that far meets a defect, which is no refusal. */
const nothing = new Proxy({}, { get: (_target, name) => (name === 'then' ? undefined : nothing) }) as never;
const lookups = Object.fromEntries(
  ['reports', 'facts', 'statements', 'policies'].map((name) => [name, async () => undefined]),
);
const deps = {
  gateway: nothing,
  upstream: { origin: { url: 'http://127.0.0.1:1' } },
  records: nothing,
  credentialOf: () => undefined,
  publicUrl: undefined,
};
const tokenOf = (role: string): string => `the-token-of-the-role-${role}`;

const build = async (t: Tap, text: string): Promise<Asking> => {
  const folder = t.testdir({ 'weighbridge.yaml': text });
  const parts = {
    config: loadConfig({ file: `${folder}/weighbridge.yaml`, env: {} }),
    ecosystems: [{ ecosystem: huggingface, deps, mount: '/hf' }],
    metrics: createMetrics(),
    health: async () => [],
    lookups,
    scan: { limit: 1, log: { pseudonym: () => 'p', append: async () => 0 } },
    log: { log: nothing, search: nothing },
    office: {
      tokens: { find: () => ({ state: 'unknown' }), list: () => [] },
      vault: { list: () => [] },
      log: nothing,
      mounts: {},
    },
    people: {
      accounts: { list: () => [], find: () => undefined },
      // Who has the session `<role>`.
      sessions: {
        find: (role: string) => ({ name: `person-${role}`, team: '', environment: '', role, scopes: ['api'] }),
        close: async () => undefined,
        own: () => [],
        end: async () => [],
        isAnew: () => true,
      },
      log: nothing,
    },
    orders: { book: { list: () => [], find: () => undefined }, log: nothing },
    quarantine: { book: { list: () => [], find: () => undefined }, log: nothing, records: nothing },
    logger: pino({ level: 'silent' }),
  };
  const app = await createApp(parts as unknown as AppParts);
  t.teardown(() => app.server.close());
  const url = await app.server.listen({ host: '127.0.0.1', port: 0 });
  return {
    routes: app.routes,
    /** The status of an answer. What fetch cannot send (TRACE) is put to the app without a connection. */
    async ask({ method, url: route }, headers) {
      if (method === 'TRACE') return (await app.server.inject({ method, url: filled(route), headers })).statusCode;
      const answer = await fetch(url + filled(route), { method, headers });
      await answer.body?.cancel();
      return answer.status;
    },
  };
};
type Asking = {
  readonly routes: readonly Route[];
  ask(route: Route, headers: Record<string, string>): Promise<number>;
};
type Tap = { testdir: (files: Record<string, string>) => string; teardown: (end: () => Promise<unknown>) => void };

const tokens = ROLES.map((role) => `    - { name: ${role}, role: ${role}, token: ${tokenOf(role)} }`).join('\n');
const digest = 'ab'.repeat(32);
const filled = (url: string): string =>
  url
    .replace(/:(digest|first|second)/g, digest)
    .replace(':id', 't-1')
    .replace(':name', 'nobody')
    .replace('/tile/*', '/tile/0/000')
    .replace('*', 'api/telemetry/x');
const rowOf = ({ method, url }: Route): readonly string[] | undefined =>
  url.startsWith('/hf') ? MAY_LOAD : RIGHTS[`${method} ${url}`];
const isSignIn = ({ method, url }: Route): boolean => SIGN_IN.has(`${method} ${url}`);
const isOpen = (route: Route): boolean => OPEN.has(route.url) || isSignIn(route);

t.test('every route has a row in the table of rights, and every row a route', async (t) => {
  const { routes } = await build(t, `auth:\n  tokens:\n${tokens}\n`);
  t.ok(routes.length > 15, `${routes.length} routes`);
  const closed = routes.filter((route) => !isOpen(route));
  t.same(
    closed.filter((route) => rowOf(route) === undefined),
    [],
    'src/http/rights.ts has no row for these',
  );
  const served = new Set(routes.map(({ method, url }) => `${method} ${url}`));
  t.same(
    Object.keys(RIGHTS).filter((row) => !served.has(row)),
    [],
  );
});

t.test('every route of our own is described, with what it answers when all goes well', async (t) => {
  const { routes } = await build(t, `auth:\n  tokens:\n${tokens}\n`);
  const own = routes.filter(({ url }) => !url.startsWith('/hf'));
  t.ok(own.length > 25, `${own.length} routes`);
  const undescribed = own.filter(
    ({ operation }) => !Object.keys(operation?.answers ?? {}).some((status) => /^[23]/.test(status)),
  );
  t.same(
    undescribed.map(({ method, url }) => `${method} ${url}`),
    [],
    'registered without config.operation',
  );
});

t.test('each role may do what its row says, and nothing else', async (t) => {
  const { ask, routes } = await build(t, `auth:\n  tokens:\n${tokens}\n`);
  let [allowed, refused] = [0, 0];
  for (const route of routes) {
    if (OPEN.has(route.url)) {
      t.equal(await ask(route, {}), 200, `${route.url} is open`);
      continue;
    }
    if (isSignIn(route)) {
      t.ok([200, 400, 404].includes(await ask(route, {})), `${route.url} asks everybody who they are`);
      continue;
    }
    t.equal(await ask(route, {}), 401, `${route.method} ${route.url} without a token`);
    for (const role of ROLES) {
      const status = await ask(route, { authorization: `Bearer ${tokenOf(role)}` });
      const may = rowOf(route)?.includes(role) === true;
      if (may) t.notOk([401, 403].includes(status), `${role} may ${route.method} ${route.url}: ${status}`);
      else t.equal(status, 403, `${role} may not ${route.method} ${route.url}`);
      if (may) allowed += 1;
      else refused += 1;
    }
  }
  t.ok(allowed > 20 && refused > 20, `${allowed} allowed, ${refused} refused`);
});

t.test('a person who signed in may do what the role says, but for what pipelines load', async (t) => {
  const { ask, routes } = await build(t, `auth:\n  tokens:\n${tokens}\n`);
  let [allowed, refused] = [0, 0];
  for (const route of routes.filter((one) => !isOpen(one))) {
    for (const role of PERSON_ROLES) {
      const headers = { cookie: `weighbridge=${role}`, 'x-weighbridge-csrf': forgeryToken(role) };
      const status = await ask(route, headers);
      const may = !route.url.startsWith('/hf') && rowOf(route)?.includes(role) === true;
      if (may) t.notOk([401, 403].includes(status), `${role} may ${route.method} ${route.url}: ${status}`);
      else t.equal(status, 403, `${role} may not ${route.method} ${route.url}`);
      if (may) allowed += 1;
      else refused += 1;
      if (['GET', 'HEAD', 'OPTIONS'].includes(route.method)) continue;
      const forged = await ask(route, { cookie: `weighbridge=${role}` });
      t.equal(forged, 403, `nobody makes ${role} ${route.method} ${route.url} from elsewhere`);
    }
  }
  t.ok(allowed > 20 && refused > 20, `${allowed} allowed, ${refused} refused`);
});

t.test('at an open gateway anyone is no admin', async (t) => {
  const { ask, routes } = await build(t, 'host: 0.0.0.0\nauth: { none: true }\n');
  for (const route of routes.filter((route) => !isOpen(route))) {
    const statusCode = await ask(route, {});
    const may = rowOf(route)?.includes('anyone') === true;
    t.equal(statusCode === 403, !may, `${route.method} ${route.url}: ${statusCode}`);
  }
});
