import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import t from 'tap';
import { sha256, tree, verifyEd25519 } from '../../src/audit/digest.ts';
import type { Entry } from '../../src/audit/types.ts';
import { log as command } from '../../src/cli/log.ts';
import { openCheckpoint, parseVerifierKey } from '../../src/merkle/checkpoint.ts';
import { verifyInclusion } from '../../src/merkle/proofs.ts';
import { decision, FIRST_SEGMENT, lines, openLog, outcome } from '../audit/support.ts';

const home = t.testdir({});
const folder = join(home, 'log');
const hostile = '=cmd|"/c calc"!A1,\u001b[31m\u202ered';
const log = await openLog(home);
for (let index = 0; index < 12; index += 1) await log.append(decision(index));
await log.append(outcome(1));
await log.append({
  ...decision(99),
  artefact: { ...decision(99).artefact!, repo: 'models/evil/one', path: hostile },
} as Entry);
await log.append({ kind: 'policy.loaded', detail: { digest: 'abc', files: 3 } });
await log.close();

/** Runs `weighbridge log`; what it wrote and how it ended. */
const run = async (...args: string[]): Promise<{ code: number | string; out: string }> => {
  const chunks: Buffer[] = [];
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const io = { stdin: Readable.from([]), stdout, stderr: new PassThrough() };
  const code = await command.run(args, io).catch((error) => String(error.code));
  return { code, out: Buffer.concat(chunks).toString() };
};

t.test('show has the newest entries that match, as a table that no name can break', async (t) => {
  const { code, out } = await run('show', folder);
  t.equal(code, 0);
  const rows = out.split('\n').slice(0, -1);
  t.equal(rows.length, 15);
  t.match(
    rows[0],
    /^0 +\d{4}-\d\d-\d\dT[\d:.]+Z {2}artefact\.decision +deny rule-a +huggingface:models\/org\/name@cccccccccccc\/file-0\.bin {2}\(because of 0\)$/,
  );
  t.match(rows[12], /200 .* 1 bytes cached/);
  t.match(rows[14], /policy\.loaded +digest=abc files=3/);
  t.notMatch(out, /[\u001b\u202e]/);
  t.equal((await run('show', folder, '--limit', '2')).out.split('\n').length, 3);
  t.equal((await run('show', folder, '--action', 'deny')).out.split('\n').length, 6);
  t.equal((await run('show', folder, '--repo', 'evil')).out.split('\n').length, 2);
  t.equal((await run('show', folder, '--since', '1h')).out.split('\n').length, 16);
  t.equal((await run('show', folder, '--since', '2999-01-01')).out, '');
  t.equal((await run('show', folder, '--json')).out, readFileSync(join(folder, FIRST_SEGMENT), 'utf8'));
});

t.test('search finds by every name that an entry has, a page at a time', async (t) => {
  const denied = await run('search', folder, '--decision', 'deny', '--json');
  t.same(
    denied.out.split('\n').slice(0, -1),
    lines(join(folder, FIRST_SEGMENT)).filter((line) => line.includes('"action":"deny"')),
    'the lines as they were signed',
  );
  t.match((await run('search', folder, '--artefact', 'models/org/name/file-1.bin')).out, /^1 .*\n12 .*\n$/);
  t.match((await run('search', folder, '--repo', 'models/ev?l/*')).out, /^13 .*\n$/);
  t.match((await run('search', folder, '--limit', '2', '--before', '13')).out, /^11 .*\n12 .*\n$/);
  t.match(await run('search', folder, '--team', 'nobody'), { code: 0, out: '' });
  t.match((await run('search', folder, '--from', '1h', '--kind', 'policy.*')).out, /^14 /);
  t.equal((await run('search', folder, '--to', '1h')).out, '');
  t.notMatch((await run('search', folder)).out, /[\u001b\u202e]/);
  t.match(await run('search', join(home, 'nothing')), { code: 'NOT_FOUND' });
  t.match(await run('search', folder, '--limit', '1001'), { code: 'REQUEST_INVALID' });
  t.match(await run('search', folder, '--actor', ''), { code: 'REQUEST_INVALID' });
});

