import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { quarantine } from '../../src/cli/quarantine.ts';
import { type Filed, openReleases } from '../../src/gateway/quarantine/book.ts';
import { fingerprints } from '../../src/gateway/quarantine/findings.ts';
import { RIGHTS } from '../../src/http/rights.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import { type Ran, runCommand } from '../support/command-io.ts';
import { createMemoryRecords } from '../support/memory-records.ts';
import { factsWith, findingOf } from '../support/policy-facts.ts';
import { type LogEntry, startWorld, type World } from '../support/world.ts';

const shipped = join(import.meta.dirname, '..', '..', 'policies', 'default.yaml');
/** Bytes that no loader of ours knows. */
const odd = (seed: number): Buffer =>
  Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919 + seed) >> 3));
const path = (file: string): string => `acme/odd/resolve/main/${file}`;
const REQUEST = /weighbridge quarantine request ([0-9a-f-]{36})/;
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

const PEOPLE = ['pipeline', 'other', 'auditor', 'jane', 'joe', 'author', 'root'] as const;
type Person = (typeof PEOPLE)[number];
const ROLES: Readonly<Record<Person, string>> = {
  pipeline: 'pipeline',
  other: 'pipeline',
  auditor: 'auditor',
  jane: 'approver',
  joe: 'approver',
  author: 'approver',
  root: 'admin',
};
const tokenOf = (person: Person): string => `the-token-of-${person}-000`;

type Place = {
  readonly world: World;
  readonly policies: string;
  /** Runs the command as this person. */
  as(person: Person, ...args: readonly string[]): Promise<Ran>;
  get(file: string, init?: RequestInit): Promise<Response>;
};

/** A gateway that knows people, with a policy set of `terms` beside the rules of the default one. */
const start = async (t: Test, terms: string, extra: Readonly<Record<string, string>> = {}): Promise<Place> => {
  const files = Object.fromEntries(PEOPLE.map((person) => [person, tokenOf(person)]));
  const tokens = PEOPLE.map((name) => `    - { name: ${name}, role: ${ROLES[name]}, token: ${tokenOf(name)} }`);
  const root = t.testdir({ policies: extra, tokens: files, 'w.yaml': `auth:\n  tokens:\n${tokens.join('\n')}\n` });
  const policies = join(root, 'policies');
  const base = await readFile(shipped, 'utf8');
  await writeFile(join(policies, 'default.yaml'), base.replace(/^defaultAction: .*$/m, `$&\nreleases: ${terms}`));
  const repo = { name: 'acme/odd', files: { 'odd.bin': odd(0), 'second.bin': odd(9), 'README.md': 'hello' } };
  const settings = { POLICIES: policies, CONFIG: join(root, 'w.yaml') };
  const world = await startWorld(t, [repo], { settings });
  return {
    world,
    policies,
    as: (person, ...args) =>
      runCommand(quarantine.run, [...args, '--gateway', world.url, '--token-file', join(root, 'tokens', person)]),
    get: (file, init = {}) =>
      world.fetch(path(file), { ...init, headers: { authorization: `Bearer ${tokenOf('pipeline')}` } }),
  };
};

const requestIn = (answer: Response): string => REQUEST.exec(answer.headers.get('x-error-message') ?? '')?.[1] ?? '';
const steps = async (world: World): Promise<readonly LogEntry[]> =>
  (await world.entries()).filter(({ kind }) => kind.startsWith('quarantine.'));

