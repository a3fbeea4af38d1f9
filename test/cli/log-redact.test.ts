import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sha256 } from '../../src/audit/digest.ts';
import { checkProof, inclusionProof } from '../../src/audit/proof.ts';
import { type ReadEntry, readEntries } from '../../src/audit/reader.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { log } from '../../src/cli/log.ts';
import { parseVerifierKey } from '../../src/merkle/checkpoint.ts';
import { decision, ORIGIN, openLog } from '../audit/support.ts';
import { runCommand } from '../support/command-io.ts';
import { startWorld } from '../support/world.ts';

const home = t.testdir({ 'w.yaml': `log: { origin: ${ORIGIN} }\n` });
const folder = join(home, 'log');
const redact = (...args: readonly string[]) =>
  runCommand(log.run, ['redact', ...args, '--data', home, '--config', join(home, 'w.yaml')]);
const all = async (): Promise<readonly ReadEntry[]> => {
  const found: ReadEntry[] = [];
  for await (const one of readEntries(folder)) found.push(one);
  return found;
};

t.test('one entry goes, and the log, its proofs and checkpoints verify as before', async (t) => {
  const writer = await openLog(home);
  for (let index = 0; index < 9; index += 1) await writer.append(decision(index));
  await writer.close();
  const kept = join(home, 'kept');
  copyFileSync(join(folder, 'checkpoint'), kept);
  const key = readFileSync(join(folder, 'key'), 'utf8').trim();
  const before = await all();
  const proofs = [3, 4].map((index) => inclusionProof(folder, index));

  await t.rejects(redact('3'), /--reason says why/);
  await t.rejects(redact('--reason', 'r'), /takes one entry/);
  await t.rejects(redact('99', '--reason', 'r'), { code: 'NOT_FOUND' });
  await t.rejects(redact('not-an-id', '--reason', 'r'), { code: 'NOT_FOUND' });
  t.match(await redact('3', '--reason', 'INC-9'), { code: 0, stdout: /^entry 3 \(artefact\.decision/ });
  t.match((await redact(before[5]?.entry.id ?? '', '--reason', 'INC-9')).stdout, /^entry 5 /);
  await t.rejects(redact('3', '--reason', 'again'), { code: 'NOT_FOUND' });
  const said = (await all()).filter(({ entry }) => entry.kind === 'log.thinned');
  t.match(
    said.map(({ entry }) => entry.detail),
    [
      { entry: 3, reason: 'INC-9', removed: 1 },
      { entry: 5, reason: 'INC-9', removed: 1 },
    ],
  );
  t.ok(said.every(({ entry }) => entry.actor?.startsWith('p_')));
  await t.rejects(redact(String(said[0]?.index), '--reason', 'hide it'), { code: 'REQUEST_INVALID' });

  const left = (await all()).map(({ index }) => index);
  t.notOk(left.includes(3) || left.includes(5));
  t.ok([0, 1, 2, 4, 6, 7, 8].every((index) => left.includes(index)));
  const verdict = await verifyLog({ path: folder, key, checkpoints: [kept] });
  t.match(verdict, { ok: true, problems: [] });
  const verifier = parseVerifierKey(key, sha256);
  for (const [at, proof] of proofs.entries())
    t.match(checkProof(proof, before[at + 3]?.line ?? '', verifier), { ok: true }, 'a proof that was kept');
});

t.test('while a gateway writes the log nothing is taken out', async (t) => {
  const world = await startWorld(t, []);
  await t.rejects(runCommand(log.run, ['redact', '0', '--reason', 'r', '--data', world.data]), /a gateway runs on/);
});
