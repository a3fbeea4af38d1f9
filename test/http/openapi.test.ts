import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import t from 'tap';
import { ROLES, type Role } from '../../src/identity/roles.ts';
import { smallWeights, startApiWorld, upload } from '../support/api-world.ts';
import { openBrowser } from '../support/browser.ts';
import { CLIENT, startIdentityProvider } from '../support/identity-provider.ts';
import { jsonOf } from '../support/world.ts';

// The document is read as a client's generator would, without types of ours.

const provider = await startIdentityProvider(t, { ada: { groups: ['staff'] } });
const { ask, known, refused, world } = await startApiWorld(t, {
  settings: {
    AUTH_OIDC_ISSUER: provider.issuer,
    AUTH_OIDC_CLIENT_ID: CLIENT.id,
    AUTH_OIDC_CLIENT_SECRET: CLIENT.secret,
    AUTH_OIDC_GROUPS_ROLES_VIEWER: 'staff',
  },
});
provider.serve(world.url);
const document = await jsonOf(await ask('pipeline', 'GET', '/openapi.json'));
const ajv = new Ajv2020({ allErrors: true, strict: false });
formats.default(ajv);
ajv.addSchema(document, 'api');

type Recipe = (role: Role) => Promise<Response>;
let asked = 0;
const get =
  (path: string): Recipe =>
  (role) =>
    ask(role, 'GET', path);
const idOf = async (answer: Response): Promise<string> => {
  const { error, id } = await jsonOf(answer);
  if (id === undefined) throw new Error(error);
  return id;
};
const hold = async (): Promise<string> =>
  idOf(await ask('admin', 'POST', '/api/v1/orders', { kind: 'hold', reason: 'odd', repo: 'models/none/*' }));
const pass = async (): Promise<string> =>
  idOf(
    await ask('other', 'POST', '/api/v1/orders', {
      kind: 'pass',
      reason: 'now',
      team: 'speech',
      rules: ['a/b'],
      hours: 1,
    }),
  );
/** A request of the pipeline that waits for approval; each takes a file of its own. */
const wanted = async () => ({ request: await refused(asked++), reason: 'looked at by hand' });
const waiting = async (): Promise<string> => idOf(await ask('pipeline', 'POST', '/api/v1/quarantine', await wanted()));
const released = async (): Promise<string> => {
  const id = await waiting();
  await ask('admin', 'POST', `/api/v1/quarantine/${id}/approve`, {});
  return id;
};
const said = { comment: 'seen' };
const token = async (): Promise<string> => idOf(await ask('admin', 'POST', '/api/v1/tokens', { team: 'speech' }));
const credential = { team: 'speech', upstream: 'hf' };

const PASSWORD = 'correct horse battery';
let accounts = 0;
const account = async (role: string): Promise<string> => {
  accounts += 1;
  const wanted = { name: `person-${accounts}`, role, password: PASSWORD };
  return (await jsonOf(await ask('admin', 'POST', '/api/v1/accounts', wanted)))['name'];
};
const signIn = (name: string): Promise<Response> =>
  ask('pipeline', 'POST', '/api/v1/session', { name, password: PASSWORD });

