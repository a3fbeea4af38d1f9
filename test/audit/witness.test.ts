import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sha256, tree, verifyEd25519 } from '../../src/audit/digest.ts';
import { loadWitness } from '../../src/audit/keys.ts';
import { checkProof } from '../../src/audit/proof.ts';
import { askTree } from '../../src/audit/tiles.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { log as command } from '../../src/cli/log.ts';
import { openCheckpoint, parseNote, parseVerifierKey } from '../../src/merkle/checkpoint.ts';
import { cosignedAt, formatWitnessKey, parseWitnessKey } from '../../src/merkle/cosignature.ts';
import { createFrontier } from '../../src/merkle/frontier.ts';
import { runCommand } from '../support/command-io.ts';
import { startWorld } from '../support/world.ts';
import { decision, FIRST_SEGMENT, lines, openLog } from './support.ts';

const home = t.testdir({});
const folder = join(home, 'log');
const state = join(home, 'witness');
const write = async (count: number, root = home): Promise<string> => {
  const log = await openLog(root);
  for (let index = 0; index < count; index += 1) await log.append(decision(index));
  await log.close();
  return log.key;
};
const key = await write(20);
const look = (from = folder) =>
  runCommand(command.run, ['witness', from, '--state', state, '--name', 'witness.example', '--key', key]);
const verify = (from: string, ...args: string[]) => runCommand(command.run, ['verify', from, '--key', key, ...args]);

t.test('a witness signs what it saw, as C2SP says, and signs again what only grew', async (t) => {
  const first = await look();
  t.equal(first.code, 0);
  const witnessKey = /key: (\S+)/.exec(first.stderr)?.[1] ?? '';
  const parsed = parseWitnessKey(witnessKey, sha256);
  t.equal(formatWitnessKey(parsed), witnessKey);
  t.throws(() => parseWitnessKey(key, sha256), { code: 'FORMAT_INVALID' }, 'a log is no witness');
  t.throws(() => parseWitnessKey(witnessKey.replace('witness.', 'w1tness.'), sha256), { code: 'FORMAT_INVALID' });
  const seen = cosignedAt(first.stdout, parsed, verifyEd25519) ?? 0;
  t.ok(Math.abs(seen - Date.now() / 1000) < 60);
  t.equal(openCheckpoint(first.stdout, parseVerifierKey(key, sha256), verifyEd25519)?.size, 20);
  t.equal(cosignedAt(first.stdout.replace('\n20\n', '\n21\n'), parsed, verifyEd25519), undefined);
  const other = loadWitness(join(home, 'other'), 'witness.example').key;
  t.equal(cosignedAt(first.stdout, other, verifyEd25519), undefined, 'another key of the same name');
  await write(10);
  const second = await look();
  t.match(second, { code: 0, stdout: /\n30\n/ });
  t.equal((await look()).code, 0, 'the same once more');
  const kept = join(state, 'checkpoint');
  t.equal((await verify(folder, '--checkpoint', kept, '--witness', witnessKey)).code, 0);
  t.match(await verify(folder, '--witness', witnessKey), {
    code: 1,
    stdout: /no checkpoint that was given, or that is kept beside the log, is signed by/,
  });
  await t.rejects(runCommand(command.run, ['witness', folder, '--state', state]), { code: 'REQUEST_INVALID' });
});

t.test('a shorter log that is signed again with its own key is found with a witness, and only so', async (t) => {
  await write(5);
  t.equal((await look()).code, 0);
  const again = async (name: string, count: number, change = (line: string) => line): Promise<string> => {
    // Whoever runs the gateway has its key, and writes another history with it.
    const root = join(home, name);
    cpSync(join(home, 'keys'), join(root, 'keys'), { recursive: true });
    const kept = lines(join(folder, FIRST_SEGMENT)).slice(0, count).map(change);
    await write(0, join(root, 'seed'));
    cpSync(join(root, 'seed', 'log'), join(root, 'log'), { recursive: true });
    rmSync(join(root, 'seed'), { recursive: true });
    const { createLogWriter } = await import('../../src/audit/log-writer.ts');
    const { recover } = await import('../../src/audit/recover.ts');
    const { loadSigner } = await import('../../src/audit/keys.ts');
    const signer = loadSigner(join(root, 'keys'), parseVerifierKey(key, sha256).name, true);
    rmSync(join(root, 'log', 'checkpoint'));
    const log = join(root, 'log');
    const writer = createLogWriter(log, signer, recover(log, signer.key), { bytes: 1e9, age: 1e9 });
    writer.append(Buffer.from(kept.map((line) => `${line}\n`).join('')));
    writer.settle();
    await writer.checkpoint();
    writer.close();
    rmSync(join(log, 'checkpoints.jsonl'), { force: true });
    return log;
  };
  const shorter = await again('shorter', 12);
  t.match(await verifyLog({ path: shorter, key }), { ok: true, signed: 12 }, 'by itself it looks whole');
  t.match(await look(shorter), {
    code: 1,
    stdout: '',
    stderr: /a log of 12 entries is signed after one of 35 was seen/,
  });
  t.match(await verify(shorter, '--checkpoint', join(state, 'checkpoint')), { code: 1, stdout: /NOT AS SIGNED/ });
  const same = await again('same', 35, (line) => line.replace('because of 3', 'because of X'));
  t.match(await look(same), { code: 1, stderr: /two logs of 35 entries are signed with the same key/ });
  const before = readFileSync(join(state, 'checkpoint'), 'utf8');
  await write(6);
  const grown = await again('grown', 41, (line) => line.replace('because of 3', 'because of X'));
  t.match(await look(grown), { code: 1, stderr: /is not shown: it was written again/ });
  t.equal(readFileSync(join(state, 'checkpoint'), 'utf8'), before, 'nothing of it was signed');
  t.equal((await look()).code, 0, 'the true one goes on');
  writeFileSync(join(state, 'checkpoint'), 'something else');
  await t.rejects(look(), { code: 'STORE_CORRUPT' }, 'a witness that lost what it saw says so');
});

