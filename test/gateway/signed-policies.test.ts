import { generateKeyPairSync, sign as signWith } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { loadConfig } from '../../src/config.ts';
import { watchPolicies } from '../../src/gateway/policies.ts';
import { addSignature, checkSignatures, type Signing } from '../../src/policy/signatures.ts';
import { runCommand } from '../support/command-io.ts';
import { factsWith } from '../support/policy-facts.ts';
import { jsonOf, startWorld } from '../support/world.ts';

const keyPair = (kind: 'ed25519' | 'x25519' = 'ed25519') =>
  // The overloads of the types know each kind apart only.
  generateKeyPairSync(kind as 'ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const [jane, joe, eve] = [keyPair(), keyPair(), keyPair()];
const rule = (action: string, id = 'r'): string => `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: p, title: Test }
rules:
  - { id: ${id}, when: 'true', action: ${action}, message: because }
`;
const DIGEST = 'ab'.repeat(32);
const both = { signers: { jane: jane.publicKey, joe: joe.publicKey }, needed: 2 };
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

t.test('a set counts as signed by those whose keys signed its digest, and by nobody else', async (t) => {
  const first = addSignature(DIGEST, undefined, jane.privateKey, 1_000_000).text;
  const { text } = addSignature(DIGEST, first, joe.privateKey, 2_000_000);
  t.same(checkSignatures(DIGEST, text, both), { signers: ['jane', 'joe'], issued: 2_000_000 });
  const refused = (why: RegExp, digest: string, signatures: string | undefined, signing: Signing = both): void => {
    t.throws(() => checkSignatures(digest, signatures, signing), { code: 'POLICY_INVALID', message: why });
  };
  refused(/there are no signatures/, DIGEST, undefined);
  refused(/2 of jane, joe must have signed .*; jane has$/, DIGEST, first);
  refused(/what was signed has the digest abab/, 'cd'.repeat(32), text);
  refused(/nobody has/, 'cd'.repeat(32), text.replaceAll(DIGEST, 'cd'.repeat(32)));
  refused(/joe has$/, DIGEST, text.replace('1970-01-01T00:16:40', '2030-01-01T00:16:40'));
  refused(/jane has$/, DIGEST, addSignature(DIGEST, first, eve.privateKey, 3_000_000).text);
  refused(/, twin has$/, DIGEST, first, { signers: { jane: jane.publicKey, twin: jane.publicKey }, needed: 2 });
  for (const broken of [
    '',
    '{',
    '[]',
    '{"version":2}',
    `{"version":1,"digest":"${DIGEST}","signatures":[{}]}`,
    text.slice(0, -9),
  ])
    refused(/not JSON|not as expected/, DIGEST, broken);
  const claimed = JSON.parse(first);
  claimed.signatures[0].signature = signWith(null, Buffer.from(DIGEST), jane.privateKey).toString('base64');
  refused(/nobody has/, DIGEST, JSON.stringify(claimed));
  refused(/signer jane is no public key/, DIGEST, text, { signers: { jane: 'x' }, needed: 1 });
  refused(/is not Ed25519/, DIGEST, text, { signers: { jane: keyPair('x25519').publicKey }, needed: 1 });
  t.throws(() => addSignature(DIGEST, undefined, 'x', 0), { code: 'POLICY_INVALID' });
  t.throws(() => addSignature(DIGEST, undefined, jane.publicKey, 0), { code: 'POLICY_INVALID' });
  t.equal(JSON.parse(addSignature('cd'.repeat(32), text, jane.privateKey, 0).text).signatures.length, 1, 'of this set');
});

t.test('what is not signed, or was signed before, does not take the place of what is', async (t) => {
  const folder = t.testdir({ 'p.yaml': rule('allow'), 'key.pem': jane.privateKey });
  const file = join(folder, 'p.yaml');
  const sign = () => runCommand(policy.run, ['sign', '--key', join(folder, 'key.pem'), file]);
  const told: string[] = [];
  const hooks = {
    loaded: (_set: unknown, _previous: unknown, signers: readonly string[]) => told.push(`by ${signers.join()}`),
    rejected: ({ message }: Error) => told.push(message),
  };
  const signing = { signers: { jane: jane.publicKey }, needed: 1 };
  const start = () => watchPolicies(file, hooks, { pollMs: 100_000, signing });
  await t.rejects(start(), /there are no signatures/, 'no start without');
  t.match(await sign(), { code: 0, stdout: /p\.yaml\.sig: signed by key [0-9a-f]{16}, digest [0-9a-f]{64}\n/ });
  const old = { text: readFileSync(file, 'utf8'), signatures: readFileSync(`${file}.sig`, 'utf8') };
  const watcher = await start();
  t.teardown(() => watcher.close());
  const action = (): string => watcher.current().decide(factsWith(), 0).action;
  writeFileSync(file, rule('deny'));
  await watcher.reload();
  t.equal(action(), 'allow', 'the last good set');
  t.match(told.at(-1), /what was signed has the digest/);
  t.ok(watcher.fault());
  await sleep(5);
  await sign();
  await watcher.reload();
  t.equal(action(), 'deny');
  t.same([watcher.signers(), watcher.fault()], [['jane'], undefined]);
  writeFileSync(file, old.text);
  writeFileSync(`${file}.sig`, old.signatures);
  await watcher.reload();
  t.equal(action(), 'deny', 'the set of before does not come back by itself');
  t.match(told.at(-1), /signed before those in force: sign them again/);
  await sleep(5);
  await sign();
  await watcher.reload();
  t.equal(action(), 'allow');
  rmSync(`${file}.sig`);
  await watcher.reload();
  t.match([action(), told.at(-1)], ['allow', /there are no signatures/]);
  writeFileSync(file, rule('dney'));
  await t.rejects(sign(), /Invalid option/, 'nothing is signed that would not load');
  await t.rejects(runCommand(policy.run, ['sign', file]), /--key/);
});

t.test('the log says who signed the policies that load, and what they changed', async (t) => {
  const shipped = readFileSync(join(import.meta.dirname, '../../policies/default.yaml'), 'utf8');
  const root = t.testdir({
    policies: { 'default.yaml': shipped },
    'jane.pem': jane.privateKey,
    'jane.pub': jane.publicKey,
    'joe.pub': joe.publicKey,
    'w.yaml': 'policies:\n  signers: { jane: jane.pub, joe: joe.pub }\n',
  });
  const policies = join(root, 'policies');
  const sign = () => runCommand(policy.run, ['sign', '--key', join(root, 'jane.pem'), policies]);
  const settings = { POLICIES: policies, CONFIG: join(root, 'w.yaml') };
  await t.rejects(startWorld(t, [], { settings }), /1 of jane, joe must have signed/);
  await sign();
  const world = await startWorld(t, [], { settings });
  writeFileSync(join(policies, 'own.yaml'), rule('deny'));
  await sleep(TAKEN);
  const ready = await jsonOf(await fetch(`${world.url}/readyz`));
  t.match(
    ready.facts.find(({ name }: { name: string }) => name === 'policies'),
    { ok: false, detail: /must have signed/ },
  );
  await sign();
  await sleep(TAKEN);
  writeFileSync(join(policies, 'own.yaml'), rule('quarantine', 'other'));
  await world.restart(sign);
  const loads = (await world.entries()).filter(({ kind }) => kind.startsWith('policy.'));
  t.same(
    loads.map(({ kind }) => kind),
    ['policy.loaded', 'policy.rejected', 'policy.loaded', 'policy.loaded'],
  );
  t.match(loads[1]?.['detail'].message, /must have signed/);
  const { detail } = loads[2] ?? {};
  t.match(detail, {
    signers: 'jane',
    added: 'policy p, p/r',
    removed: '',
    changed: '',
    previous: loads[0]?.['detail'].digest,
  });
  t.match(
    loads[3]?.['detail'],
    { signers: 'jane', added: 'p/other', removed: 'p/r', changed: 'policy p', previous: detail.digest },
    'also against what was in force before a restart',
  );
  const config = (text: string) => {
    const file = join(root, 'x.yaml');
    writeFileSync(file, text);
    return loadConfig({ file, env: {} });
  };
  t.throws(() => config('policies: { signers: { jane: jane.pub }, signatures: 2 }'), /expected at most 1/);
  t.throws(() => config('policies: { signers: { jane: nothing.pub } }'), /expected a readable file/);
});
