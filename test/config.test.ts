import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { DEFAULT_LIMITS } from '../src/bytes/limits.ts';
import { keys } from '../src/config/keys.ts';
import { schema } from '../src/config/schema.ts';
import { type ConfigSources, isLoopback, loadConfig } from '../src/config.ts';
import { isFault } from '../src/errors.ts';

const env = {};
const secret = 'a-token-of-many-characters';

/** The message of the fault that loading ends with. */
const refusal = (sources: ConfigSources): string => {
  try {
    loadConfig({ env, ...sources });
  } catch (error) {
    if (isFault(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  return 'loaded';
};

const written = (test: { testdir: (tree: Record<string, string>) => string }, text: string): string =>
  join(test.testdir({ 'weighbridge.yaml': text }), 'weighbridge.yaml');

t.test('without any setting it is a gateway to the Hub on the loopback interface', async (t) => {
  const config = loadConfig({ env });
  t.match(config, { host: '127.0.0.1', port: 8080, allowPrivate: false, auth: { tokens: [], none: false } });
  t.same(config.upstreams, { huggingface: { url: 'https://huggingface.co' } });
  t.equal(config.data, join(process.cwd(), 'data'));
  t.ok(existsSync(config.policies.path), 'the shipped policies are there');
  t.throws(() => Object.assign(config.sandbox, { workers: 9 }), TypeError, 'frozen to the bottom');
});

t.test('a file is read, with sizes and times in words and paths against its own folder', async (t) => {
  const file = written(
    t,
    'port: 9000\ndata: blobs\nstore: { limit: 1.5 GiB }\nsandbox: { timeout: 2m, memory: 256 MiB }\nupstreams:\n  huggingface: { token: hf_x }\n  mirror: { url: "http://10.0.0.1:81/hub/" }\nmounts: { huggingface: /hub }\n',
  );
  const config = loadConfig({ file, env });
  t.equal(config.port, 9000);
  t.equal(config.data, join(file, '..', 'blobs'));
  t.equal(
    loadConfig({ file: written(t, 'port: 1\n'), env }).data,
    join(process.cwd(), 'data'),
    'the default is no path of the file',
  );
  t.equal(config.store.limit, 1.5 * 1024 ** 3);
  t.equal(config.sandbox.timeout, 120_000);
  t.equal(config.sandbox.memory, 256 * 1024 ** 2);
  t.same(config.upstreams['huggingface'], { url: 'https://huggingface.co', token: 'hf_x' });
  t.same(config.upstreams['mirror'], { url: 'http://10.0.0.1:81/hub' });
  t.same(config.mounts, { huggingface: '/hub' });
});

t.test('policies is their path, or a map of it and of who has to sign them', async (t) => {
  const tree = {
    'jane.pub': 'KEY',
    'short.yaml': 'policies: own\n',
    'map.yaml': 'policies: { path: own, shadow: next }\n',
  };
  const folder = t.testdir(tree);
  const at = (name: string) => join(folder, name);
  const load = (name: string, more: Record<string, string> = {}, overrides = {}) =>
    loadConfig({ file: at(name), env: more, overrides }).policies;
  t.match(load('short.yaml'), { path: at('own'), signers: {}, signatures: 1, shadow: undefined });
  t.match(load('map.yaml'), { path: at('own'), signers: {}, shadow: at('next') });
  const signer = { WEIGHBRIDGE_POLICIES_SIGNERS_JANE: at('jane.pub') };
  t.match(load('short.yaml', signer), { path: at('own'), signers: { jane: 'KEY' } }, 'a signer takes no path away');
  const here = { WEIGHBRIDGE_POLICIES: 'here' };
  for (const more of [
    { ...signer, ...here },
    { ...here, ...signer },
  ])
    t.match(load('map.yaml', more), { path: resolve('here'), signers: { jane: 'KEY' }, shadow: at('next') });
  t.match(load('map.yaml', signer, { policies: 'there' }), { path: resolve('there'), signers: { jane: 'KEY' } });
  t.match(loadConfig({ env: signer }).policies, { path: /default\.yaml$/, signers: { jane: 'KEY' } });

  const wrong = (text: string): string => refusal({ file: written(t, `port: 1\npolicies: ${text}\n`) });
  t.match(wrong('{ signer: { jane: x } }'), /weighbridge\.yaml:2:\d+: policies\.signer: no setting has this name/);
  for (const text of ['', '[a]', '7', '{ path: 7 }'])
    t.match(wrong(text), /weighbridge\.yaml:2:\d+: policies\.path: .*expected string/, text);
  t.match(wrong('{ signers: [jane.pub] }'), /policies\.signers: /);
  t.match(
    refusal({ file: written(t, 'policyControl: { signatures: 1 }\n') }),
    /policyControl: no setting has this name/,
  );
});

t.test('every limit of an inspection can be set, within what the sandbox can carry', async (t) => {
  t.same(loadConfig({ env }).sandbox.limits, DEFAULT_LIMITS);
  const file = written(t, 'sandbox: { limits: { bytesRead: 1 MiB, findings: 7 } }\n');
  const variables = { WEIGHBRIDGE_SANDBOX_LIMITS_DEPTH: '2', WEIGHBRIDGE_SANDBOX_LIMITS_BYTES_INFLATED: '3 KiB' };
  t.same(loadConfig({ file, env: { ...env, ...variables } }).sandbox.limits, {
    ...DEFAULT_LIMITS,
    bytesRead: 1024 ** 2,
    bytesInflated: 3072,
    depth: 2,
    findings: 7,
  });
  for (const wrong of ['depth: 33', 'depth: 0', 'findings: 10001', 'findings: 1.5', 'steps: -1', 'bytesRead: 0'])
    t.match(
      refusal({ file: written(t, `sandbox: { limits: { ${wrong} } }\n`) }),
      `sandbox.limits.${wrong.split(':')[0]}: `,
      wrong,
    );
});

t.test('every unknown key and wrong value is named with its line and what was expected', async (t) => {
  const file = written(
    t,
    'prt: 1\nport: many\nsandbox:\n  memory: 12 bananas\n  worker: 1\nupstreams:\n  huggingface:\n    url: ftp://host/\ntrustProxy: [everybody]\n',
  );
  const message = refusal({ file });
  t.match(message, `${file}:2:7: port: Invalid input: expected number`);
  t.match(message, `${file}:4:11: sandbox.memory: expected a size such as 512 MiB`);
  t.match(message, `${file}:5:11: sandbox.worker: no setting has this name`);
  t.match(message, `${file}:8:10: upstreams.huggingface.url: expected an http:// or https:// URL`);
  t.match(message, `${file}:9:14: trustProxy.0: expected an address or a CIDR range`);
  t.match(message, 'prt: no setting has this name');
});

t.test('a file that is not YAML, repeats a key, is not a map or is not there stops the start', async (t) => {
  t.match(refusal({ file: written(t, 'port: [1\n') }), /weighbridge\.yaml:2:1: /);
  t.match(refusal({ file: written(t, 'port: 1\nport: 2\n') }), /weighbridge\.yaml:2:1: Map keys must be unique/);
  t.match(refusal({ file: written(t, '- port\n') }), /weighbridge\.yaml:1:1: : Invalid input: expected object/);
  t.match(refusal({ file: 'no-such-file.yaml' }), 'expected a readable settings file');
  t.match(refusal({ file: written(t, '__proto__: { port: 1 }\n') }), '__proto__: no setting has this name');
});

t.test('environment variables override the file, options override both', async (t) => {
  const file = written(t, 'port: 1000\nhost: 127.0.0.2\n');
  const variables = {
    WEIGHBRIDGE_PORT: '2000',
    WEIGHBRIDGE_PUBLIC_URL: 'https://gate.example',
    WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: 'http://127.0.0.1:1',
    WEIGHBRIDGE_UPSTREAMS_MY_HUB_URL: 'http://127.0.0.1:2',
    WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true',
    WEIGHBRIDGE_TRUST_PROXY: '10.0.0.0/8, ::1',
    WEIGHBRIDGE_MOUNTS_HUGGINGFACE: '/hub',
    WEIGHBRIDGE_AUTH_TOKENS: `${secret} ${secret}2`,
  };
  const config = loadConfig({ file, env: variables, overrides: { port: '3000', data: undefined } });
  t.match(config, { port: 3000, host: '127.0.0.2', publicUrl: 'https://gate.example', allowPrivate: true });
  t.equal(config.upstreams['huggingface']?.url, 'http://127.0.0.1:1');
  t.equal(config.upstreams['my-hub']?.url, 'http://127.0.0.1:2');
  t.same(config.trustProxy, ['10.0.0.0/8', '::1']);
  t.equal(config.auth.tokens.length, 2);
  t.notMatch(JSON.stringify(config), secret, 'tokens are kept by digest only');
  t.equal(loadConfig({ file, env: variables }).port, 2000);
  t.match(refusal({ env: { WEIGHBRIDGE_PORT: 'x' } }), 'WEIGHBRIDGE_PORT: port: Invalid input');
  t.match(refusal({ overrides: { port: '70000' } }), '--port: port: Too big');
});

t.test('a variable of ours that is no setting stops the start; what Kubernetes injects does not', async (t) => {
  t.match(refusal({ env: { WEIGHBRIDGE_PRT: '1' } }), 'WEIGHBRIDGE_PRT: no setting has this name');
  t.match(
    refusal({ env: { WEIGHBRIDGE_HOST_FILE: '/x' } }),
    'no setting has this name',
    'only secrets come from files',
  );
  const injected = {
    WEIGHBRIDGE_PORT: 'tcp://10.0.0.1:80',
    WEIGHBRIDGE_SERVICE_HOST: 'x',
    WEIGHBRIDGE_PORT_80_TCP: 'y',
  };
  t.equal(loadConfig({ env: injected }).port, 8080);
});

t.test('secrets are read from files', async (t) => {
  const folder = t.testdir({ hub: 'hf_secret\n', tokens: `${secret}\n${secret}-two\n` });
  const config = loadConfig({
    env: {
      WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_TOKEN_FILE: join(folder, 'hub'),
      WEIGHBRIDGE_AUTH_TOKENS_FILE: join(folder, 'tokens'),
    },
  });
  t.equal(config.upstreams['huggingface']?.token, 'hf_secret');
  t.equal(config.auth.tokens.length, 2);
  t.match(
    refusal({ env: { WEIGHBRIDGE_AUTH_TOKENS_FILE: join(folder, 'none') } }),
    'WEIGHBRIDGE_AUTH_TOKENS_FILE: expected a readable file',
  );
});

t.test('certificates are read, and a missing one is named with its line', async (t) => {
  const folder = t.testdir({ 'ca.pem': 'authority', 'cert.pem': 'certificate', 'key.pem': 'key' });
  const file = join(folder, 'weighbridge.yaml');
  writeFileSync(file, 'tls: { cert: cert.pem, key: key.pem }\nupstreams: { huggingface: { ca: ca.pem } }\n');
  const config = loadConfig({ file, env });
  t.same(config.tls, { cert: 'certificate', key: 'key' });
  t.equal(config.upstreams['huggingface']?.ca, 'authority');
  writeFileSync(file, 'tls:\n  cert: none.pem\n  key: key.pem\n');
  t.match(refusal({ file }), `${file}:2:9: expected a readable file`);
});

t.test('off the loopback interface nothing starts without a token or the explicit word', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'gate.example', '127.0.0.1.example']) {
    t.match(refusal({ overrides: { host } }), `--host: host: ${host} can be reached from other machines`);
    t.equal(refusal({ overrides: { host }, env: { WEIGHBRIDGE_AUTH_NONE: 'true' } }), 'loaded');
    t.equal(refusal({ overrides: { host }, env: { WEIGHBRIDGE_AUTH_TOKENS: secret } }), 'loaded');
  }
  t.match(refusal({ env: { WEIGHBRIDGE_HOST: '0.0.0.0', WEIGHBRIDGE_AUTH_NONE: 'false' } }), 'WEIGHBRIDGE_HOST: host:');
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost']) t.ok(isLoopback(host), host);
});

