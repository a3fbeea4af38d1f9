import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { token as command } from '../../src/cli/token.ts';
import { startCollector } from '../support/collector.ts';
import { runCommand } from '../support/command-io.ts';
import { startHub } from '../support/hub.ts';
import { root } from '../support/project.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';

const STORED = `hf_${'CanaryOfTheTeam'.repeat(3)}`;
const BROUGHT = `hf_${'CanaryOfTheUser'.repeat(3)}`;
const CONFIGURED = 'canary-in-the-settings-of-the-gateway';
const WEIGHTS = safetensors({ a: { dtype: 'F32', shape: [2], data: float32(1, 2) } }, { metadata: { format: 'pt' } });
const BIG = safetensors(
  { a: { dtype: 'U8', shape: [9_000_000], data: new Uint8Array(9_000_000).map((_, at) => at % 251) } },
  { metadata: { format: 'pt' } },
);
const FILES = { 'config.json': '{"model_type":"bert"}', 'model.safetensors': WEIGHTS, 'big.safetensors': BIG };

/** A gateway as a process of its own, so that everything that it writes is seen. */
const launch = async (t: Tap, env: Record<string, string>) => {
  const child = spawn(process.execPath, ['--no-node-snapshot', join(root, 'src/main.ts'), 'serve'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  while (!/listening.*HF_ENDPOINT=\S+\s/.test(output)) {
    if (child.exitCode !== null) throw new Error(output);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: (/HF_ENDPOINT=(\S+)\/hf/.exec(output) ?? [])[1] ?? '',
    async end(): Promise<string> {
      child.kill('SIGTERM');
      await once(child, 'exit');
      return output;
    },
  };
};
type Tap = { teardown: (end: () => unknown) => void };

/** Every form in which a secret could lie around. */
const formsOf = (secret: string): readonly string[] => [
  secret.slice(3, 40),
  ...[`${secret}`, `x:${secret}`, `${secret}:`].map((text) => Buffer.from(text).toString('base64').slice(4, 40)),
  Buffer.from(secret).toString('hex'),
];

t.test('a secret that goes through every path of the protocol is left in none', async (t) => {
  t.setTimeout(120_000);
  const data = mkdtempSync(join(tmpdir(), 'weighbridge-canary-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  const hub = await startHub({
    users: { [STORED]: { name: 'speech' }, [BROUGHT]: { name: 'ada' } },
    repos: [
      { name: 'acme/open', files: FILES },
      { name: 'acme/hidden', private: true, allow: [STORED, BROUGHT], files: FILES },
    ],
  });
  t.teardown(() => hub.close());
  const collector = await startCollector();
  t.teardown(() => collector.close());
  const at = ['--data', data];
  const make = async (...terms: string[]): Promise<string> =>
    (await runCommand(command.run, ['create', ...terms, ...at])).stdout.trim();
  const speech = await make('--team', 'speech');
  const vision = await make('--team', 'vision');
  const admin = await make('--role', 'admin');
  const stored = await runCommand(command.run, ['upstream', 'set', '--team', 'speech', ...at], `${STORED}\n`);
  t.match(stored, { code: 0, stdout: /^huggingface {2}speech/ });

  const gateway = await launch(t, {
    WEIGHBRIDGE_DATA: data,
    WEIGHBRIDGE_PORT: '0',
    WEIGHBRIDGE_AUTH_REQUIRED: 'true',
    WEIGHBRIDGE_LOG_LEVEL: 'debug',
    WEIGHBRIDGE_SANDBOX_WORKERS: '1',
    WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true',
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url,
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_TOKEN: CONFIGURED,
    WEIGHBRIDGE_TELEMETRY_OTLP: collector.url,
  });
  const answers: string[] = [];
  const ask = async (path: string, headers: Record<string, string>, init: RequestInit = {}): Promise<number> => {
    const answer = await fetch(gateway.url + path, { redirect: 'manual', ...init, headers: { ...headers } });
    const text = await answer.text().catch((error) => String(error));
    answers.push(JSON.stringify([...answer.headers]) + text.slice(0, 100_000));
    return answer.status;
  };
  const basic = (secret: string) => ({ authorization: `Basic ${Buffer.from(`x:${secret}`).toString('base64')}` });
  const ways: readonly Record<string, string>[] = [
    { authorization: `Bearer ${speech}` },
    basic(speech),
    { 'x-weighbridge-token': speech },
    { 'x-weighbridge-token': vision, authorization: `Bearer ${BROUGHT}` },
    { 'x-weighbridge-token': vision, ...basic(BROUGHT) },
    { authorization: `Bearer ${BROUGHT}` },
    { authorization: `Bearer ${admin}`, cookie: `session=${BROUGHT}` },
  ];
  const paths = ['open', 'hidden'].flatMap((repo) => [
    `/hf/api/models/acme/${repo}`,
    `/hf/api/models/acme/${repo}/tree/main?recursive=true&expand=true`,
    `/hf/api/models/acme/${repo}/refs`,
    `/hf/api/models/acme/${repo}/commits/main`,
    `/hf/api/models/acme/${repo}/xet-read-token/main`,
    `/hf/acme/${repo}/resolve/main/model.safetensors`,
    `/hf/acme/${repo}/resolve/main/big.safetensors`,
    `/hf/acme/${repo}/raw/main/config.json`,
    `/hf/acme/${repo}/resolve/main/absent.bin?token=${BROUGHT}`,
    `/hf/acme/${repo}.git/info/refs?service=git-upload-pack`,
  ]);
  const others = ['/hf/api/whoami-v2', '/hf/api/models?search=a', '/hf/api/telemetry/x', '/hf/nowhere', '/metrics'];
  const own = ['/api/v1/tokens', '/api/v1/credentials', '/api/v1/log', `/api/v1/reports/${'ab'.repeat(32)}`, '/nope'];
  const everything = async (): Promise<void> => {
    for (const headers of ways) for (const path of [...paths, ...others, ...own]) await ask(path, headers);
  };
  const [mine, theirs] = ways as [Record<string, string>, Record<string, string>];
  t.equal(await ask('/hf/acme/hidden/resolve/main/model.safetensors', mine), 200, 'the team reads what it may');
  t.equal(await ask('/hf/acme/hidden/resolve/main/big.safetensors', theirs), 200);
  const none = { authorization: `Bearer ${vision}` };
  t.not(await ask('/hf/acme/hidden/resolve/main/model.safetensors', none), 200, 'another team does not');
  await everything();
  for (const headers of ways) {
    await ask('/hf/acme/open/resolve/main/model.safetensors', headers, { method: 'HEAD' });
    await ask('/hf/api/models/acme/hidden/paths-info/main', headers, {
      method: 'POST',
      body: `{"paths":["${BROUGHT}"]}`,
    });
    await ask('/hf/api/models/acme/open/commit/main', headers, { method: 'POST', body: '{}' });
    const json = { ...headers, 'content-type': 'application/json' };
    await ask('/api/v1/credentials', json, {
      method: 'POST',
      body: `{"team":"a/b","upstream":"hf","secret":"${BROUGHT}"}`,
    });
    await ask('/api/v1/credentials', json, { method: 'POST', body: `{"secret":"${BROUGHT}"` });
    await ask('/api/v1/tokens', json, { method: 'POST', body: `{"expires":"${BROUGHT.slice(0, 0)}x"}` });
    const form = new FormData();
    form.set('file', new Blob(['good day\n']), 'a.txt');
    await ask('/api/v1/scan', headers, { method: 'POST', body: form });
  }
  for (const fault of [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 401 },
    { kind: 'status', status: 403, headers: { 'x-error-message': 'no' } },
  ] as const) {
    hub.fail(fault);
    for (const headers of ways.slice(0, 4))
      for (const path of [paths[0], paths[5], paths[10], paths[15]]) await ask(path ?? '', headers);
    hub.heal();
  }
  const output = await gateway.end();
  await runCommand(command.run, ['upstream', 'list', ...at]).then(({ stdout, stderr }) =>
    answers.push(stdout + stderr),
  );

  const shown = hub.log.filter(({ headers }) => JSON.stringify(headers).includes(STORED));
  t.ok(shown.length > 20 && shown.every(({ where }) => where === 'hub'), 'the Hub alone was shown the stored token');
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  t.ok(files.length > 8 && answers.length > 200 && output.length > 100);
  const places = [
    ...files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name)).toString('latin1')] as const),
    ['answers', answers.join('\n')] as const,
    ['output', output] as const,
    ['traces', Buffer.concat(collector.bodies).toString('latin1')] as const,
  ];
  const holding = (text: string) => places.filter(([, content]) => content.includes(text)).map(([name]) => name);
  t.ok(holding('acme/hidden').length >= 3, 'the search finds what is there');
  t.ok(holding('models/acme/hidden').includes('traces'), 'in traces as well');
  for (const secret of [STORED, BROUGHT, CONFIGURED, speech, vision, admin])
    for (const form of formsOf(secret)) t.same(holding(form), [], `${secret.slice(0, 12)}… is nowhere`);
  for (const secret of [speech, vision, admin]) t.notMatch(JSON.stringify(hub.log), secret, 'nor is ours at the Hub');
});

