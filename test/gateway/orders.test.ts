import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { breakGlass } from '../../src/cli/break-glass.ts';
import { freeze } from '../../src/cli/freeze.ts';
import { hold } from '../../src/cli/hold.ts';
import { token } from '../../src/cli/token.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import { torchZip } from '../support/checkpoints.ts';
import { runCommand } from '../support/command-io.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { jsonOf, startWorld, type World } from '../support/world.ts';

const MIB = 1024 * 1024;
const weights = (bytes: number, seed = 1): Uint8Array => {
  const data = new Uint8Array(bytes).map((_, at) => (at * 7 + seed) >> 3);
  return safetensors({ weight: { dtype: 'U8', shape: [bytes], data } }, { metadata: { format: 'pt' } });
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const small = weights(2000);
const other = weights(2000, 9);
const big = weights(24 * MIB);
const pickle = torchZip({ 'a.weight': { storage: 'FloatStorage', shape: [500], data: new Uint8Array(2000).fill(3) } });

const file = (repo: string, name = 'model.safetensors'): string => `${repo}/resolve/main/${name}`;
const status = async (world: World, path: string, headers: Record<string, string> = {}): Promise<number> => {
  const answer = await world.fetch(path, { headers });
  await answer.arrayBuffer();
  return answer.status;
};
const ruleOf = async (world: World, path: string): Promise<string> =>
  /rule=(\S+)/.exec((await world.fetch(path)).headers.get('x-weighbridge-decision') ?? '')?.[1] ?? '';
const entriesOf = async (world: World, kind: string) => {
  await sleep(60);
  return (await world.entries()).filter((entry) => entry['kind'] === kind);
};
/** Runs a command against the running gateway; what it prints, read as JSON. */
const order = async (world: World, command: typeof hold, ...args: string[]) => {
  const { code, stderr, stdout } = await runCommand(command.run, [...args, '--json', '--gateway', world.url]);
  if (code !== 0) throw new Error(stderr);
  return stdout === '' ? undefined : JSON.parse(stdout.trim().split('\n')[0] ?? '');
};
/** Reads a body after its first chunk; how many bytes came, and whether it ended early. */
const rest = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<{ bytes: number; short: boolean }> => {
  let bytes = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length;
    return { bytes, short: false };
  } catch {
    return { bytes, short: true };
  }
};

t.test('an order that says nothing, or that nobody may give, is refused', async (t) => {
  const world = await startWorld(t, [{ name: 'acme/tiny', files: { 'model.safetensors': small } }]);
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${world.url}/api/v1/orders${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return { status: answer.status, json: await jsonOf(answer) };
  };
  const reason = 'because';
  const wrong = [
    { kind: 'hold', reason },
    { kind: 'hold', reason: ' ', repo: 'a' },
    { kind: 'hold', reason, digest: 'abc' },
    { kind: 'hold', reason, repo: '*'.repeat(299) },
    { kind: 'hold', reason, owner: 'x' },
    { kind: 'freeze', reason, since: '2999-01-01' },
    { kind: 'freeze', reason, since: 'yesterday' },
    { kind: 'pass', reason, rules: ['a'], hours: 4 },
    { kind: 'pass', reason, rules: ['a'], hours: 25, team: 'a' },
    { kind: 'pass', reason, rules: ['a'], hours: 0, team: 'a' },
    { kind: 'pass', reason, rules: [], hours: 1, team: 'a' },
    { kind: 'pass', reason, rules: ['a'], hours: 1, team: 'a', token: 'b' },
    { kind: 'other', reason },
  ];
  for (const body of wrong) t.match(await post('', body), { status: 400, json: { code: 'REQUEST_INVALID' } });
  t.equal((await post('/hold-00000000/lift', {})).status, 404);
  t.equal((await post('/hold-00000000/approve', {})).status, 404);
  const other = { method: 'POST', headers: { 'sec-fetch-site': 'cross-site' } };
  t.equal((await fetch(`${world.url}/api/v1/orders`, other)).status, 403, 'a page of another site');
  t.equal(await status(world, file('acme/tiny')), 200);
  for (const args of [['place'], ['lift'], ['fly'], ['list', 'x']]) await t.rejects(order(world, hold, ...args));
  await t.rejects(order(world, freeze, '--since', '1h', '--lift'));
  await t.rejects(order(world, breakGlass, 'approve'));
});