t.test('wrong options and missing logs are refused, not guessed', async (t) => {
  t.match(await run('show', join(home, 'nothing')), { code: 'NOT_FOUND' });
  t.match(await run('show', folder, '--limit', '0'), { code: 'REQUEST_INVALID' });
  t.match(await run('show', folder, '--since', 'yesterday-ish'), { code: 'REQUEST_INVALID' });
  t.match(await run('show', folder, folder), { code: 'REQUEST_INVALID' });
  t.match(await run('shred'), { code: 'REQUEST_INVALID' });
  t.match(await run('export', folder, '--format', 'xml'), { code: 'REQUEST_INVALID' });
  t.match(await run('export', folder, '--format', 'csv', '--proofs'), { code: 'REQUEST_INVALID' });
  t.match(await run('verify', folder, '--key', 'nothing'), { code: 'NOT_FOUND' });
  t.match(await run('verify', join(home, 'nothing'), '--key', log.key), { code: 'NOT_FOUND' });
});

t.test('verify ends with 0 for what was signed and 1 for anything else, and names the entry', async (t) => {
  const good = await run('verify', folder, '--key', log.key);
  t.equal(good.code, 0);
  t.match(good.out, /^verified: 15 entries are what was signed/);
  t.match(good.out, /cannot be excluded/);
  t.notMatch(good.out, /the key is from the log itself/);
  t.match(await run('verify', folder), { code: 0, out: /the key is from the log itself/ });
  const keyFile = join(home, 'key.txt');
  writeFileSync(keyFile, `${log.key}\n`);
  writeFileSync(join(home, 'kept'), log.checkpoint());
  t.match(await run('verify', folder, '--key', keyFile, '--checkpoint', join(home, 'kept')), { code: 0 });
  const json = JSON.parse((await run('verify', folder, '--key', log.key, '--json')).out);
  t.match(json, { ok: true, entries: 15, signed: 15, keyGiven: true, problems: [] });

  const path = join(folder, FIRST_SEGMENT);
  const before = readFileSync(path);
  appendFileSync(path, '{"v":1,"torn');
  t.match(await run('verify', folder, '--key', log.key), { code: 0, out: /last line is not complete/ });
  writeFileSync(path, before.toString().replace('because of 7"', 'because of 8"'));
  t.match(await run('verify', folder, '--key', log.key), {
    code: 1,
    out: /^NOT AS SIGNED: entry 7 was changed \(.*line 8\)/,
  });
  const tampered = JSON.parse((await run('verify', folder, '--key', log.key, '--json')).out);
  t.match(tampered, { ok: false, problems: [{ kind: 'changed', entry: 7 }] });
  writeFileSync(path, before);
});

t.test('an exported CSV holds no formula, and its cells survive', async (t) => {
  const { code, out } = await run('export', folder, '--format', 'csv');
  t.equal(code, 0);
  const rows = out.split('\r\n');
  t.match(rows[0], /^index,id,time,node,kind,/);
  t.equal(rows.length, 15 + 2);
  t.ok(out.includes(`,"'=cmd|""/c calc""!A1,`), 'quoted, doubled, and no formula');
  t.notMatch(out, /(^|,)"?[=+@-]/m);
});

t.test('each exported proof holds against the checkpoint and the key, without the rest of the log', async (t) => {
  const { out } = await run('export', folder, '--proofs', '--repo', 'models/evil/*');
  const [head, only, end] = out.split('\n');
  t.equal(end, '');
  const key = parseVerifierKey(log.key, sha256);
  const checkpoint = openCheckpoint(JSON.parse(head!).checkpoint, key, verifyEd25519)!;
  const { index, entry, proof } = JSON.parse(only!);
  t.equal(index, 13);
  t.equal(entry, lines(join(folder, FIRST_SEGMENT))[13]);
  const siblings = proof.map((text: string) => Buffer.from(text, 'base64'));
  const holds = (line: string): boolean =>
    verifyInclusion(tree, tree.leaf(Buffer.from(line)), index, checkpoint.size, siblings, checkpoint.root);
  t.ok(holds(entry));
  t.notOk(holds(entry.replace('evil', 'good')));
  const hashes = join(folder, FIRST_SEGMENT.replace('jsonl', 'hashes'));
  const before = readFileSync(hashes);
  writeFileSync(hashes, Buffer.from(before).fill(1, 0, 32));
  t.match(await run('export', folder, '--proofs'), { code: 'LOG_CORRUPT' });
  writeFileSync(hashes, before);
});
