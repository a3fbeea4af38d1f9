import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { token as command } from '../../src/cli/token.ts';
import { runCommand } from '../support/command-io.ts';
import type { HubRepo } from '../support/hub.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { startWorld, type World } from '../support/world.ts';

const WEIGHTS = safetensors({ a: { dtype: 'F32', shape: [2], data: float32(1, 2) } }, { metadata: { format: 'pt' } });
const REPO: HubRepo = {
  name: 'acme/tiny',
  files: { 'config.json': '{"model_type":"bert"}', 'model.safetensors': WEIGHTS },
};
const FILE = 'acme/tiny/resolve/main/model.safetensors';
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

const run = (...args: string[]) => runCommand(command.run, args);
const made = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run('create', ...args);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
};

/** A gateway that answers to nobody without a token, and the token of its admin, made while it stood still. */
const closed = async (t: Tap, repos: readonly HubRepo[] = [REPO]): Promise<{ world: World; admin: string }> => {
  const world = await startWorld(t, repos, { settings: { AUTH_REQUIRED: 'true' } });
  let admin = '';
  await world.restart(async () => {
    admin = await made('--role', 'admin', '--data', world.data);
  });
  return { world, admin };
};
type Tap = Parameters<typeof startWorld>[0];

const api = async (world: World, token: string, path = '', body?: object) => {
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const answer = await fetch(`${world.url}/api/v1/tokens${path}`, { ...post, headers });
  // biome-ignore lint/suspicious/noExplicitAny: read as a script would
  return { status: answer.status, json: (await answer.json()) as any };
};

t.test('a token opens the gateway for its team until it is revoked, and never travels upstream', async (t) => {
  const { world, admin } = await closed(t);
  t.equal((await world.fetch(FILE)).status, 401);
  const { status, json } = await api(world, admin, '', { team: 'speech', environment: 'training', mounts: ['hf'] });
  t.match([status, json.team, json.scopes], [201, 'speech', ['huggingface']]);
  const { token, id } = json;
  const basic = Buffer.from(`speech:${token}`).toString('base64');
  const ways = [bearer(token), { authorization: `Basic ${basic}` }, { 'x-weighbridge-token': token }];
  for (const headers of ways) {
    const answer = await world.fetch(FILE, { headers });
    t.equal(answer.status, 200);
    t.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(WEIGHTS)));
  }
  const both = await world.fetch(FILE, { headers: { ...bearer(token), 'x-weighbridge-token': token } });
  t.equal(both.status, 200);
  await both.arrayBuffer();

  t.match(await api(world, admin, `/${id}/revoke`, {}), { status: 200, json: { id, revokedAt: Number } });
  const before = world.hub.log.length;
  for (const headers of ways) {
    const answer = await world.fetch(FILE, { headers });
    t.equal(answer.status, 401, 'at once');
    t.match(answer.headers.get('x-error-message'), /token of this gateway was revoked/);
  }
  t.equal(world.hub.log.length, before, 'a token that has ended is shown to nobody');
  t.notMatch(JSON.stringify(world.hub.log), token);

  await world.restart();
  t.equal((await world.fetch(FILE, { headers: bearer(token) })).status, 401, 'and for good');
  const entries = await world.entries();
  const served = entries.filter(({ kind }) => kind === 'artefact.decision');
  const created = entries.find(({ kind, detail }) => kind === 'token.created' && detail.token === id);
  t.ok(served.length >= 4);
  for (const entry of served)
    t.match(entry, {
      team: 'speech',
      environment: 'training',
      teamFrom: 'token',
      actor: created?.['detail'].pseudonym,
    });
  t.match(
    entries.find(({ kind }) => kind === 'token.revoked'),
    { detail: { token: id }, actor: /^p_/, request: {} },
  );
  t.notMatch(JSON.stringify(entries), token);
});