t.test('a log that is kept for less than half a year takes the explicit word', async (t) => {
  const env = { WEIGHBRIDGE_LOG_KEEP: '182d' };
  t.throws(() => loadConfig({ env }), { message: /WEIGHBRIDGE_LOG_KEEP: log.keep: expected 183d or more/ });
  t.throws(() => loadConfig({ env: { WEIGHBRIDGE_LOG_KEEP_DECISIONS: '1d' } }), { code: 'CONFIG_INVALID' });
  t.equal(loadConfig({ env: { ...env, WEIGHBRIDGE_LOG_KEEP_LESS: 'true' } }).log.keep, 182 * 86_400_000);
  t.match(loadConfig({ env: {} }).log, { keep: 400 * 86_400_000, keepDecisions: 3650 * 86_400_000 });
});

t.test('tokens have names and teams, in plain or as a digest; short ones are refused', async (t) => {
  const digest = 'ab'.repeat(32);
  const file = written(
    t,
    `auth:\n  tokens:\n    - { name: ci, team: speech, sha256: ${digest} }\n    - { name: lab, token: ${secret} }\n`,
  );
  const { tokens } = loadConfig({ file, env }).auth;
  t.same(tokens[0], { name: 'ci', team: 'speech', environment: '', role: 'pipeline', sha256: digest });
  t.match(tokens[1], { name: 'lab', team: '', sha256: /^[0-9a-f]{64}$/ });
  t.match(refusal({ file: written(t, 'auth: { tokens: [short] }\n') }), /:1:18: auth\.tokens\.0: /);
  t.match(refusal({ file: written(t, 'auth: { tokens: [{ name: x }] }\n') }), 'expected token or sha256 beside name');
});

