import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { log } from '../../src/cli/log.ts';
import { policy } from '../../src/cli/policy.ts';
import { quarantine } from '../../src/cli/quarantine.ts';
import { runPython } from '../support/clients.ts';
import { runCommand } from '../support/command-io.ts';
import { root, textOf } from '../support/project.ts';
import { SCHEMES } from '../support/secure.ts';
import { jsonOf, type LogEntry, startWorld } from '../support/world.ts';

const ROLES = { pipeline: 'pipeline', jane: 'approver', joe: 'approver', auditor: 'auditor' } as const;
type Person = keyof typeof ROLES;
const tokenOf = (person: Person): string => `the-token-of-${person}-000`;
const PEOPLE = Object.entries(ROLES).map(
  ([name, role]) => `    - { name: ${name}, team: ${name}-team, role: ${role}, token: the-token-of-${name}-000 }`,
);
const settings = (sandbox: string): string => `sandbox: ${sandbox}\nauth:\n  tokens:\n${PEOPLE.join('\n')}\n`;
/** Bytes that no loader of ours knows. */
const odd = Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) >> 3));
const artefact = 'models/acme/odd/odd.bin';
const DOWNLOAD = `
import hashlib, huggingface_hub
path = huggingface_hub.hf_hub_download("acme/odd", "odd.bin")
print(hashlib.sha256(open(path, "rb").read()).hexdigest())
`;
/** Two looks at the policy files, and some more. */
const TAKEN = 1600;

/** The command line on a machine that has nothing but a folder. */
const elsewhere = (folder: string, ...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'bin', 'weighbridge.mjs'), ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
    encoding: 'utf8',
    timeout: 60_000,
  });