/** How each operation is brought to succeed. */
const recipes: Readonly<Record<string, Recipe>> = {
  'get /openapi.json': get('/openapi.json'),
  'get /healthz': get('/healthz'),
  'head /healthz': (role) => ask(role, 'HEAD', '/healthz'),
  'get /readyz': get('/readyz'),
  'head /readyz': (role) => ask(role, 'HEAD', '/readyz'),
  'get /metrics': get('/metrics'),
  'get /api/v1/reports/{digest}': get(`/api/v1/reports/${known.reports[0]}`),
  'get /api/v1/facts/{digest}': get(`/api/v1/facts/${known.facts}`),
  'get /api/v1/statements/{digest}': get(`/api/v1/statements/${known.statement}`),
  'get /api/v1/policies/{digest}': get(`/api/v1/policies/${known.policies}`),
  'get /api/v1/compare/{first}/{second}': get(`/api/v1/compare/${known.reports.join('/')}`),
  'get /api/v1/scan': get('/api/v1/scan'),
  'post /api/v1/scan': (role) => ask(role, 'POST', '/api/v1/scan', upload(smallWeights())),
  'get /api/v1/log': get('/api/v1/log?limit=1000'),
  'get /api/v1/impact': get('/api/v1/impact?key=models/acme/pickled'),
  'get /api/v1/log/checkpoint': get('/api/v1/log/checkpoint'),
  'get /api/v1/log/inclusion': get('/api/v1/log/inclusion?entry=0'),
  'get /api/v1/log/consistency': get('/api/v1/log/consistency?from=1'),
  'get /api/v1/log/tile/{path}': get('/api/v1/log/tile/0/000.p/1'),
  'get /api/v1/orders': get('/api/v1/orders'),
  'post /api/v1/orders': (role) =>
    ask(role, 'POST', '/api/v1/orders', { kind: 'keep', reason: 'a case', repo: 'models/acme/*' }),
  'post /api/v1/orders/{id}/approve': async (role) => ask(role, 'POST', `/api/v1/orders/${await pass()}/approve`),
  'post /api/v1/orders/{id}/lift': async (role) => ask(role, 'POST', `/api/v1/orders/${await hold()}/lift`),
  'get /api/v1/quarantine': async (role) => {
    await waiting();
    return ask(role, 'GET', '/api/v1/quarantine');
  },
  'get /api/v1/quarantine/{id}': async (role) => ask(role, 'GET', `/api/v1/quarantine/${await waiting()}`),
  'post /api/v1/quarantine': async (role) => ask(role, 'POST', '/api/v1/quarantine', await wanted()),
  'post /api/v1/quarantine/release': async (role) => ask(role, 'POST', '/api/v1/quarantine/release', await wanted()),
  'post /api/v1/quarantine/{id}/approve': async (role) =>
    ask(role, 'POST', `/api/v1/quarantine/${await waiting()}/approve`),
  'post /api/v1/quarantine/{id}/refuse': async (role) =>
    ask(role, 'POST', `/api/v1/quarantine/${await waiting()}/refuse`, said),
  'post /api/v1/quarantine/{id}/revoke': async (role) =>
    ask(role, 'POST', `/api/v1/quarantine/${await released()}/revoke`, said),
  'post /api/v1/quarantine/{id}/comment': async (role) =>
    ask(role, 'POST', `/api/v1/quarantine/${await waiting()}/comment`, said),
  'get /api/v1/accounts': get('/api/v1/accounts'),
  'post /api/v1/accounts': (role) =>
    ask(role, 'POST', '/api/v1/accounts', { name: 'carol', role: 'viewer', password: PASSWORD }),
  'post /api/v1/accounts/{name}/password': async (role) =>
    ask(role, 'POST', `/api/v1/accounts/${await account('viewer')}/password`, { password: PASSWORD }),
  'post /api/v1/accounts/{name}/role': async (role) =>
    ask(role, 'POST', `/api/v1/accounts/${await account('viewer')}/role`, { role: 'auditor' }),
  'post /api/v1/accounts/{name}/disable': async (role) =>
    ask(role, 'POST', `/api/v1/accounts/${await account('viewer')}/disable`),
  'get /api/v1/session': get('/api/v1/session'),
  'post /api/v1/session': async () => signIn(await account('viewer')),
  'get /api/v1/session/ways': get('/api/v1/session/ways'),
  'get /api/v1/session/oidc': () => fetch(`${world.url}/api/v1/session/oidc`, { redirect: 'manual' }),
  'get /api/v1/session/oidc/callback': async () => {
    const browser = openBrowser();
    const isCallback = (url: string): boolean => url.startsWith(`${world.url}/api/v1/session/oidc/callback`);
    const callback = await browser.walk(`${world.url}/api/v1/session/oidc`, 'ada', isCallback);
    const kept = browser.cookies.get(new URL(world.url).hostname)?.get('weighbridge-sign-in');
    return fetch(callback, { headers: { cookie: `weighbridge-sign-in=${kept}` } });
  },
  'delete /api/v1/session': async (role) => {
    const answer = await signIn(await account(role));
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { csrf } = await jsonOf(answer);
    return fetch(`${world.url}/api/v1/session`, { method: 'DELETE', headers: { cookie, 'x-weighbridge-csrf': csrf } });
  },
  'get /api/v1/sessions': async (role) => {
    const answer = await signIn(await account(role));
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    return fetch(`${world.url}/api/v1/sessions`, { headers: { cookie } });
  },
  'post /api/v1/sessions/end': async (role) => {
    const answer = await signIn(await account(role));
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { csrf } = await jsonOf(answer);
    const headers = { cookie, 'x-weighbridge-csrf': csrf, 'content-type': 'application/json' };
    const body = JSON.stringify({ current: PASSWORD });
    return fetch(`${world.url}/api/v1/sessions/end`, { method: 'POST', headers, body });
  },
  'post /api/v1/session/password': async (role) => {
    const answer = await signIn(await account(role));
    const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    const { csrf } = await jsonOf(answer);
    const headers = { cookie, 'x-weighbridge-csrf': csrf, 'content-type': 'application/json' };
    const body = JSON.stringify({ current: PASSWORD, password: 'another horse battery' });
    return fetch(`${world.url}/api/v1/session/password`, { method: 'POST', headers, body });
  },
  'get /api/v1/tokens': get('/api/v1/tokens'),
  'post /api/v1/tokens': (role) => ask(role, 'POST', '/api/v1/tokens', { team: 'speech', expires: '1h' }),
  'post /api/v1/tokens/{id}/revoke': async (role) => ask(role, 'POST', `/api/v1/tokens/${await token()}/revoke`),
  'get /api/v1/credentials': get('/api/v1/credentials'),
  'post /api/v1/credentials': (role) => ask(role, 'POST', '/api/v1/credentials', { ...credential, secret: 'hf_other' }),
  'post /api/v1/credentials/remove': async (role) => {
    await ask('admin', 'POST', '/api/v1/credentials', { ...credential, secret: 'hf_other' });
    return ask(role, 'POST', '/api/v1/credentials/remove', credential);
  },
};