t.test('a team in the path has no credential of that team', async (t) => {
  const { startWorld } = await import('../support/world.ts');
  const world = await startWorld(t, [{ name: 'acme/hidden', private: true, allow: [STORED], files: FILES }]);
  const body = JSON.stringify({ team: 'speech', upstream: 'hf', secret: STORED });
  const headers = { 'content-type': 'application/json' };
  const stored = await fetch(`${world.url}/api/v1/credentials`, { method: 'POST', headers, body });
  t.equal(stored.status, 201);
  t.notMatch(await stored.text(), STORED);
  const made = await fetch(`${world.url}/api/v1/tokens`, { method: 'POST', headers, body: '{"team":"speech"}' });
  const { token } = (await made.json()) as { token: string };
  const path = 'hf/acme/hidden/resolve/main/config.json';
  const status = async (url: string, more: Record<string, string> = {}): Promise<number> =>
    (await fetch(`${world.url}/${url}`, { headers: more })).status;
  t.not(await status(`t/speech/${path}`), 200, 'anybody can write a path');
  t.equal(await status(path, { authorization: `Bearer ${token}` }), 200);
  t.not(await status(path), 200, 'nor does what the team has fetched become open');
  const remove = JSON.stringify({ team: 'speech', upstream: 'hf' });
  const removed = await fetch(`${world.url}/api/v1/credentials/remove`, { method: 'POST', headers, body: remove });
  t.equal(removed.status, 200);
  t.not(await status(path, { authorization: `Bearer ${token}` }), 200);
  const kinds = (await world.entries()).map(({ kind }) => kind).filter((kind) => kind.startsWith('credential.'));
  t.same(kinds, ['credential.stored', 'credential.removed']);
});
