import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { report } from '../../src/cli/report.ts';
import { runCommand } from '../support/command-io.ts';
import { HUB_AGENT, jsonOf, startWorld } from '../support/world.ts';

const set = (id: string, path: string): string => `apiVersion: weighbridge/v1
kind: PolicySet
version: "1"
defaultAction: allow
---
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: ${id}, title: Test }
rules:
  - { id: no, when: 'artefact.path == "${path}"', action: deny, message: not this one }
`;
const path = (file: string): string => `acme/two/resolve/main/${file}`;
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

t.test('a shadow set decides beside the one in force: it is entered, reported and not done', async (t) => {
  const root = t.testdir({
    policies: { 'p.yaml': set('now', 'a.txt') },
    shadow: { 'p.yaml': set('next', 'b.txt') },
  });
  const shadow = join(root, 'shadow');
  const settings = { POLICIES: join(root, 'policies'), POLICIES_SHADOW: shadow };
  const repo = { name: 'acme/two', files: { 'a.txt': 'one', 'b.txt': 'two', 'c.txt': 'three' } };
  const world = await startWorld(t, [repo], { settings });
  const ask = async (file: string, method = 'GET'): Promise<number> => {
    const answer = await fetch(`${world.endpoint}/${path(file)}`, { method, headers: { 'user-agent': HUB_AGENT } });
    await answer.arrayBuffer();
    return answer.status;
  };
  t.same([await ask('a.txt'), await ask('b.txt'), await ask('c.txt')], [403, 200, 200], 'as the set in force says');
  t.equal(await ask('a.txt', 'HEAD'), 403);
  const decisions = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
  const of = (file: string) => decisions.find(({ artefact }) => artefact.path === file)?.['decision'];
  t.match(of('a.txt'), { action: 'deny', rule: 'now/no', shadow: { action: 'allow', rule: 'default' } });
  t.match(of('b.txt'), { action: 'allow', rule: 'default', shadow: { action: 'deny', rule: 'next/no' } });
  t.match(of('c.txt'), { action: 'allow', shadow: { action: 'allow' } });

  const said = await runCommand(report.run, ['observe', '--shadow', '--data', world.data]);
  t.equal(said.code, 1);
  t.match(said.stdout, /^2 of 3 requests would have ended otherwise, by the shadow policies\n/);
  t.match(
    said.stdout,
    /^allow -> deny {2}1 request {2}\(default -> next\/no\)\n[\s\S]*?acme\/two@[0-9a-f]{40}\/b\.txt/m,
  );
  t.match(said.stdout, /^deny -> allow {2}1 request {2}\(now\/no -> default\)$/m);
  const enforced = await runCommand(report.run, ['observe', '--data', world.data]);
  t.match([enforced.code, enforced.stdout], [0, /^0 of 3 requests/], 'nothing is only observed');
  const digest = of('b.txt')?.shadow.policySet;
  t.ok((await fetch(`${world.url}/api/v1/policies/${digest}`)).ok, 'kept by its digest');
  const why = await runCommand(policy.run, [
    'explain',
    '--data',
    world.data,
    '--policies',
    shadow,
    'models/acme/two/b.txt',
  ]);
  t.match(why.stdout, /they come to another decision:\n\ndeny {2}next\/no/);

  writeFileSync(join(shadow, 'p.yaml'), 'kind: nothing');
  await sleep(TAKEN);
  t.equal(await ask('b.txt'), 200);
  const ready = await jsonOf(await fetch(`${world.url}/readyz`));
  const fact = (name: string) => ready.facts.find((one: { name: string }) => one.name === name);
  t.match([fact('shadow policies').ok, fact('policies').ok], [false, true]);
  writeFileSync(join(shadow, 'p.yaml'), set('later', 'c.txt'));
  await sleep(TAKEN);
  t.equal(await ask('c.txt'), 200);
  const entries = await world.entries();
  t.match(
    entries.filter(({ kind }) => kind.startsWith('policy.')).map(({ kind, detail }) => [kind, detail.shadow]),
    [
      ['policy.loaded', undefined],
      ['policy.loaded', true],
      ['policy.rejected', true],
      ['policy.loaded', true],
    ],
  );
  const last = entries.filter(({ kind }) => kind === 'artefact.decision').slice(-2);
  t.match(last[0]?.['decision'].shadow, { action: 'deny', rule: 'next/no' }, 'the last good one decided meanwhile');
  t.match(last[1]?.['decision'].shadow, { action: 'deny', rule: 'later/no' });
  await world.restart();
  const loads = (await world.entries()).filter(({ kind, detail }) => kind === 'policy.loaded' && !detail.shadow);
  t.equal(loads[1]?.['detail'].previous, loads[0]?.['detail'].digest, 'a shadow was never in force');
});
