import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { log as command } from '../../src/cli/log.ts';
import { decision, openLog, outcome } from '../audit/support.ts';
import { runCommand } from '../support/command-io.ts';

const home = t.testdir({ other: {} });
const folder = join(home, 'log');
const log = await openLog(home, { rotate: 3000 });
for (let index = 0; index < 40; index += 1) await log.append(index % 2 === 0 ? decision(index) : outcome(index));
const hostile = 'a "cell",\r\nwith =breaks\u2028';
await log.append({ ...decision(0), artefact: { ecosystem: 'file', repo: '', commit: '', path: hostile } });
await log.close();
const other = await openLog(join(home, 'other'));
await other.append(decision(0));
await other.close();
const DENIED = [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 40];

const [exported, manifest] = [join(home, 'export'), join(home, 'manifest')];
const run = (...args: string[]) => runCommand(command.run, args);
const make = async (format: string): Promise<string> => {
  const options = ['--decision', 'deny', '--format', format, '--manifest', manifest];
  const { code, stdout } = await run('export', folder, ...options);
  t.equal(code, 0);
  return stdout;
};
/** What verifying says of this file; the manifest is what was written last, or another. */
const verified = async (text: string, signed = readFileSync(manifest, 'utf8'), key = log.key) => {
  writeFileSync(exported, text);
  writeFileSync(join(home, 'given'), signed);
  const { code, stdout } = await run('verify', exported, '--manifest', join(home, 'given'), '--key', key, '--json');
  return { code, ...JSON.parse(stdout) };
};

t.test('a manifest that was changed, or that another log signed, is not believed', async (t) => {
  const text = await make('jsonl');
  const signed = readFileSync(manifest, 'utf8');
  const untrusted = { code: 'FORMAT_INVALID' };
  const list = signed.split('\n');
  await t.rejects(verified(text, signed, other.key), untrusted);
  await t.rejects(verified(text, signed.replace('"deny"', '"allow"')), untrusted);
  await t.rejects(verified(text, signed.replace('count 15', 'count 14')), untrusted);
  await t.rejects(verified(text, list.toSpliced(-3, 1).join('\n')), untrusted, 'a line less in its list');
  await t.rejects(verified(text, signed.replace('\n3 ', '\n4 ')), untrusted);
  for (const broken of ['', 'no note', signed.slice(0, 300), log.checkpoint(), `${log.checkpoint()}\n`]) {
    await t.rejects(verified(text, broken), untrusted);
  }
  await t.rejects(run('verify', exported, '--manifest', manifest), { code: 'REQUEST_INVALID' });
  await t.rejects(run('verify', join(home, 'none'), '--manifest', manifest, '--key', log.key), { code: 'NOT_FOUND' });
});

t.test('an entry that is missing, changed, added, repeated or moved is named, in every format', async (t) => {
  for (const [format, end] of [
    ['jsonl', '\n'],
    ['ocsf', '\n'],
    ['csv', '\r\n'],
  ] as const) {
    const text = await make(format);
    const records = text.split(end).slice(0, -1);
    const first = format === 'csv' ? 1 : 0;
    const at = (entry: number): number => first + DENIED.indexOf(entry);
    const edited = (all: readonly string[]) => verified(all.map((line) => line + end).join(''));
    t.match(await verified(text), { code: 0, ok: true, entries: 15, exported: 15, format }, format);
    const missing = await edited(records.toSpliced(at(21), 1));
    t.match(missing, { code: 1, ok: false });
    t.same(missing.problems, ['entry 21 is missing']);
    t.same((await edited(records.slice(0, at(40)))).problems, ['entry 40 is missing'], 'the tail');
    t.same((await edited([...records.slice(0, at(6)), ...records.slice(at(3))])).problems[0], 'entry 3 is there twice');
    const moved = records.with(at(6), records[at(9)] ?? '').with(at(9), records[at(6)] ?? '');
    t.same((await edited(moved)).problems, ['entry 6 was moved']);
    const changed = await edited(
      records.with(at(12), (records[at(12)] ?? '').replaceAll('because of 12', 'because of 99')),
    );
    t.equal(changed.code, 1);
    t.match(
      changed.problems[0],
      format === 'csv' ? /something in it was changed/ : /record 5 is not what was exported/,
    );
    t.match((await edited([...records, format === 'csv' ? '41,x' : '{"v":1}'])).problems, [/record 16 is not what/]);
    t.match((await verified('')).problems, { length: 15 });
  }
});

t.test(
  'an event of OCSF has the class, the verdict and the file of its entry, and the line that was signed',
  async (t) => {
    const { stdout } = await run('export', folder, '--format', 'ocsf', '--request', 'request-3');
    const event = JSON.parse(stdout);
    t.match(event, {
      category_uid: 6,
      class_uid: 6006,
      activity_id: 2,
      type_uid: 600_602,
      status_id: 1,
      action_id: 2,
      metadata: { version: '1.4.0', sequence: 3, correlation_uid: 'request-3' },
      file: { name: 'file-3.bin', type_id: 1 },
      policy: { name: 'rule-a' },
    });
    t.equal(event.time, Date.parse(JSON.parse(event.raw_data).time));
    const refused = JSON.parse(
      (await run('export', folder, '--format', 'ocsf', '--artefact', 'file-*.bin')).stdout || '{}',
    );
    t.same(refused, {}, 'uploads of another name');
  },
);

t.test('nothing is signed for a log that is not what was signed, or without its key', async (t) => {
  const path = join(folder, 'audit-000000000000.jsonl');
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, before.replace('because of 2"', 'because of 3"'));
  await t.rejects(run('export', folder, '--manifest', manifest), {
    code: 'LOG_CORRUPT',
    message: /entry 2 was changed/,
  });
  writeFileSync(path, before);
  const args = ['export', folder, '--manifest', manifest, '--keys', join(home, 'nothing')];
  await t.rejects(run(...args), { code: 'LOG_CORRUPT' });
  await t.rejects(run('export', folder, '--manifest', manifest, '--proofs'), { code: 'REQUEST_INVALID' });
});
