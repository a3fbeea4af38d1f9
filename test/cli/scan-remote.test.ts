import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseHub } from '../../src/cli/scan/hub.ts';
import { scan } from '../../src/cli/scan.ts';
import { runCommand } from '../support/command-io.ts';
import { startHub } from '../support/hub.ts';

/** A pickle that would call os.system if anything loaded it; nothing here does. */
const ATTACK = Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.', 'latin1');
const MIB = 1024 ** 2;

/** A safetensors file with one tensor of `size` bytes. */
const safetensors = (size: number): Buffer => {
  const header = Buffer.from(`{"w":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(size, 7)]);
};
const LARGE = safetensors(5 * MIB);

const POLICY = `
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: here, title: For this test }
rules:
  - { id: data, when: 'artefact.repo.startsWith("datasets/")', action: quarantine, message: a dataset }
  - { id: harm, when: 'artefact.content == "active" || findings.exists(f, f.severity >= high)', action: deny, message: it would run }
  - { id: inert, when: 'artefact.content == "inert" && coverage.state == "complete"', action: allow, message: it is inert }
  - { id: rest, when: 'artefact.content == "unknown"', action: quarantine, message: nobody knows }
`;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const lines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Settings for one test, as a user makes them. */
const settings = (t: { teardown: (end: () => void) => void }, values: Record<string, string>): void => {
  for (const [name, value] of Object.entries({ WEIGHBRIDGE_SANDBOX_WORKERS: '1', ...values }))
    process.env[name] = value;
  t.teardown(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('WEIGHBRIDGE_')) delete process.env[name];
  });
};

const policies = ['--policies', join(t.testdir({ 'here.yaml': POLICY }), 'here.yaml')];
const left = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('weighbridge-scan-'));

t.test(
  'a repo on the Hub is scanned at its commit: by ranges where that will do, else fetched and removed',
  async (t) => {
    const files = { 'README.md': '# A model\n', 'model.safetensors': LARGE, 'old/pytorch_model.bin': ATTACK };
    const hub = await startHub({ repos: [{ name: 'org/model', files }], users: {} });
    t.teardown(() => hub.close());
    settings(t, { WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url, WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true' });
    const before = left();
    const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, 'hf://org/model']);
    const label = `hf://org/model@${hub.commit('org/model')}`;
    t.equal(code, 1);
    t.match(lines(stdout), [
      { path: `${label}/README.md`, action: 'allow', sha256: sha256(Buffer.from('# A model\n')) },
      { path: `${label}/model.safetensors`, action: 'allow', size: LARGE.length, sha256: sha256(LARGE) },
      { path: `${label}/old/pytorch_model.bin`, action: 'deny', rule: 'here/harm', sha256: sha256(ATTACK) },
    ]);
    const sent = hub.log
      .filter(({ path }) => path.includes('model.safetensors') || path.includes(sha256(LARGE)))
      .reduce((sum, { bytes }) => sum + bytes, 0);
    t.ok(sent > 0 && sent < LARGE.length / 2, `${sent} of ${LARGE.length} bytes were sent`);
    t.same(left(), before, 'nothing is left in the temporary folder');

    const again = await runCommand(scan.run, ['--json', ...policies, `${label}/old`]);
    t.match([again.code, lines(again.stdout).map(({ path }) => path)], [1, [`${label}/old/pytorch_model.bin`]]);
  },
);

t.test(
  'datasets are named as such, the configured token opens private repos, and the policy sees the repo',
  async (t) => {
    const token = 'hf_a_token_of_the_scanner';
    const hub = await startHub({
      repos: [
        { kind: 'datasets', name: 'org/rows', files: { 'rows.csv': 'a,b\n1,2\n' }, private: true, allow: [token] },
      ],
    });
    t.teardown(() => hub.close());
    const upstream = { WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url, WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true' };
    settings(t, upstream);
    const shut = await runCommand(scan.run, ['--json', ...policies, 'hf://datasets/org/rows@main']);
    t.match(
      [shut.code, lines(shut.stdout)],
      [2, [{ action: 'deny', rule: 'scan/unreadable', reason: /answered 40[14]/ }]],
    );
    process.env['WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_TOKEN'] = token;
    const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, 'hf://datasets/org/rows@main']);
    t.match(
      [code, lines(stdout)],
      [1, [{ path: /^hf:\/\/datasets\/org\/rows@[0-9a-f]{40}\/rows\.csv$/, rule: 'here/data' }]],
    );
  },
);

