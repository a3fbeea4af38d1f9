import { createHash } from 'node:crypto';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { jsonOf, startWorld } from '../support/world.ts';

const shipped = join(import.meta.dirname, '..', '..', 'policies', 'default.yaml');
/** Bytes that no loader of ours knows. */
const odd = Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) >> 3));
const path = (file: string): string => `acme/odd/resolve/main/${file}`;
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

t.test('what is held is released by a waiver for its digest, at once and for that digest only', async (t) => {
  const policies = t.testdir({});
  await copyFile(shipped, join(policies, 'default.yaml'));
  const other = Buffer.concat([odd, Buffer.from([1])]);
  const world = await startWorld(t, [{ name: 'acme/odd', files: { 'odd.bin': odd, 'other.bin': other } }], {
    settings: { POLICIES: policies },
  });
  const held = await world.fetch(path('odd.bin'));
  t.equal(held.status, 403);
  const rule = /rule=(\S+)/.exec(held.headers.get('x-weighbridge-decision') ?? '')?.[1] ?? '';
  t.match(held.headers.get('x-weighbridge-decision'), /^quarantine; rule=/);
  t.match(
    held.headers.get('x-error-message'),
    /Weighbridge holds .* To ask for it: weighbridge quarantine request [0-9a-f-]{36}$/,
  );
  const entries = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
  const facts = await jsonOf(await fetch(`${world.url}/api/v1/facts/${entries[0]?.['evidence'].facts}`));
  const rules = new Set([rule, ...(await rulesThatHold(world.url, facts))]);

  const waiver = (expires: string): string => `apiVersion: weighbridge/v1
kind: Waiver
metadata: { id: w-1 }
rules: [${[...rules].map((name) => JSON.stringify(name)).join(', ')}]
match: { sha256: ["${createHash('sha256').update(odd).digest('hex')}"] }
reason: looked at by hand
owner: sec@corp.example
approvedBy: [lead@corp.example]
expires: ${expires}
`;
  await writeFile(join(policies, 'waivers.yaml'), waiver('2020-01-01'));
  await sleep(TAKEN);
  t.equal((await world.fetch(path('odd.bin'))).status, 403, 'an expired waiver lifts nothing');
  await writeFile(join(policies, 'waivers.yaml'), waiver('2999-01-01'));
  await sleep(TAKEN);
  const released = await world.fetch(path('odd.bin'));
  t.equal(released.status, 200, released.headers.get('x-error-message') ?? '');
  t.ok(Buffer.from(await released.arrayBuffer()).equals(odd));
  t.equal((await world.fetch(path('other.bin'))).status, 403);
  await sleep(50);
  const after = (await world.entries()).filter(({ artefact }) => artefact?.path === 'odd.bin').at(-1);
  t.match(after, { decision: { action: 'allow', waiver: 'w-1' } });
});

t.test('a broken edit changes nothing, is told, and the next good one is taken', async (t) => {
  const policies = t.testdir({});
  const file = join(policies, 'default.yaml');
  await copyFile(shipped, file);
  const world = await startWorld(t, [{ name: 'acme/odd', files: { 'odd.bin': odd, 'README.md': 'hello' } }], {
    settings: { POLICIES: policies },
  });
  t.equal((await world.fetch(path('README.md'))).status, 200);
  await writeFile(file, 'kind: Policy\nactoin: allow\n');
  await sleep(TAKEN);
  t.equal((await world.fetch(path('README.md'))).status, 200);
  t.equal((await world.fetch(path('odd.bin'))).status, 403);
  t.match(await (await fetch(`${world.url}/metrics`)).text(), /weighbridge_policy_load_errors_total 1/);
  const ready = await jsonOf(await fetch(`${world.url}/readyz`));
  t.match(
    ready.facts.find(({ name }: { name: string }) => name === 'policies'),
    { ok: false },
  );
  await copyFile(join(shipped, '..', 'strict.yaml'), file);
  await sleep(TAKEN);
  await sleep(50);
  const kinds = (await world.entries()).map(({ kind }) => kind).filter((kind) => kind.startsWith('policy.'));
  t.same(kinds, ['policy.loaded', 'policy.rejected', 'policy.loaded']);
});

/** Every rule that holds a file must be named by the waiver, not only the one that the answer shows. */
const rulesThatHold = async (_url: string, facts: unknown): Promise<readonly string[]> => {
  const { loadPolicies } = await import('../../src/policy/load.ts');
  const { readFile } = await import('node:fs/promises');
  const set = loadPolicies({ 'default.yaml': await readFile(shipped, 'utf8') });
  const explained = set.explain(facts as Parameters<typeof set.explain>[0], Date.now());
  return explained.filter(({ matched, action }) => matched && action === 'quarantine').map(({ rule }) => rule);
};
