import { copyFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/audit/digest.ts';
import { listSegments } from '../../src/audit/layout.ts';
import { openLogIndex } from '../../src/audit/log-index.ts';
import { checkProof, consistencyProof, inclusionProof } from '../../src/audit/proof.ts';
import { type ReadEntry, readEntries } from '../../src/audit/reader.ts';
import { thinLog } from '../../src/audit/retention.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { exportLog } from '../../src/cli/log/export.ts';
import { parseVerifierKey } from '../../src/merkle/checkpoint.ts';
import { runCommand } from '../support/command-io.ts';
import { decision, lines, openLog, outcome } from './support.ts';

const DAY = 86_400_000;
const home = t.testdir({});
const folder = join(home, 'log');
const RETENTION = { keep: 400 * DAY, keepDecisions: 3650 * DAY };
const verified = async (path = folder, checkpoints: string[] = []) =>
  verifyLog({ path, key: readFileSync(join(folder, 'key'), 'utf8').trim(), checkpoints });
const all = async (): Promise<readonly ReadEntry[]> => {
  const found: ReadEntry[] = [];
  for await (const one of readEntries(folder)) found.push(one);
  return found;
};

t.test('what is past its time goes, and everything that was signed holds as before', async (t) => {
  const log = await openLog(home, { rotate: 5000, checkpointInterval: 5 });
  for (let index = 0; index < 30; index += 1) {
    await log.append(decision(index));
    await log.append(outcome(index));
  }
  await log.close();
  const kept = join(home, 'kept');
  copyFileSync(join(folder, 'checkpoint'), kept);
  const key = parseVerifierKey(log.key, sha256);
  const old = (await all())[3];
  if (old === undefined) throw new Error('no entry');
  const proof = inclusionProof(folder, 3);
  const segments = listSegments(folder).length;
  t.ok(segments > 3);

  const now = Date.now();
  const again = await openLog(home, { rotate: 5000, checkpointInterval: 5 });
  t.same(await thinLog(folder, again, RETENTION, now + 399 * DAY), [], 'nothing before its time');
  const held = ({ artefact }: { artefact?: { path: string } }) => artefact?.path === 'file-5.bin';
  const index = openLogIndex(folder);
  t.equal(await index.catchUp(), again.size);
  const thinned = await thinLog(folder, again, { ...RETENTION, held }, now + 401 * DAY);
  t.equal(thinned.length, segments - 1);
  await again.close();
  const left = (await all()).map(({ entry }) => `${entry.kind} ${entry.artefact?.path}`);
  t.ok(left.includes('artefact.decision file-0.bin'), 'decisions stay');
  t.notOk(left.includes('artefact.outcome file-0.bin'), 'outcomes go');
  t.ok(left.includes('artefact.outcome file-5.bin'), 'but not under a legal hold');
  t.ok(left.includes('artefact.outcome file-29.bin'), 'nor out of the open segment');

  const verdict = await verified(folder, [kept]);
  t.match(verdict, { ok: true, problems: [] });
  t.match(
    verdict.notices.join('\n'),
    /\d+ entries were taken out, as the log says, and are known by their leaf hashes only/,
  );
  t.match(checkProof(proof, old.line, key), { ok: true }, 'a proof that was kept');
  t.match(checkProof(inclusionProof(folder, 2), (await all())[1]?.line ?? '', key), { ok: true }, 'and one made now');
  t.match(checkProof(inclusionProof(folder, 3), old.line, key), { ok: true }, 'even of what was taken out');
  t.match(checkProof(consistencyProof(folder, readFileSync(kept, 'utf8')), readFileSync(kept, 'utf8'), key), {
    ok: true,
  });

  await index.catchUp();
  const page = await index.search({ artefact: 'models/org/name/file-9.bin' }, { limit: 10 });
  t.same(
    page.entries.map(({ entry }) => entry.kind),
    ['artefact.decision'],
    'the index finds entries where they are now',
  );
  index.close();
  const manifest = join(home, 'manifest');
  const { code, stdout } = await runCommand(exportLog, [folder, '--kind', 'artefact.decision', '--manifest', manifest]);
  t.equal(code, 0, stdout);
  t.equal(stdout.split('\n').length, 31);
});

t.test('after ten years decisions go as well; what was said of it stays', async (t) => {
  const log = await openLog(home, { rotate: 5000 });
  t.ok((await thinLog(folder, log, RETENTION, Date.now() + 3651 * DAY)).length > 2);
  t.same(await thinLog(folder, log, RETENTION, Date.now() + 3651 * DAY), [], 'once');
  await log.close();
  const kinds = (await all()).map(({ entry }) => entry.kind);
  t.ok(kinds.includes('log.thinned'));
  t.notOk((await all()).some(({ entry }) => entry.artefact?.path === 'file-0.bin'));
  t.match(await verified(), { ok: true });
  const reopened = await openLog(home);
  await reopened.append(decision(99));
  await reopened.close();
  t.match(await verified(), { ok: true });
});

t.test('what is taken out and not said, or said and then more of it, is found', async (t) => {
  const copy = (name: string): string => {
    cpSync(folder, join(home, name), { recursive: true });
    return join(home, name);
  };
  const emptied = (path: string, wanted: (line: string) => boolean): void => {
    const content = lines(path).map((line) => (wanted(line) ? '' : line));
    writeFileSync(path, content.map((line) => `${line}\n`).join(''));
  };
  const last = (path: string): string => listSegments(path).at(-1)?.entries ?? '';
  const silent = copy('silent');
  emptied(last(silent), (line) => line.includes('file-99.bin'));
  t.match(await verified(silent), { ok: false, problems: [{ kind: 'removed', text: /taken out, no entry says so/ }] });

  const fresh = join(home, 'fresh');
  const log = await openLog(fresh, { rotate: 3000 });
  for (let index = 0; index < 20; index += 1) await log.append(index % 2 === 0 ? decision(index) : outcome(index));
  await thinLog(join(fresh, 'log'), log, RETENTION, Date.now() + 401 * DAY);
  await log.close();
  const more = join(fresh, 'log');
  const key = readFileSync(join(more, 'key'), 'utf8').trim();
  t.match(await verifyLog({ path: more, key }), { ok: true });
  const [segment] = listSegments(more);
  emptied(segment?.entries ?? '', (line) => line.includes('file-0.bin'));
  t.match(await verifyLog({ path: more, key }), {
    ok: false,
    problems: [{ kind: 'removed', text: /not as the entry about it says/ }],
  });
  const wrong = await openLog(fresh, { rotate: 3000 });
  writeFileSync(
    segment?.entries ?? '',
    readFileSync(segment?.entries ?? '', 'utf8').replace('file-2.bin', 'file-X.bin'),
  );
  await t.rejects(
    thinLog(more, wrong, RETENTION, Date.now() + 4000 * DAY),
    { code: 'LOG_CORRUPT' },
    'evidence is kept',
  );
  await wrong.close();
});

t.test('a segment ends by its age as well', async (t) => {
  const aged = join(home, 'aged');
  const log = await openLog(aged, { rotateAge: 1 });
  for (let index = 0; index < 3; index += 1) {
    await log.append(decision(index));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await log.close();
  t.equal(listSegments(join(aged, 'log')).length, 3);
  t.match(await verifyLog({ path: join(aged, 'log'), key: log.key }), { ok: true });
  t.ok(existsSync(join(aged, 'log', 'checkpoint')));
});