t.test('what is held is asked for by whoever was refused and released by somebody else', async (t) => {
  const { world, as, get } = await start(t, '{}');
  const held = await get('odd.bin', { method: 'HEAD' });
  t.equal(held.status, 403);
  const text = held.headers.get('x-error-message') ?? '';
  t.match(text, REQUEST, 'the refusal says how');
  const route = held.headers.get('x-weighbridge-release') ?? '';
  t.match(route, `POST /api/v1/quarantine {"request":"${requestIn(held)}"`, 'and where by HTTP');
  t.ok(text.length <= 300 && /\(rule \S+\)/.test(text), text);
  const request = requestIn(held);

  await t.rejects(as('other', 'request', request, '--reason', 'mine'), /no refusal of this caller/);
  await t.rejects(as('auditor', 'request', request, '--reason', 'mine'), /not for the role auditor/);
  await t.rejects(as('pipeline', 'list'), /not for the role pipeline/);
  const unasked = (await as('auditor', 'list')).stdout;
  t.match(
    unasked,
    new RegExp(`^${request} {2}held [-0-9 :]+, 1 times, last pipeline  .*acme/odd@.*/odd\\.bin  default/`),
  );
  const asked = await as('pipeline', 'request', request, '--reason', 'needed for the demo', '--expires', '20d');
  const id = asked.stdout.split(' ')[0] ?? '';
  t.match(asked.stdout, /^w-[0-9a-f]{12} {2}requested, 0 of 1 approved .*acme\/odd@.*\/odd\.bin .*needed for the demo/);
  t.match((await as('jane', 'request', request, '--reason', 'again')).stdout, new RegExp(`^${id} `), 'asked for once');
  t.equal((await get('odd.bin')).status, 403, 'asking changes nothing');
  t.notMatch((await as('auditor', 'list')).stdout, / held /, 'asked for');
  await t.rejects(as('pipeline', 'approve', id), /not for the role pipeline/);
  await t.rejects(as('jane', 'approve', 'w-nothing'), /there is no release/);

  const shown = await as('auditor', 'show', id);
  t.match(shown.stdout, /bound to {4}sha256 [0-9a-f]{64}\n {2}rules .*\n {2}asked .* pipeline\n/);
  t.match((await as('joe', 'comment', id, '--comment', 'looking')).stdout, /^w-/);
  const approved = await as('jane', 'approve', id, '--comment', 'read it');
  t.match(approved.stdout, /active until /);
  const released = await get('odd.bin');
  t.equal(released.status, 200, released.headers.get('x-error-message') ?? '');
  t.ok(Buffer.from(await released.arrayBuffer()).equals(odd(0)));
  t.equal((await get('second.bin')).status, 403, 'no other bytes');

  t.match((await as('auditor', 'list', '--state', 'active')).stdout, new RegExp(`^${id} `));
  t.match((await as('auditor', 'list', '--expiring', '30d')).stdout, new RegExp(`^${id} `));
  t.equal((await as('auditor', 'list', '--expiring', '7d')).stdout, '');
  const warned = await runCommand(policy.run, ['check', '--data', world.data, '--days', '30', shipped]);
  t.match(warned.stdout, new RegExp(`warning: release ${id} .* ends in 20 days`));

  await world.restart();
  t.equal((await get('odd.bin')).status, 200, 'it is kept');
  const decided = (await world.entries()).findLast(({ kind }) => kind === 'artefact.decision');
  t.match(decided, { decision: { action: 'allow', waiver: id } });
  const why = await runCommand(policy.run, ['explain', '--data', world.data, String(decided?.['request'].id)]);
  t.match(why.stdout, /the same decision comes of them:\n\nallow/);

  await t.rejects(as('joe', 'refuse', id, '--comment', 'late'), /cannot be refused: it is active/);
  t.match((await as('joe', 'revoke', id, '--comment', 'wrong file')).stdout, /revoked/);
  t.equal((await get('odd.bin')).status, 403, 'at once');
  const past = await runCommand(policy.run, ['explain', '--data', world.data, String(decided?.['request'].id)]);
  t.match(past.stdout, /the same decision comes of them:\n\nallow/, 'why it was allowed is still known');
  const entered = await steps(world);
  t.same(
    entered.map(({ kind }) => kind.replace('quarantine.', '')),
    ['requested', 'commented', 'approved', 'released', 'revoked'],
  );
  t.ok(
    entered.every(({ actor, detail }) => actor !== undefined && detail.release === id && detail.facts.length === 64),
  );
  t.notMatch(JSON.stringify(entered), /jane|"joe/, 'people are pseudonyms');
});

t.test(
  'as many people as the policies say, none of them twice, nor who asked, nor who wrote the policies',
  async (t) => {
    const place = await start(t, '{ approvals: 2, differ: [requester, author], authors: [author], days: 10 }');
    const { as, get, policies } = place;
    const request = requestIn(await get('odd.bin'));
    const ask = (...more: readonly string[]) => as('jane', 'request', request, '--reason', 'r', ...more);
    await t.rejects(ask('--expires', '11d'), /let a release last 10 days/);
    await t.rejects(ask('--expires', '5d', '--rule', 'default/nothing'), /default\/nothing does not refuse it/);
    const id = (await ask('--expires', '5d')).stdout.split(' ')[0] ?? '';
    await t.rejects(as('jane', 'approve', id), /whoever asked/);
    await t.rejects(as('author', 'approve', id), /whoever wrote the policies/);
    await t.rejects(
      as('root', 'release', request, '--reason', 'r', '--expires', '5d', '--rule', 'x/y'),
      /does not refuse/,
    );
    t.match((await as('joe', 'approve', id)).stdout, /requested, 1 of 2/);
    await t.rejects(as('joe', 'approve', id), /twice/);
    t.equal((await get('odd.bin')).status, 403, 'one is not enough');
    const both = await Promise.allSettled([as('root', 'approve', id), as('root', 'approve', id)]);
    t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    t.equal((await get('odd.bin')).status, 200);

    const other = requestIn(await get('second.bin'));
    const refused =
      (await as('pipeline', 'request', other, '--reason', 'r', '--expires', '1d')).stdout.split(' ')[0] ?? '';
    t.match((await as('joe', 'refuse', refused, '--comment', 'no')).stdout, /refused/);
    await t.rejects(as('root', 'approve', refused), /it is refused/);

    // One person may do both where the policies say so.
    const file = join(policies, 'default.yaml');
    const alone = (await readFile(file, 'utf8')).replace(/^releases: .*$/m, 'releases: { differ: [] }');
    await writeFile(file, alone);
    await sleep(TAKEN);
    t.match((await as('joe', 'release', other, '--reason', 'looked at', '--expires', '1d')).stdout, /active until/);
    t.equal((await get('second.bin')).status, 200);
    // A denial is nobody's to lift unless the policies say so, also where a release names the rule.
    await writeFile(
      file,
      alone
        .replaceAll('action: quarantine', 'action: deny')
        .replace('defaultAction: quarantine', 'defaultAction: deny'),
    );
    await sleep(TAKEN);
    const denied = await get('second.bin');
    t.match(denied.headers.get('x-weighbridge-decision'), /^deny/);
    const id2 = denied.headers.get('x-request-id') ?? '';
    await t.rejects(as('joe', 'request', id2, '--reason', 'r'), /says deny, which the policies let nobody lift/);
  },
);

t.test('another finding holds it again; a rule may let go by itself, unless somebody says no', async (t) => {
  const rule = (id: string, when: string, more = ''): string =>
    `  - { id: ${id}, when: '${when}', action: quarantine, message: wait${more} }\n`;
  const set = (first: string, second: string): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: own, title: Own }
match: { repos: ["models/acme/odd"] }
rules:
${rule('first', 'artefact.path == "odd.bin"', first)}${rule('second', 'artefact.path == "README.md"', second)}`;
  const clock = ', obligations: { autoRelease: 1h, approvals: 2 }';
  const { world, as, get, policies } = await start(t, '{}', { 'own.yaml': set(clock, clock) });
  t.equal((await get('README.md')).status, 403);
  t.equal((await get('README.md')).status, 403);
  const waiting = await as('auditor', 'list', '--state', 'waiting');
  t.match(waiting.stdout, /^h-[0-9a-f]{12} {2}waiting .*README\.md {2}own\/second/);
  t.equal(waiting.stdout.trim().split('\n').length, 1, 'counted once');
  const now = Date.now;
  t.teardown(() => {
    Date.now = now;
  });
  Date.now = () => now() + 3_601_000;
  const released = await get('README.md');
  t.equal(released.status, 200, 'let go after an hour');
  Date.now = now;
  const id = waiting.stdout.slice(0, 14);
  await as('joe', 'refuse', id, '--comment', 'never');
  Date.now = () => now() + 3_601_000;
  t.equal((await get('README.md')).status, 403, 'somebody said no');
  Date.now = now;

  const request = requestIn(await get('odd.bin'));
  const asked = (await as('pipeline', 'request', request, '--reason', 'r')).stdout.split(' ')[0] ?? '';
  t.match((await as('jane', 'approve', asked)).stdout, /1 of 2/, 'the rule asks for more people than the set');
  t.match((await as('joe', 'approve', asked)).stdout, /active/);
  t.equal((await get('odd.bin')).status, 200);
  // What expires lifts nothing from that moment on.
  Date.now = () => now() + 31 * 86_400_000;
  t.equal((await get('odd.bin')).status, 403);
  Date.now = now;
  t.equal((await get('odd.bin')).status, 200);
  // A rule that the release does not name holds it.
  await writeFile(join(policies, 'copy.yaml'), set('', '').replace('id: own,', 'id: more,'));
  await sleep(TAKEN);
  t.match((await get('odd.bin')).headers.get('x-weighbridge-decision'), /^quarantine; rule=more\/first/);
  t.ok((await steps(world)).some(({ kind, detail }) => kind === 'quarantine.held' && detail.after === 3600));
});

t.test(
  'a release covers the findings that were seen and no other, on the same bytes or in the same place',
  async (t) => {
    const records = createMemoryRecords();
    const book = await openReleases(records);
    const seen = [findingOf('medium'), findingOf('low', 'text.link', 7)];
    const { artefact } = factsWith();
    const base: Filed = {
      id: 'w-1',
      state: 'active',
      artefact: { ...artefact, sha256: 'a'.repeat(64) },
      rules: ['p/r'],
      findings: fingerprints(seen),
      facts: '',
      policySet: '',
      reason: '',
      owner: '',
      by: 'p',
      at: 1,
      expiresAt: 50,
      approvals: [],
      comments: [],
    };
    await book.file(base, 'after');
    const lifting = [{ id: 'w-1', rules: ['p/r'], until: 50 }];
    t.same(book.covering(factsWith({ findings: seen })), lifting);
    const elsewhere = { repo: 'models/else/where', commit: 'd'.repeat(40), path: 'x' };
    t.same(
      book.covering(factsWith({ findings: seen.slice(1), artefact: elsewhere })),
      lifting,
      'the same bytes, fewer',
    );
    const reworded = seen.map((finding) => ({ ...finding, message: 'in other words' }));
    t.same(book.covering(factsWith({ findings: reworded })), lifting);
    for (const [what, other] of Object.entries({
      rule: findingOf('medium', 'advisory.new'),
      severity: findingOf('high'),
      place: findingOf('medium', undefined, 35),
      evidence: { ...findingOf('medium'), evidence: 'os popen' },
    }))
      t.same(book.covering(factsWith({ findings: [...seen, other] })), [], `another ${what}`);
    t.same(book.covering(factsWith({ artefact: { sha256: 'b'.repeat(64) } })), [], 'other bytes');

    const { sha256: _, ...place } = base.artefact;
    await book.file({ ...base, id: 'w-2', artefact: place, findings: [] }, 'after');
    t.match(book.covering(factsWith({ artefact: { sha256: 'b'.repeat(64) } })), [{ id: 'w-2' }], 'whatever lies there');
    t.same(book.covering(factsWith({ artefact: { sha256: 'b'.repeat(64), commit: 'e'.repeat(40) } })), []);
    t.same(book.covering(factsWith({ findings: [findingOf('info')], artefact: { sha256: 'b'.repeat(64) } })), []);

    const again = await openReleases(records);
    t.same(again.covering(factsWith({ findings: seen })), lifting, 'kept');
    await again.file({ ...base, state: 'revoked' }, 'before');
    t.same(again.covering(factsWith({ findings: seen })), []);
    await t.rejects(
      again.inTurn(() => Promise.reject(new Error('no'))),
      /no/,
    );
    t.equal(await again.inTurn(async () => 1), 1, 'a change that fails does not stop the next one');
  },
);

t.test(
  'docs/policies.md tells of every route and command with who may, and the terms that hold by default',
  async (t) => {
    const page = await readFile(join(shipped, '../../docs/policies.md'), 'utf8');
    const rows = page.split('\n').filter((line) => line.includes('/api/v1/quarantine') && line.startsWith('| `'));
    const told = rows.map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    t.same(
      Object.fromEntries(told.map(([, route, , , who = '']) => [route, who.split(', ')])),
      Object.fromEntries(Object.entries(RIGHTS).filter(([route]) => route.includes('/quarantine'))),
    );
    const verbs = [...quarantine.usage.matchAll(/weighbridge quarantine (\S+)/g)].flatMap(([, verb = '']) =>
      verb.split('|'),
    );
    t.same(told.map(([, , verb]) => verb).sort(), verbs.sort());
    const yaml = /^kind: PolicySet\n[^`]*?^releases:\n(?: {2}.*\n)+/m.exec(page)?.[0] ?? '';
    const said = `apiVersion: weighbridge/v1\n${yaml}`;
    const silent = said.slice(0, said.indexOf('releases:'));
    const one = {
      'p.yaml':
        '{apiVersion: weighbridge/v1, kind: Policy, metadata: {id: p, title: t}, rules: [{id: r, when: "true", action: deny, message: m}]}',
    };
    t.same(loadPolicies({ ...one, 's.yaml': said }).release, loadPolicies({ ...one, 's.yaml': silent }).release);
  },
);