for (const { scheme, secure } of SCHEMES)
  t.test(
    `over ${scheme} a refusal is found, explained, released by two people, had, shown, handed on and explained again`,
    async (t) => {
      const home = t.testdir({
        policies: {},
        pipeline: {},
        'w.yaml': settings('{}'),
        tokens: Object.fromEntries(Object.keys(ROLES).map((name) => [name, `the-token-of-${name}-000`])),
      });
      const policies = join(home, 'policies');
      writeFileSync(join(policies, 'default.yaml'), textOf('policies/default.yaml'));
      const repo = { name: 'acme/odd', files: { 'odd.bin': odd }, downloads: 5, license: 'mit' };
      const world = await startWorld(t, [repo], {
        secure,
        settings: { POLICIES: policies, CONFIG: join(home, 'w.yaml') },
      });
      const directory = join(world.data, 'log');
      const as = (person: Person, ...args: readonly string[]) =>
        runCommand(quarantine.run, [...args, '--gateway', world.url, '--token-file', join(home, 'tokens', person)]);
      const asked = (person: Person, path: string) =>
        fetch(`${world.url}/api/v1/${path}`, { headers: { authorization: `Bearer ${tokenOf(person)}` } });
      const search = async (...args: readonly string[]): Promise<readonly LogEntry[]> => {
        const { stdout } = await runCommand(log.run, ['search', directory, ...args, '--json']);
        return stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line));
      };
      const explain = (...args: readonly string[]) =>
        runCommand(policy.run, ['explain', '--data', world.data, ...args]);
      /** The same pipeline each time, with its cache. */
      const pipeline = () =>
        runPython('hub2', DOWNLOAD, {
          directory: join(home, 'pipeline'),
          env: {
            HF_ENDPOINT: world.endpoint,
            ...world.trust,
            HF_HOME: join(home, 'pipeline'),
            HF_TOKEN: tokenOf('pipeline'),
          },
        });

      const refused = await pipeline();
      t.not(refused.code, 0);
      const [, request = ''] = /weighbridge quarantine request ([0-9a-f-]{36})/.exec(refused.stderr) ?? [];
      t.match(refused.stderr, /Weighbridge holds odd\.bin: .* \(rule default\//);

      // Found, by what the refusal prints and by whoever may read the log.
      const [found] = await search('--request', request);
      t.match(found, { artefact: { repo: 'models/acme/odd', path: 'odd.bin' }, decision: { action: 'quarantine' } });
      t.equal(found?.['team'], 'pipeline-team');
      const page = await jsonOf(await asked('auditor', `log?request=${request}`));
      t.match(page['entries'], [{ entry: { decision: found?.['decision'] } }]);
      t.equal((await asked('pipeline', `log?request=${request}`)).status, 403);

      const why = await explain(request);
      t.equal(why.code, 1);
      t.match(why.stdout, new RegExp(`matched {2}${found?.['decision'].rule} `));

      const id = (await as('jane', 'request', request, '--reason', 'needed for the demo')).stdout.split(' ')[0] ?? '';
      await t.rejects(
        as('jane', 'approve', id, '--comment', 'mine'),
        /whoever asked .*--role approver\), unless .*differ: \[\]/,
      );
      t.not((await pipeline()).code, 0, 'asked for is not approved');
      t.match((await as('joe', 'approve', id, '--comment', 'read it')).stdout, /active until /);

      const had = await pipeline();
      t.equal(had.code, 0, had.stderr);
      t.equal(had.stdout.trim(), createHash('sha256').update(odd).digest('hex'));
      await sleep(TAKEN);
      const told = await search('--artefact', artefact);
      const steps = told.map(({ kind, decision }) =>
        [kind, decision?.action].filter((word) => word !== undefined).join(' '),
      );
      t.same(
        steps.filter((step) => !step.startsWith('artefact.head') && !step.startsWith('listing')),
        [
          'quarantine.requested',
          'quarantine.approved',
          'quarantine.released',
          'artefact.decision allow',
          'artefact.outcome allow',
        ],
      );
      t.equal(told[0]?.['decision'].action, 'quarantine', 'after the HEAD that was refused');
      const people = ['requested', 'approved'].map(
        (step) => told.find(({ kind }) => kind === `quarantine.${step}`)?.['actor'],
      );
      t.ok(people.every((one) => /^p_/.test(one)) && people[0] !== people[1], 'two people');
      const allowed = told.find(({ kind }) => kind === 'artefact.decision');
      t.equal(allowed?.['decision'].waiver, id);

      // Handed on: nothing but the export, its manifest and a public key that was copied before.
      const copy = join(home, 'copy');
      mkdirSync(copy);
      const exported = await runCommand(log.run, [
        ...['export', directory, '--artefact', artefact, '--manifest', join(copy, 'export.manifest')],
        ...['--keys', join(world.data, 'keys'), '--format', 'jsonl'],
      ]);
      t.equal(exported.code, 0);
      writeFileSync(join(copy, 'export.jsonl'), exported.stdout);
      copyFileSync(join(directory, 'key'), join(copy, 'key'));
      t.same(readdirSync(copy).sort(), ['export.jsonl', 'export.manifest', 'key']);
      const check = ['log', 'verify', 'export.jsonl', '--manifest', 'export.manifest', '--key', 'key'];
      const verified = elsewhere(copy, ...check);
      t.equal(verified.status, 0, verified.stdout + verified.stderr);
      t.same(
        exported.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line).id),
        told.map(({ id: one }) => one),
      );
      const lines = readFileSync(join(copy, 'export.jsonl'), 'utf8').split('\n');
      writeFileSync(
        join(copy, 'export.jsonl'),
        lines.filter((line) => !line.includes('quarantine.approved')).join('\n'),
      );
      const missing = elsewhere(copy, ...check);
      t.equal(missing.status, 1, 'the approval was left out');

      // Policies, ruleset and what upstream says all change.
      await world.restart(async () => {
        writeFileSync(
          join(policies, 'default.yaml'),
          'apiVersion: weighbridge/v1\nkind: PolicySet\nversion: "2"\ndefaultAction: deny\n',
        );
        writeFileSync(join(home, 'w.yaml'), settings('{ personalData: true, limits: { depth: 3 } }'));
        const other = Buffer.concat([odd, odd]);
        await world.hub.put({
          ...repo,
          files: { 'odd.bin': other },
          downloads: 5_000_000,
          license: 'gpl-3.0',
        });
      });
      const headers = { authorization: `Bearer ${tokenOf('pipeline')}` };
      t.equal((await world.fetch('acme/odd/resolve/main/odd.bin', { headers })).status, 403);
      const wanted = String(allowed?.['request'].id);
      const then = await explain(wanted);
      t.equal(then.code, 0);
      t.match(then.stdout, /policies in force then: [\s\S]*the same decision comes of them:\n\nallow {2}/);
      t.match(then.stdout, `waiver ${id}`);
      const answer = JSON.parse((await explain('--json', wanted)).stdout);
      t.match(answer, {
        decision: { action: 'allow', waiver: id },
        facts: { upstream: { downloads: 5, licence: 'mit' } },
      });
      const newest = (await world.entries()).findLast(({ evidence }) => evidence !== undefined);
      t.not(newest?.['evidence'].policySet, answer.policySet, 'the policies are others');
      t.not(newest?.['evidence'].ruleset, answer.entered.evidence.ruleset, 'and so is the ruleset');
      t.equal((await explain('--policies', policies, wanted)).code, 1, 'today it would not be allowed');
      t.match(elsewhere(directory, 'log', 'verify', '.', '--key', join(copy, 'key')), { status: 0 });
    },
  );
