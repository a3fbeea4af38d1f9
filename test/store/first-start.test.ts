import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAccessLog } from '../../src/audit/access-log.ts';
import { loadPseudonyms, loadSigner } from '../../src/audit/keys.ts';
import { loadSecretKey } from '../../src/store/secret-key.ts';
import { openStore } from '../../src/store/store.ts';

const source = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;

/** Makes what a data folder begins with, and is killed before the call of its file system that is named by its number. */
const CHILD = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { openStore } = await import(${JSON.stringify(source('store/store.ts'))});
const { loadSecretKey } = await import(${JSON.stringify(source('store/secret-key.ts'))});
const { loadPseudonyms, loadSigner } = await import(${JSON.stringify(source('audit/keys.ts'))});
const [data, keys, number] = process.argv.slice(2);
let left = Number(number);
for (const name of ['openSync', 'writeSync', 'writeFileSync', 'fsyncSync', 'closeSync', 'renameSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (left-- === 0) {
      // What is written is on the disk by half.
      if (name === 'writeSync') real(args[0], String(args[1]).slice(0, String(args[1]).length / 2));
      if (name === 'writeFileSync') real(args[0], String(args[1]).slice(0, String(args[1]).length / 2), ...args.slice(2));
      process.kill(process.pid, 'SIGKILL');
    }
    return real(...args);
  };
}
syncBuiltinESMExports();
await (await openStore({ data, limit: 1 })).close();
loadSecretKey(data);
loadSigner(keys, 'first.test/log', false);
loadPseudonyms(keys);
`;

t.test(
  'a first start that is killed at any step leaves nothing half made that the next one stumbles over',
  async (t) => {
    const program = join(t.testdir({ 'child.mjs': CHILD }), 'child.mjs');
    let steps = 0;
    for (let done = false; !done; steps += 1) {
      const data = join(t.testdirName, `data-${steps}`);
      const keys = join(data, 'keys');
      const { signal, status, stderr } = spawnSync(process.execPath, [program, data, keys, String(steps)], {
        encoding: 'utf8',
      });
      t.ok(signal === 'SIGKILL' || status === 0, stderr);
      done = status === 0;
      await (await openStore({ data, limit: 1 })).close();
      t.equal(readFileSync(join(data, 'version'), 'utf8'), '1\n', `step ${steps}`);
      const secret = loadSecretKey(data);
      t.equal(secret.length, 32);
      t.same(loadSecretKey(data), secret, 'and it stays');
      const signer = loadSigner(keys, 'first.test/log', false);
      t.same(loadSigner(keys, 'first.test/log', true).key, signer.key);
      t.equal(loadPseudonyms(keys)('somebody'), loadPseudonyms(keys)('somebody'));
    }
    t.ok(steps > 20, `${steps} steps`);
  },
);

t.test('the public key beside the log is whole, also where a full disk once cut it', async (t) => {
  const directory = join(t.testdir({}), 'log');
  mkdirSync(directory);
  const first = await createAccessLog({ directory, origin: 'first.test/log', remember: () => undefined });
  const { key } = first;
  await first.close();
  t.equal(readFileSync(join(directory, 'key'), 'utf8'), `${key}\n`);
  for (const cut of ['', key.slice(0, 20)]) {
    writeFileSync(join(directory, 'key'), cut);
    await (await createAccessLog({ directory, origin: 'first.test/log', remember: () => undefined })).close();
    t.equal(readFileSync(join(directory, 'key'), 'utf8'), `${key}\n`);
  }
});