const operations: readonly { readonly key: string; readonly path: string; readonly method: string }[] = Object.entries(
  document.paths as Record<string, object>,
).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ key: `${method} ${path}`, path, method })));
const escaped = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** What the document says against an answer; nothing when it is as described. */
const faultsOf = async (key: string, path: string, method: string, answer: Response): Promise<string[]> => {
  const { responses } = document.paths[path][method];
  const told = Object.hasOwn(responses, answer.status) ? String(answer.status) : 'default';
  const text = await answer.text();
  const type = (answer.headers.get('content-type') ?? '').split(';')[0] ?? '';
  if (method === 'head' || answer.status === 204 || answer.status === 303) return text === '' ? [] : [`${key}: a body`];
  if (!Object.hasOwn(responses[told].content ?? {}, type)) return [`${key}: ${answer.status} ${type} is not described`];
  if (type !== 'application/json') return [];
  const place = ['paths', path, method, 'responses', told, 'content', type, 'schema'].map(escaped).join('/');
  const valid = ajv.validate(`api#/${place}`, JSON.parse(text));
  return valid ? [] : [`${key}: ${answer.status}: ${ajv.errorsText()}: ${text.slice(0, 300)}`];
};

t.test('the document is OpenAPI 3.1 and has every operation, each with a way to bring it to succeed', async (t) => {
  t.match(document, { openapi: /^3\.1\./, info: { title: 'Weighbridge', version: /^\d/ } });
  t.same(operations.map(({ key }) => key).sort(), Object.keys(recipes).sort());
  const ids = operations.map(({ path, method }) => document.paths[path][method].operationId);
  t.equal(new Set(ids).size, ids.length, 'ids are unique');
  for (const { path, method, key } of operations) {
    const { parameters } = document.paths[path][method];
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const described = parameters.filter((one: { in: string }) => one.in === 'path');
    t.same(
      described.map(({ name }: { name: string }) => name),
      inPath,
      `${key} describes its path`,
    );
  }
});

t.test('each role that may gets an answer as described, each other one a refusal as described', async (t) => {
  let [answered, refusals] = [0, 0];
  for (const { key, path, method } of operations) {
    const roles: readonly string[] = document.paths[path][method]['x-weighbridge-roles'] ?? ROLES;
    for (const role of ROLES) {
      const may = roles.includes(role);
      const answer = may
        ? await recipes[key]?.(role)
        : await ask(role, method.toUpperCase(), path.replace(/\{\w+\}/g, 'x').replace('tile/x', 'tile/0/000'));
      if (answer === undefined) throw new Error(`no recipe for ${key}`);
      if (may) t.ok(answer.ok || answer.status === 303, `${role} may ${key}: ${answer.status}`);
      else t.equal(answer.status, 403, `${role} may not ${key}`);
      t.same(await faultsOf(key, path, method, answer), []);
      if (may) answered += 1;
      else refusals += 1;
    }
  }
  t.ok(answered > 60 && refusals > 60, `${answered} answered, ${refusals} refused`);
});

t.test('what is not as described is refused as described', async (t) => {
  const lie = new Response('{"error":1}', { status: 400, headers: { 'content-type': 'application/json' } });
  t.match(await faultsOf('a lie', '/api/v1/log', 'get', lie), [/error must be string/]);
  const wrong = [
    ['get', '/api/v1/log', '/api/v1/log?limit=0'],
    ['get', '/api/v1/impact', '/api/v1/impact'],
    ['get', '/api/v1/reports/{digest}', '/api/v1/reports/abc'],
    ['post', '/api/v1/orders/{id}/lift', `/api/v1/orders/${'x'.repeat(301)}/lift`],
    ['post', '/api/v1/tokens/{id}/revoke', `/api/v1/tokens/${'x'.repeat(301)}/revoke`],
    ['post', '/api/v1/tokens', '/api/v1/tokens'],
  ] as const;
  for (const [method, path, url] of wrong) {
    const answer = await ask('admin', method.toUpperCase(), url);
    t.equal(answer.status, 400, url.slice(0, 60));
    t.same(await faultsOf(url, path, method, answer), []);
  }
});