t.test('the usual proxy variables are honoured, and their exceptions', async (t) => {
  const through = (variables: Record<string, string>): string | undefined =>
    loadConfig({ env: variables }).upstreams['huggingface']?.proxy;
  t.equal(through({ HTTPS_PROXY: 'http://proxy:3128' }), 'http://proxy:3128');
  t.equal(through({ HTTP_PROXY: 'http://proxy:3128' }), undefined);
  for (const exempt of ['huggingface.co', '.co', '*.huggingface.co', 'x, *']) {
    t.equal(through({ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: exempt }), undefined, exempt);
  }
  t.equal(through({ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'face.co, huggingface.co:8443' }), 'http://p:1');
});

t.test('people sign in by OpenID Connect only where nobody can listen or come between', async (t) => {
  const oidc = (issuer: string, rest = '') =>
    `auth: { oidc: { issuer: "${issuer}", clientId: w, clientSecret: canary, groups: { roles: { admin: [a, b] } }${rest} } }\n`;
  const { auth } = loadConfig({
    file: written(t, oidc('https://idp.example/realms/ml', ', scopes: [groups]')),
    env: {},
  });
  t.match(auth.oidc, {
    issuer: 'https://idp.example/realms/ml',
    scopes: ['groups'],
    groups: { claim: 'groups', roles: { admin: ['a', 'b'], viewer: [] } },
    allowPrivate: false,
  });
  t.equal(loadConfig({ file: written(t, oidc('http://localhost:8081')), env: {} }).auth.oidc?.proxy, undefined);
  const proxied = loadConfig({ file: written(t, oidc('https://idp.example')), env: { HTTPS_PROXY: 'http://p:1' } });
  t.equal(proxied.auth.oidc?.proxy, 'http://p:1');
  const fault = (text: string): string => refusal({ file: written(t, text), env: {} });
  t.match(fault(oidc('http://idp.example')), /:1:\d+: auth\.oidc\.issuer: expected an https:\/\/ URL/);
  for (const issuer of [
    'idp.example',
    'https://a:b@idp.example',
    'https://idp.example/?x',
    'https://idp.example/#x',
    'https://',
  ])
    t.match(fault(oidc(issuer)), /auth\.oidc\.issuer: expected/, issuer);
  const outside = `host: 0.0.0.0\n${oidc('https://idp.example').replace('auth: {', 'auth: { required: true,')}`;
  t.match(fault(outside), /publicUrl: expected an https/);
  t.match(fault(`publicUrl: http://w.example\n${outside}`), /publicUrl: expected an https/);
  t.ok(loadConfig({ file: written(t, `publicUrl: https://w.example\n${outside}`), env: {} }).auth.oidc);
  t.match(fault(oidc('https://idp.example').replace('[a, b]', '[]')), /at least one group with a role/);
  t.match(fault(oidc('https://idp.example').replace('admin:', 'root:')), /auth\.oidc\.groups\.roles\.root: no setting/);
  t.notMatch(fault(oidc('http://idp.example')), /canary/);
});

t.test('docs/configuration.md lists every setting, its variable and its default, and nothing else', async (t) => {
  const defaults: unknown = schema.parse({});
  const rows = readFileSync(join(import.meta.dirname, '../docs/configuration.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const name = (path: readonly string[]): string => path.map((part) => (part === '*' ? '<name>' : part)).join('.');
  t.same(
    rows.map((cells) => cells[1]),
    keys.map((key) => name(key.path)),
  );
  t.same(
    rows.map((cells) => cells[2]),
    keys.map((key) => key.variable + (key.secret ? ' (_FILE)' : '')),
  );
  t.ok(keys.length > 20, 'the schema was walked');
  for (const [index, { path }] of keys.entries()) {
    const value = path.reduce<unknown>((tree, part) => (tree as Record<string, unknown> | undefined)?.[part], defaults);
    const plain = ['string', 'boolean'].includes(typeof value) || path.at(-1) === 'port';
    if (plain) t.equal(rows[index]?.[3], String(value), `${name(path)} has the default that is documented`);
  }
});