t.test('what the Hub does not have or sends wrong is refused; the rest is still scanned', async (t) => {
  const files = { 'a.bin': ATTACK, 'b.txt': 'good day\n' };
  const hub = await startHub({ repos: [{ name: 'org/model', files }] });
  t.teardown(() => hub.close());
  settings(t, { WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL: hub.url, WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE: 'true' });
  hub.fail({ kind: 'flip', at: 3, match: /a\.bin|repos/ });
  const named = [
    'hf://org/absent',
    'hf://org/model@no-such-branch',
    'hf://org/model',
    'hf://org/model@main/none',
    'hf://',
  ];
  const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, ...named]);
  t.equal(code, 2);
  t.match(
    lines(stdout).map(({ path, action, reason }) => [path, action, reason]),
    [
      ['hf://org/absent', 'deny', /the Hub answered 40/],
      ['hf://org/model@no-such-branch', 'deny', /the Hub answered 404/],
      [/a\.bin$/, 'deny', /other bytes than it lists/],
      [/b\.txt$/, 'allow', /it is inert/],
      ['hf://org/model@main/none', 'deny', /no such files/],
      ['hf://', 'deny', /is not hf:\/\//],
    ],
  );
});

t.test('addresses on the Hub', async (t) => {
  const model = { kind: 'models', name: 'org/model' };
  t.same(parseHub('hf://org/model'), { repo: model, revision: 'main', path: '' });
  t.same(parseHub('hf://org/model@v1.0'), { repo: model, revision: 'v1.0', path: '' });
  t.same(parseHub('hf://org/model@refs/pr/1/a/b.bin'), { repo: model, revision: 'refs/pr/1', path: 'a/b.bin' });
  t.same(parseHub('hf://org/model/a/b.bin'), { repo: model, revision: 'main', path: 'a/b.bin' });
  t.same(parseHub('hf://gpt2@main'), { repo: { kind: 'models', name: 'gpt2' }, revision: 'main', path: '' });
  t.match(parseHub('hf://datasets/org/rows'), { repo: { kind: 'datasets', name: 'org/rows' } });
  t.match(parseHub('hf://spaces/org/app@x%2Fy'), { repo: { kind: 'spaces' }, revision: 'x/y' });
  for (const bad of [
    'hf://',
    'hf://../x',
    'hf://a/b/../c',
    'hf://a b/c',
    'hf://org/model/x@main',
    'hf://a/b@main/../c',
  ])
    t.throws(() => parseHub(bad), { code: 'REQUEST_INVALID' }, bad);
});

/** A server with one file, and what it was asked. */
const serveFile = async (t: { teardown: (end: () => void) => void }, answer: RequestListener) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.range ?? 'whole'}`);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked };
};

const ranged =
  (bytes: Buffer): RequestListener =>
  (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const part = from === undefined ? bytes : bytes.subarray(Number(from), Number(to) + 1);
    if (from !== undefined) response.setHeader('content-range', `bytes ${from}-${to}/${bytes.length}`);
    response.writeHead(from === undefined ? 200 : 206, { 'content-length': part.length, 'accept-ranges': 'bytes' });
    response.end(request.method === 'HEAD' ? undefined : part);
  };

t.test('a URL is judged by ranges where its server has them, and fetched where not', async (t) => {
  settings(t, {});
  const good = await serveFile(t, ranged(LARGE));
  const { code, stdout } = await runCommand(scan.run, [
    '--json',
    ...policies,
    `${good.url}/a%20b.bin?signature=SECRET`,
  ]);
  t.match([code, lines(stdout)], [0, [{ path: `${good.url}/a%20b.bin`, format: 'safetensors', action: 'allow' }]]);
  t.notMatch(stdout, 'SECRET');
  t.ok(good.asked.length >= 2 && good.asked.slice(1).every((line) => line.includes('bytes=')), good.asked.join('; '));

  const plain = await serveFile(t, (request, response) => {
    response.writeHead(200, { 'content-length': ATTACK.length });
    response.end(request.method === 'HEAD' ? undefined : ATTACK);
  });
  const fetched = await runCommand(scan.run, ['--json', ...policies, `${plain.url}/x`]);
  t.match([fetched.code, lines(fetched.stdout)], [1, [{ rule: 'here/harm', sha256: sha256(ATTACK) }]]);
});

t.test('a URL that is no file, says no length, carries credentials or leads inside is refused', async (t) => {
  settings(t, {});
  const absent = await serveFile(t, (_, response) => response.writeHead(404).end());
  const endless = await serveFile(t, (_, response) => response.writeHead(200).end());
  const inside = await serveFile(t, ranged(ATTACK));
  const leading = await serveFile(t, (_, response) => response.writeHead(302, { location: `${inside.url}/x` }).end());
  const named = [absent.url, endless.url, leading.url, inside.url.replace('//', '//user:secret@'), 'http://'];
  const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, ...named]);
  t.equal(code, 2);
  t.match(
    lines(stdout).map(({ reason }) => reason),
    [/answered 404/, /does not say how large/, /private, loopback/, /carries credentials/, /is not a URL/],
  );
  t.notMatch(stdout, 'secret');
  t.same(inside.asked, [], 'nobody was led there');
});
