import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { isFault } from '../../src/errors.ts';
import { readPolicyFiles, watchPolicies } from '../../src/gateway/policies.ts';
import { factsWith } from '../support/policy-facts.ts';

const text = (action: string): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - { id: r, when: 'true', action: ${action}, message: because }
`;

const until = async (condition: () => boolean): Promise<void> => {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('did not happen within 10 s');
    await sleep(5);
  }
};

t.test('an edit takes effect, a broken one keeps the last good set and is told once', async (t) => {
  const file = join(t.testdir(), 'p.yaml');
  writeFileSync(file, text('allow'));
  const loaded: string[] = [];
  const rejected: string[] = [];
  const watcher = await watchPolicies(
    file,
    {
      loaded: (set, previous) => loaded.push(`${previous === undefined ? 'first' : 'next'} ${set.digest}`),
      rejected: (fault) => rejected.push(fault.message),
    },
    { pollMs: 10 },
  );
  t.teardown(() => watcher.close());
  const action = (): string => watcher.current().decide(factsWith(), 0).action;
  t.equal(action(), 'allow');

  writeFileSync(file, text('deny'));
  await until(() => action() === 'deny');
  t.match(loaded, [/^first /, /^next /]);

  writeFileSync(file, text('dney'));
  await until(() => rejected.length > 0);
  await sleep(100);
  t.equal(action(), 'deny', 'the last good set');
  t.match(rejected, [/p\.yaml:5:\d+: Invalid option/], 'told once');
  t.ok(isFault(watcher.fault(), 'POLICY_INVALID'));

  rmSync(file);
  await until(() => rejected.length > 1);
  t.equal(action(), 'deny', 'also when the file is gone');

  writeFileSync(file, text('deny'));
  await until(() => watcher.fault() === undefined);
  t.equal(loaded.length, 2, 'the same set is not announced again');

  writeFileSync(file, text('quarantine'));
  await watcher.reload();
  t.equal(action(), 'quarantine', 'reload does not wait');
});

t.test('edits are followed also when whoever is told of one fails', async (t) => {
  const file = join(t.testdir(), 'p.yaml');
  writeFileSync(file, text('allow'));
  let told = 0;
  const fail = (): void => {
    told += 1;
    if (told > 1) throw new Error('the log is full');
  };
  const watcher = await watchPolicies(file, { loaded: fail, rejected: fail }, { pollMs: 10 });
  t.teardown(() => watcher.close());
  for (const action of ['deny', 'quarantine', 'allow'] as const) {
    writeFileSync(file, text(action));
    await until(() => watcher.current().decide(factsWith(), 0).action === action);
    writeFileSync(file, 'broken: [');
    await until(() => watcher.fault() !== undefined);
  }
  t.ok(told >= 7);
});

t.test('a wrong policy at the start is a fault', async (t) => {
  const file = join(t.testdir({ 'p.yaml': text('dney') }), 'p.yaml');
  const hooks = { loaded: () => t.fail('loaded'), rejected: () => t.fail('rejected') };
  await t.rejects(watchPolicies(file, hooks), { code: 'POLICY_INVALID' });
  await t.rejects(watchPolicies(`${file}.missing`, hooks), { code: 'POLICY_INVALID' });
});

t.test('a directory is read without what is below it and what is no policy', async (t) => {
  const directory = t.testdir({ 'b.yml': 'b', 'a.yaml': 'a', '.hidden.yaml': 'x', 'schema.json': '{}' });
  mkdirSync(join(directory, 'below.d'));
  writeFileSync(join(directory, 'below.d', 'c.yaml'), 'c');
  t.same(await readPolicyFiles(directory), { 'a.yaml': 'a', 'b.yml': 'b' });
  t.same(await readPolicyFiles(join(directory, 'a.yaml')), { 'a.yaml': 'a' });
});