t.test('a hold counts at once, cuts what runs, names itself, outlives a restart and can be lifted', async (t) => {
  const world = await startWorld(t, [
    { name: 'acme/big', files: { 'model.safetensors': big } },
    { name: 'thief/copy', files: { 'weights.safetensors': big } },
    { name: 'acme/tiny', files: { 'model.safetensors': small } },
  ]);
  t.equal(await status(world, file('acme/big')), 200);
  const reader = ((await world.fetch(file('acme/big'))).body as ReadableStream<Uint8Array>).getReader();
  const first = await reader.read();
  const placed = await order(world, hold, 'place', '--digest', sha256(big), '--reason', 'incident 7');
  const { bytes, short } = await rest(reader);
  t.ok(short, 'a running download is cut');
  t.ok((first.value?.length ?? 0) + bytes < big.length);
  const next = await world.fetch(file('acme/big'), { headers: { range: 'bytes=1000-' } });
  t.equal(next.status, 403);
  t.equal(next.headers.get('x-weighbridge-decision'), `quarantine; rule=order/${placed.id}`);
  t.match(next.headers.get('x-error-message'), /holds model\.safetensors: incident 7 \(rule order\/hold-/);
  t.equal(await status(world, file('thief/copy', 'weights.safetensors')), 403, 'wherever the bytes lie');
  t.equal((await world.fetch(file('acme/big'), { method: 'HEAD' })).status, 403);
  t.equal(await status(world, file('acme/tiny')), 200);
  t.match(await entriesOf(world, 'order.placed'), [
    { detail: { order: placed.id, what: `digest ${sha256(big)}`, reason: 'incident 7', cut: 1 } },
  ]);
  const cut = (await entriesOf(world, 'artefact.outcome')).find(({ served }) => served.bytes > 0 && !served.complete);
  t.match(cut, { detail: { fault: 'REFUSED' }, decision: { action: 'quarantine', rule: `order/${placed.id}` } });
  await world.restart();
  t.equal(await status(world, file('acme/big')), 403);
  t.match(await order(world, hold, 'list'), { id: placed.id, kind: 'hold' });
  await order(world, hold, 'lift', placed.id);
  t.equal(await status(world, file('acme/big')), 200);
  t.equal((await entriesOf(world, 'order.lifted')).length, 1);
});

t.test(
  'repo, namespace and rule are held as well, and the digest of what was converted holds its source',
  async (t) => {
    const world = await startWorld(
      t,
      [
        { name: 'acme/tiny', files: { 'model.safetensors': small } },
        { name: 'acme/other', files: { 'model.safetensors': other } },
        { name: 'free/old', files: { 'pytorch_model.bin': pickle, 'model.safetensors.txt': 'a' } },
      ],
      { settings: { MODE: 'observe' } },
    );
    const tries = async () => [await status(world, file('acme/tiny')), await status(world, file('acme/other'))];
    const rule = await ruleOf(world, file('acme/tiny'));
    for (const [args, expected] of [
      [
        ['--repo', 'acme/tiny'],
        [403, 200],
      ],
      [
        ['--repo', 'models/acme/*'],
        [403, 403],
      ],
      [
        ['--repo', 'datasets/acme/*'],
        [200, 200],
      ],
      [
        ['--publisher', 'acme'],
        [403, 403],
      ],
      [
        ['--namespace', 'free'],
        [200, 200],
      ],
      [
        ['--namespace', 'acme', '--digest', sha256(other)],
        [200, 403],
      ],
      [
        ['--rule', rule],
        [403, 403],
      ],
      [
        ['--rule', 'no-such-rule'],
        [200, 200],
      ],
    ] as const) {
      const { id } = await order(world, hold, 'place', ...args, '--reason', 'r');
      t.same(await tries(), expected, args.join(' '));
      await order(world, hold, 'lift', id);
    }
    t.same(await tries(), [200, 200]);
  },
);

t.test('a converted file is held by its own digest', async (t) => {
  const world = await startWorld(t, [{ name: 'free/old', files: { 'pytorch_model.bin': pickle } }]);
  const answer = await world.fetch(file('free/old'));
  t.equal(answer.status, 200);
  const converted = sha256(Buffer.from(await answer.arrayBuffer()));
  await sleep(100);
  const { match } = await order(world, hold, 'place', '--digest', converted, '--reason', 'r');
  t.same(match.digests, [converted, sha256(pickle)]);
  t.equal(await status(world, file('free/old')), 403);
});

t.test('while frozen only what was served before passes, and only in that ecosystem', async (t) => {
  const world = await startWorld(t, [
    { name: 'acme/tiny', files: { 'model.safetensors': small, 'a.txt': 'old text' } },
    { name: 'acme/other', files: { 'model.safetensors': other, 'copy.safetensors': small, 'b.txt': 'new text' } },
  ]);
  t.same([await status(world, file('acme/tiny')), await status(world, file('acme/tiny', 'a.txt'))], [200, 200]);
  t.equal((await world.fetch(file('acme/other'), { method: 'HEAD' })).status, 200, 'looked at, never served');
  await sleep(50);
  const since = new Date().toISOString();
  await sleep(20);
  t.equal(await status(world, file('acme/other')), 200, 'served after the date');
  const { id } = await order(world, freeze, '--since', since, '--reason', 'incident 8');
  t.same(
    await Promise.all(
      [
        file('acme/tiny'),
        file('acme/tiny', 'a.txt'),
        file('acme/other', 'copy.safetensors'),
        file('acme/other'),
        file('acme/other', 'b.txt'),
      ].map((path) => status(world, path)),
    ),
    [200, 200, 200, 403, 403],
  );
  const refused = await world.fetch(file('acme/other'));
  t.match(refused.headers.get('x-error-message'), /only what was served before .* passes: incident 8/);
  await order(world, freeze, '--lift', id);
  t.equal(await status(world, file('acme/other')), 200);
  await order(world, freeze, '--since', since, '--ecosystem', 'pypi', '--reason', 'r');
  t.equal(await status(world, file('acme/other')), 200);
  await order(world, freeze, '--lift');
  t.match(await order(world, freeze, '--list'), { liftedAt: Number });
});

t.test('a legal hold keeps blobs from eviction, refuses nobody, and ends when it is lifted', async (t) => {
  const large = weights(3 * MIB);
  const world = await startWorld(
    t,
    [
      { name: 'acme/evidence', files: { 'model.safetensors': large } },
      ...[1, 2, 3].map((seed) => ({
        name: `acme/n${seed}`,
        files: { 'model.safetensors': weights(3 * MIB, seed * 31) },
      })),
    ],
    { settings: { STORE_LIMIT: '7MiB' } },
  );
  const fetched = (): number =>
    world.hub.log.filter(({ where, path }) => where === 'cdn' || path.includes('evidence/resolve')).length;
  t.equal(await status(world, file('acme/evidence')), 200);
  const placed = await order(world, hold, 'keep', '--repo', 'acme/evidence', '--reason', 'court');
  t.same(placed.blobs, [sha256(large)]);
  for (const seed of [1, 2, 3]) t.equal(await status(world, file(`acme/n${seed}`)), 200);
  const before = fetched();
  t.equal(await status(world, file('acme/evidence')), 200);
  t.equal(fetched(), before, 'still there');
  await order(world, hold, 'lift', placed.id);
  for (const seed of [1, 2, 3]) t.equal(await status(world, file(`acme/n${seed}`)), 200);
  const later = fetched();
  t.equal(await status(world, file('acme/evidence')), 200);
  t.ok(fetched() > later, 'evicted, and fetched again');
});

const create = async (data: string, ...args: string[]): Promise<{ secret: string; id: string }> => {
  const { stderr, stdout } = await runCommand(token.run, ['create', ...args, '--data', data]);
  return { secret: stdout.trim(), id: /t-[0-9a-f]{16}/.exec(stderr)?.[0] ?? '' };
};
/** The rules that refuse, of which an answer names one. */
const refusing = async (world: World, digest: string, headers: Record<string, string>): Promise<readonly string[]> => {
  const facts = await jsonOf(await fetch(`${world.url}/api/v1/facts/${digest}`, { headers }));
  const shipped = join(import.meta.dirname, '..', '..', 'policies', 'default.yaml');
  const set = loadPolicies({ 'default.yaml': await readFile(shipped, 'utf8') });
  const explained = set.explain(facts as Parameters<typeof set.explain>[0], Date.now());
  return explained.filter(({ action, matched }) => matched && action !== 'allow').map(({ rule }) => rule);
};
const bearer = ({ secret }: { secret: string }): Record<string, string> => ({ authorization: `Bearer ${secret}` });

t.test('the glass is broken by two people, for one pipeline, past named rules, and told of', async (t) => {
  const world = await startWorld(
    t,
    [{ name: 'acme/tiny', files: { 'model.safetensors': small, 'odd.bin': Buffer.alloc(4000, 'x\u0001y') } }],
    { settings: { AUTH_REQUIRED: 'true' } },
  );
  const people: Record<string, { secret: string; id: string }> = {};
  await world.restart(async () => {
    for (const name of ['ann', 'bob']) people[name] = await create(world.data, '--role', 'admin');
    for (const name of ['speech', 'vision']) people[name] = await create(world.data, '--team', name);
  });
  const { ann, bob, speech, vision } = people as Record<
    'ann' | 'bob' | 'speech' | 'vision',
    { secret: string; id: string }
  >;
  const as = async (who: { secret: string }, command: typeof hold, ...args: string[]) => {
    const path = join(t.testdirName, who.secret.slice(-6));
    await writeFile(path, who.secret);
    return order(world, command, ...args, '--token-file', path);
  };
  t.testdir({});
  const path = file('acme/tiny', 'odd.bin');
  t.equal(await status(world, path, bearer(speech)), 403);
  const [refusal] = await entriesOf(world, 'artefact.decision');
  const named = await refusing(world, refusal?.['evidence'].facts, bearer(ann));
  t.ok(named.includes(refusal?.['decision'].rule));
  const held = await as(ann, hold, 'place', '--repo', 'acme/tiny', '--reason', 'r');
  const policies = named.flatMap((rule) => ['--rule', rule]);
  const rules = [...policies, '--rule', `order/${held.id}`];
  const asked = await as(ann, breakGlass, 'ask', '--team', 'speech', ...rules, '--hours', '1', '--reason', 'launch');
  t.equal(await status(world, path, bearer(speech)), 403, 'not before it is approved');
  await t.rejects(as(ann, breakGlass, 'approve', asked.id), /someone else/);
  await t.rejects(as(speech, breakGlass, 'approve', asked.id), /not for the role pipeline/);
  await as(bob, breakGlass, 'approve', asked.id);
  t.equal(await status(world, path, bearer(speech)), 200);
  t.equal(await status(world, file('acme/tiny'), bearer(speech)), 200);
  t.equal(await status(world, path, bearer(vision)), 403, 'another team');
  t.match(
    (await entriesOf(world, 'artefact.decision')).find(({ decision }) => decision.rule === `order/${asked.id}`),
    {
      team: 'speech',
      decision: { action: 'allow', rule: `order/${asked.id}`, reason: /past .*launch/ },
    },
  );
  t.match(await entriesOf(world, 'order.approved'), [{ detail: { order: asked.id } }]);
  await as(ann, breakGlass, 'end', asked.id);
  t.equal(await status(world, path, bearer(speech)), 403);
  await t.rejects(as(bob, breakGlass, 'approve', asked.id), /does not wait/);

  const some = await as(ann, breakGlass, 'ask', '--token', speech.id, ...policies, '--reason', 'launch');
  await as(bob, breakGlass, 'approve', some.id);
  t.equal(await status(world, path, bearer(speech)), 403, 'the hold is not named');
  await as(ann, hold, 'lift', held.id);
  t.equal(await status(world, path, bearer(speech)), 200);
  t.equal(await status(world, path, bearer(vision)), 403);
});

t.test('a revoked token has its downloads cut, and who is not let in stands in the log', async (t) => {
  const world = await startWorld(t, [{ name: 'acme/big', files: { 'model.safetensors': big } }], {
    settings: { AUTH_REQUIRED: 'true' },
  });
  let [admin, pipeline] = [
    { secret: '', id: '' },
    { secret: '', id: '' },
  ];
  await world.restart(async () => {
    admin = await create(world.data, '--role', 'admin');
    pipeline = await create(world.data, '--team', 'speech');
  });
  t.equal(await status(world, file('acme/big'), bearer(pipeline)), 200);
  const running = await world.fetch(file('acme/big'), { headers: bearer(pipeline) });
  const others = await world.fetch(file('acme/big'), { headers: bearer(admin) });
  const reader = (running.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  const revoked = await fetch(`${world.url}/api/v1/tokens/${pipeline.id}/revoke`, {
    method: 'POST',
    headers: bearer(admin),
  });
  t.equal(revoked.status, 200);
  t.ok((await rest(reader)).short, 'cut');
  t.equal((await others.arrayBuffer()).byteLength, big.length, "others' go on");
  t.equal(await status(world, file('acme/big'), bearer(pipeline)), 401);
  t.equal(await status(world, file('acme/big')), 401);
  const [mine, nobody] = await entriesOf(world, 'access.refused');
  t.match(mine, { detail: { status: 401, code: 'UNAUTHENTICATED', token: pipeline.id, why: /revoked/ } });
  const created = (await entriesOf(world, 'token.created')).find(({ detail }) => detail.token === pipeline.id);
  t.equal(mine?.['actor'], created?.['detail'].pseudonym);
  t.match(nobody, { request: { method: 'GET' }, detail: { status: 401, why: /needs a token/ } });
  t.notMatch(await readFile(join(world.data, 'log', 'audit-000000000000.jsonl'), 'utf8'), pipeline.secret);

  for (let knock = 0; knock < 150; knock += 1) await status(world, 'api/none', bearer({ secret: `wrong-${knock}` }));
  const listed = await entriesOf(world, 'access.refused');
  t.ok(listed.length >= 100 && listed.length < 140, `${listed.length} of 152 are entered`);
  await sleep(1000);
  await status(world, file('acme/big'));
  const last = (await entriesOf(world, 'access.refused')).at(-1);
  t.ok(last?.['detail'].unlisted > 0, 'the others are counted');
});