t.test('mounts and roles bound what a token opens', async (t) => {
  const { world, admin } = await closed(t);
  const of = async (body: object): Promise<string> => (await api(world, admin, '', body)).json.token;
  const apiOnly = await of({ team: 'ci', mounts: ['api'] });
  const hubOnly = await of({ team: 'ci', mounts: ['hf'] });
  const viewer = await of({ role: 'viewer' });
  const status = async (path: string, token: string): Promise<number> =>
    (await fetch(`${world.url}${path}`, { headers: bearer(token) })).status;
  t.same([await status(`/hf/${FILE}`, apiOnly), await status(`/hf/${FILE}`, hubOnly)], [403, 200]);
  t.same([await status('/api/v1/scan', apiOnly), await status('/api/v1/scan', hubOnly)], [200, 403]);
  t.same([await status('/metrics', viewer), await status('/metrics', hubOnly)], [200, 403]);
  t.same([await status(`/hf/${FILE}`, viewer), await status('/api/v1/tokens', viewer)], [403, 403]);
  t.equal(await status(`/%68f/${FILE}`, apiOnly), 403, 'however the path is written');
  for (const token of [apiOnly, hubOnly, viewer]) {
    t.match(await api(world, token, '', { role: 'admin' }), { status: 403, json: { code: 'FORBIDDEN' } });
    t.match(await api(world, token, '/t-1/revoke', {}), { status: 403 });
  }
  t.match(await api(world, admin, '', { team: 'a/b' }), { status: 400, json: { error: /^team: expected/ } });
  t.match(await api(world, admin, '', { team: 'ci', colour: 'red' }), { status: 400, json: { error: /colour/ } });
  t.match(await api(world, admin, '/t-none/revoke', {}), { status: 404 });
  const fromPage = await fetch(`${world.url}/api/v1/tokens`, {
    method: 'POST',
    headers: { ...bearer(admin), 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' },
    body: '{"role":"admin"}',
  });
  t.equal(fromPage.status, 403, 'pages of other sites cannot use the rights of this address');
});

t.test('where no token is asked for, one that has ended is refused all the same', async (t) => {
  const world = await startWorld(t, [REPO]);
  t.equal((await world.fetch(FILE)).status, 200, 'this machine needs none');
  const { token, id } = (await api(world, 'hf_a_token_of_the_hub', '', { team: 'speech' })).json;
  const known = await world.fetch(FILE, { headers: bearer(token) });
  t.equal(known.status, 200);
  await known.arrayBuffer();
  await api(world, token, `/${id}/revoke`, {}).then(({ status }) => t.equal(status, 403, 'a pipeline is no admin'));
  const revoked = await fetch(`${world.url}/api/v1/tokens/${id}/revoke`, { method: 'POST' });
  t.equal(revoked.status, 200, 'whoever sits here is');
  for (const presented of [token, `hf_wb${'A'.repeat(43)}`]) {
    t.equal((await world.fetch(FILE, { headers: bearer(presented) })).status, 401);
    const beside = await world.fetch(FILE, { headers: { 'x-weighbridge-token': presented } });
    t.equal(beside.status, 401);
  }
  t.notMatch(JSON.stringify(world.hub.log), /hf_wb/, 'nothing that looks like one of ours goes upstream');
  const proxied = await fetch(`${world.url}/api/v1/tokens`, { headers: { 'x-forwarded-for': '192.0.2.1' } });
  t.equal(proxied.status, 403, 'whom a proxy brings does not sit here');
});

t.test('the command line works on the folder, or asks the gateway that runs on it', async (t) => {
  const { world, admin } = await closed(t);
  const file = t.testdirName;
  t.testdir({ admin: `${admin}\n` });
  const at = ['--data', world.data, '--gateway', world.url, '--token-file', join(file, 'admin')];
  const created = await run(
    'create',
    '--team',
    'vision',
    '--mounts',
    'hf',
    '--expires',
    '12h',
    '--note',
    'on call',
    ...at,
  );
  t.match(created, {
    code: 0,
    stdout: /^hf_wb[A-Za-z0-9]{43}\n$/,
    stderr: /pipeline {2}vision .* until .*huggingface {2}on call/,
  });
  const secret = created.stdout.trim();
  t.equal((await world.fetch(FILE, { headers: bearer(secret) })).status, 200, 'known at once');
  const listed = await run('list', '--json', ...at);
  const tokens = listed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(
    tokens.map(({ role }) => role),
    ['pipeline', 'admin'],
  );
  t.notMatch(listed.stdout, secret);
  t.match(await run('revoke', tokens[0].id, ...at), { code: 0, stdout: /revoked/ });
  t.equal((await world.fetch(FILE, { headers: bearer(secret) })).status, 401);

  await t.rejects(run('list', '--data', world.data, '--gateway', world.url), /says: this gateway needs a token/);
  await t.rejects(run('create', ...at), /team: expected/);
  await t.rejects(run('revoke', ...at), /nothing is named to revoke/);
  await t.rejects(run('list', 'x', ...at), /not expected/);
  await t.rejects(run('forge', ...at), /none of create, list, revoke, upstream/);
  await world.restart(async () => {
    const here = await run('list', '--data', world.data);
    t.match(here.stdout, /admin .*\n/);
    t.match(here.stdout, tokens[0].id);
    t.match(await run('revoke', tokens[1].id, '--data', world.data), { code: 0 });
  });
  t.equal((await api(world, admin)).status, 401, 'what was revoked while it stood still is revoked');
  const files = readdirSync(world.data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  t.ok(files.length > 5);
  for (const one of files) {
    const bytes = readFileSync(join(one.parentPath, one.name));
    for (const each of [admin, secret]) t.notOk(bytes.includes(each), `${one.name} has no token in it`);
  }
});

t.test('a team in the path is a label: entries and policies see that nothing proves it', async (t) => {
  const world = await startWorld(t, [REPO]);
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${world.url}${path}`, { headers, redirect: 'manual' });
  const labelled = await get(`/t/speech/hf/${FILE}`);
  t.equal(labelled.status, 200);
  t.ok(Buffer.from(await labelled.arrayBuffer()).equals(Buffer.from(WEIGHTS)));
  const { token } = (await api(world, '', '', { team: 'vision' })).json;
  t.equal((await get(`/t/vision/hf/${FILE}`, bearer(token))).status, 200);
  const other = await get(`/t/speech/hf/${FILE}`, bearer(token));
  t.equal(other.status, 403, 'a path cannot contradict a token');
  for (const path of [
    '/t/speech/api/v1/tokens',
    '/t/speech/metrics',
    '/t//hf/x',
    '/t/a%2Fb/hf/x',
    '/t/speech/t/speech/hf/x',
    '/t/../hf/x',
  ])
    t.equal((await get(path)).status, 404, path);
  const entries = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
  t.match(
    entries.map(({ team, teamFrom }) => [team, teamFrom]),
    [
      ['speech', 'path'],
      ['vision', 'token'],
    ],
  );
  const facts = await (await get(`/api/v1/facts/${entries[0]?.['evidence'].facts}`)).json();
  t.match(facts, { requester: { team: 'speech', teamFrom: 'path', environment: '' } });
});
