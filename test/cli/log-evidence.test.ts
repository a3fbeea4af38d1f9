import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { log } from '../../src/cli/log.ts';
import { runCommand } from '../support/command-io.ts';
import { root } from '../support/project.ts';
import { startWorld } from '../support/world.ts';

const home = t.testdir({
  bin: { weighbridge: `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin', 'weighbridge.mjs')}' "$@"\n` },
});
chmodSync(join(home, 'bin', 'weighbridge'), 0o755);

/** Runs the commands of the folder's own README, from within it. */
const check = (folder: string) => {
  const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(readFileSync(join(folder, 'README.md'), 'utf8')) ?? [];
  const script = `set -e\n${commands}`;
  const env = { PATH: `${join(home, 'bin')}:${process.env['PATH']}`, HOME: folder };
  const { status, stderr, stdout } = spawnSync('sh', ['-c', script], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, text: stdout + stderr };
};

t.test('evidence is checked elsewhere by its README, and what was changed in it is found', async (t) => {
  const world = await startWorld(t, [
    { name: 'acme/odd', files: { 'odd.bin': Buffer.alloc(4000, 'x\u0001y'), 'a.txt': 'text' } },
    { name: 'acme/other', files: { 'b.txt': 'other' } },
  ]);
  for (const path of ['odd/resolve/main/odd.bin', 'odd/resolve/main/a.txt', 'other/resolve/main/b.txt'])
    await (await world.fetch(`acme/${path}`)).arrayBuffer();
  await sleep(1500);
  const out = join(home, 'pack');
  const args = ['evidence', join(world.data, 'log'), '--repo', 'models/acme/odd', '--kind', 'artefact.decision'];
  t.match(await runCommand(log.run, [...args, '--out', out]), { code: 0, stderr: /^2 entries, with proofs/ });
  await t.rejects(runCommand(log.run, [...args, '--out', out]), { code: 'REQUEST_INVALID' }, 'nothing is written over');
  await t.rejects(runCommand(log.run, args), { code: 'REQUEST_INVALID' });
  t.same(readdirSync(out).sort(), [
    'README.md',
    'SHA256SUMS',
    'checkpoint',
    'entries',
    'entries.jsonl',
    'facts',
    'key',
    'manifest',
    'policies',
    'reports',
  ]);
  t.equal(readdirSync(join(out, 'facts')).length, 2);
  const elsewhere = join(home, 'elsewhere');
  cpSync(out, elsewhere, { recursive: true });
  const good = check(elsewhere);
  t.equal(good.status, 0, good.text);
  t.equal(good.text.match(/^verified/gm)?.length, 3);

  const resummed = (folder: string): void => {
    const { status } = spawnSync('sh', ['-c', 'find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS'], {
      cwd: folder,
    });
    t.equal(status, 0);
  };
  const forged = join(home, 'forged');
  cpSync(out, forged, { recursive: true });
  const [name = ''] = readdirSync(join(forged, 'entries')).filter((file) => file.endsWith('.json'));
  const path = join(forged, 'entries', name);
  writeFileSync(path, readFileSync(path, 'utf8').replace('acme', 'acmf'));
  t.not(check(forged).status, 0, 'by its sum');
  resummed(forged);
  t.match(check(forged), { text: /NOT AS SIGNED/ }, 'and by its proof');
  const facts = join(home, 'facts');
  cpSync(out, facts, { recursive: true });
  const [fact = ''] = readdirSync(join(facts, 'facts'));
  writeFileSync(join(facts, 'facts', fact), '{}');
  resummed(facts);
  t.not(check(facts).status, 0, 'facts are those that the entries name');
});
