import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runChecks } from '../support/checks.ts';
import { runProgram } from '../support/clients.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import { SCHEMES } from '../support/secure.ts';
import { startWorld } from '../support/world.ts';

const CLIENTS: readonly PythonEnvironment[] = ['torch', 'hub1', 'hub2'];
/** Bytes that no loader of ours knows. */
const odd = Buffer.from(Array.from({ length: 40_000 }, (_, index) => (index * 7919) >> 3));
const digest = createHash('sha256').update(odd).digest('hex');
const HELD = /Weighbridge holds .*weighbridge quarantine request ([0-9a-f-]{36})/;

for (const { scheme, secure } of SCHEMES)
  for (const client of CLIENTS) {
    t.test(`over ${scheme} ${client} has a released file on its next try, with the same cache folder`, async (t) => {
      const repo = { name: 'acme/odd', files: { 'config.json': '{}', 'odd.bin': odd } };
      const people = ['jane', 'joe'].map(
        (name) => `    - { name: ${name}, role: admin, token: the-token-of-${name}-0 }`,
      );
      const root = t.testdir({ 'w.yaml': `auth:\n  tokens:\n${people.join('\n')}\n`, joe: 'the-token-of-joe-0' });
      const world = await startWorld(t, [repo], { secure, settings: { CONFIG: join(root, 'w.yaml') } });
      const folder = join(root, 'folder');
      mkdirSync(folder);
      const env = { HF_HOME: join(root, 'hf'), HF_TOKEN: 'the-token-of-jane-0' };
      const run = () => runChecks(client, 'released', world, { folder }, { env });
      const before = await run();
      for (const call of ['download', 'snapshot', 'into a folder']) t.match(before[call]?.text, HELD, call);

      // As the exception says, and as curl would ask.
      const id = HELD.exec(before['download']?.text ?? '')?.[1];
      const api = async (path: string, who: string, body: object): Promise<string> => {
        const headers = ['-H', `authorization: Bearer the-token-of-${who}-0`, '-H', 'content-type: application/json'];
        const url = `${world.url}/api/v1/quarantine${path}`;
        const args = ['-sS', '--max-time', '30', ...headers, '-d', JSON.stringify(body), url];
        const { stdout } = await runProgram('curl', args, { env: world.trust });
        return JSON.parse(stdout).id;
      };
      const release = await api('', 'jane', { request: id, reason: 'looked at' });
      t.match(release, /^w-/);
      t.equal(await api(`/${release}/approve`, 'joe', {}), release);

      const after = await run();
      t.equal(after['download']?.value, digest);
      t.equal(after['into a folder']?.value, digest);
      t.equal(after['snapshot']?.value?.['odd.bin'], digest);
      t.equal(after['exists']?.value, true);
    });
  }
