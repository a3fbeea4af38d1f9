import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { log as command } from '../../src/cli/log.ts';
import { decision, FIRST_SEGMENT, lines, openLog } from '../audit/support.ts';
import { runCommand } from '../support/command-io.ts';

const home = t.testdir({ other: {} });
const folder = join(home, 'log');
let log = await openLog(home);
for (let index = 0; index < 300; index += 1) await log.append(decision(index));
await log.close();
const older = log.checkpoint();
log = await openLog(home);
for (let index = 300; index < 777; index += 1) await log.append(decision(index));
await log.close();
const other = await openLog(join(home, 'other'));
for (let index = 0; index < 300; index += 1) await other.append(decision(index));
await other.close();

const run = (...args: string[]) => runCommand(command.run, args);
const verified = async (subject: string, proof: string, key = log.key) => {
  writeFileSync(join(home, 'subject'), subject);
  writeFileSync(join(home, 'proof'), proof);
  return run('verify', join(home, 'subject'), '--proof', join(home, 'proof'), '--key', key);
};
const refused = { code: 1, stdout: /^NOT AS SIGNED: / };
const entries = lines(join(folder, FIRST_SEGMENT));

t.test('a proof of another entry, of another log, or with anything changed shows nothing', async (t) => {
  const { stdout: proof } = await run('proof', folder, '--entry', '42');
  const [head = '', index = '', first = '', ...rest] = proof.split('\n');
  t.match(await verified(entries[41] ?? '', proof), refused);
  t.match(await verified((entries[42] ?? '').replace('allow', 'alloy').replace('deny', 'denz'), proof), refused);
  t.match(await verified(entries[42] ?? '', proof.replace('index 42', 'index 43')), refused);
  t.match(await verified(entries[42] ?? '', [head, index, ...rest].join('\n')), refused, 'a hash less');
  t.match(await verified(entries[42] ?? '', [head, index, first, first, ...rest].join('\n')), refused, 'a hash more');
  t.match(await verified(entries[42] ?? '', proof.replace('\n777\n', '\n778\n')), refused, 'another size');
  t.match(await verified(entries[42] ?? '', proof, other.key), refused, 'another key');
  for (const none of ['', 'no proof', proof.replace(index, 'index x'), proof.replace(first, '!'.repeat(44))]) {
    await t.rejects(verified(entries[42] ?? '', none), { code: 'FORMAT_INVALID' });
  }
  for (const [args, code] of [
    [['--entry', '777'], 'LIMIT_EXCEEDED'],
    [['--entry', 'x1'], 'REQUEST_INVALID'],
    [[], 'REQUEST_INVALID'],
    [['--entry', '1', '--since', 'x'], 'REQUEST_INVALID'],
    [['--since', join(home, 'nothing')], 'NOT_FOUND'],
  ] as const) {
    await t.rejects(run('proof', folder, ...args), { code });
  }
});

t.test('every entry has a proof that holds with the public key alone, in the form of C2SP', async (t) => {
  for (const index of [0, 1, 255, 256, 511, 512, 775, 776]) {
    const { stdout: proof } = await run('proof', folder, '--entry', String(index));
    t.ok(proof.startsWith(`c2sp.org/tlog-proof@v1\nindex ${index}\n`));
    t.ok(proof.endsWith(`\n\n${log.checkpoint()}`));
    t.match(await verified(`${entries[index]}\n`, proof), {
      code: 0,
      stdout: /^verified: this is entry \d+ of the log/,
    });
  }
  const withExtra = (await run('proof', folder, '--entry', '5')).stdout.replace('index', 'extra AAAA\nindex');
  t.match(await verified(entries[5] ?? '', withExtra), { code: 0 });
});

t.test('that the log begins with what an older checkpoint vouched for is shown, and a fork is not', async (t) => {
  writeFileSync(join(home, 'older'), older);
  const { stdout: proof } = await run('proof', folder, '--since', join(home, 'older'));
  t.match(proof, /^old 300\n/);
  t.match(await verified(older, proof), { code: 0, stdout: /begins with the 300/ });
  t.match(await verified(other.checkpoint(), proof), refused, 'the checkpoint of another log of that size');
  t.match(await verified(older, proof.replace('old 300', 'old 299')), refused);
  t.match(await verified(log.checkpoint(), proof), refused);
  t.match(await verified(older, proof.replace(/\n[^\n]+/, '')), refused);
  const hashes = join(folder, FIRST_SEGMENT.replace('jsonl', 'hashes'));
  const before = readFileSync(hashes);
  writeFileSync(hashes, Buffer.from(before).fill(1, 0, 32));
  await t.rejects(run('proof', folder, '--entry', '1'), { code: 'LOG_CORRUPT' });
  writeFileSync(hashes, before);
});