t.test('tiles of every level are the nodes of the tree; what was taken out is in no bundle', async (t) => {
  const large = join(home, 'large');
  const log = await openLog(large);
  await Promise.all(Array.from({ length: 700 }, (_, index) => log.append(decision(index))));
  await log.close();
  const directory = join(large, 'log');
  const leaves = Buffer.from(await askTree(directory, { kind: 'tile', level: 0, index: 1, width: 256 }));
  const frontier = createFrontier(tree);
  for (let at = 0; at < 256; at += 1) frontier.append(leaves.subarray(at * 32, at * 32 + 32));
  const upper = Buffer.from(await askTree(directory, { kind: 'tile', level: 1, index: 0, width: 2 }));
  t.same(upper.subarray(32), Buffer.from(frontier.root()));
  await t.rejects(askTree(directory, { kind: 'tile', level: 1, index: 0, width: 3 }), { code: 'NOT_FOUND' });
  const path = join(directory, FIRST_SEGMENT);
  const all = lines(path);
  writeFileSync(path, all.map((line, at) => (at === 300 ? '\n' : `${line}\n`)).join(''));
  await t.rejects(askTree(directory, { kind: 'entries', index: 1, width: 256 }), { message: /past their time/ });
  t.ok((await askTree(directory, { kind: 'entries', index: 2, width: 188 })).length > 188);
});

t.test('a running gateway gives its tree to witnesses and monitors', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 3 }, (_, at) => [`${at}.txt`, `text ${at}`]));
  const world = await startWorld(t, [{ name: 'acme/texts', files }]);
  for (const name of Object.keys(files)) await (await world.fetch(`acme/texts/resolve/main/${name}`)).arrayBuffer();
  const get = async (path: string) => fetch(`${world.url}/api/v1/log/${path}`);
  const bytes = async (path: string): Promise<Buffer> => Buffer.from(await (await get(path)).arrayBuffer());
  const own = readFileSync(join(world.data, 'log', 'key'), 'utf8').trim();
  const gatewayKey = parseVerifierKey(own, sha256);
  const settled = async (): Promise<string> => {
    for (let note = ''; ; ) {
      await new Promise((resolve) => setTimeout(resolve, 1200));
      const now = await (await get('checkpoint')).text();
      if (now === note) return now;
      note = now;
    }
  };
  const note = await settled();
  const newest = openCheckpoint(note, gatewayKey, verifyEd25519);
  if (newest === undefined) throw new Error('not signed');
  const { root, size } = newest;
  t.ok(size >= 8 && size < 256);
  const leaves = await bytes(`tile/0/000.p/${size}`);
  t.equal(leaves.length, size * 32);
  const frontier = createFrontier(tree);
  for (let at = 0; at < size; at += 1) frontier.append(leaves.subarray(at * 32, at * 32 + 32));
  t.same(Buffer.from(frontier.root()), Buffer.from(root), 'tiles make the root');
  const bundle = await bytes(`tile/entries/000.p/${size}`);
  const entries: Buffer[] = [];
  for (let at = 0; at < bundle.length; at += 2 + bundle.readUInt16BE(at))
    entries.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
  t.equal(entries.length, size);
  for (const [at, entry] of entries.entries())
    t.same(Buffer.from(tree.leaf(entry)), leaves.subarray(at * 32, at * 32 + 32));
  const [, entry = ''] = entries.map(String);
  t.match(checkProof(await (await get('inclusion?entry=1')).text(), entry, gatewayKey), { ok: true });
  const witnessed = () => {
    const where = ['--gateway', world.url, '--state', join(home, 'remote')];
    return runCommand(command.run, ['witness', ...where, '--name', 'remote.example', '--key', own]);
  };
  t.match(await witnessed(), { code: 0 });
  await settled();
  const later = await witnessed();
  t.equal(later.code, 0, later.stderr);
  t.ok(parseNote(later.stdout).checkpoint.size > size);
  for (const [path, status] of [
    ['inclusion', 400],
    ['inclusion?entry=999999', 404],
    ['consistency?from=x', 400],
    ['consistency?from=999999', 404],
    ['tile/0/001', 404],
    ['tile/1/000', 404],
    ['tile/0/000.p/256', 400],
    ['tile/0/000.p/0', 400],
    ['tile/7/000', 400],
    ['tile/00/000', 400],
    ['tile/0/x12/000', 400],
    ['tile/entries/x001/000', 404],
  ] as const)
    t.equal((await get(path)).status, status, path);
  t.ok(
    (await world.entries()).some(({ detail, kind }) => kind === 'log.read' && detail.found === size),
    'reads are entered',
  );
});
