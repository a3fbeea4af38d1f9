import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { sha256, verifyEd25519 } from '../../src/audit/digest.ts';
import { loadWitness } from '../../src/audit/keys.ts';
import { createLogSearch } from '../../src/audit/log-search.ts';
import { checkProof } from '../../src/audit/proof.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { loadConfig } from '../../src/config.ts';
import { openPosts, type PostSettings } from '../../src/gateway/streams/post.ts';
import { openCheckpoint, parseNote, parseVerifierKey } from '../../src/merkle/checkpoint.ts';
import { cosignatureLine, cosignedAt, cosignedText, formatWitnessKey } from '../../src/merkle/cosignature.ts';
import { decision, openLog } from '../audit/support.ts';
import { createMemoryRecords } from '../support/memory-records.ts';
import { answering } from '../support/wire.ts';

type Tap = { teardown(end: () => unknown): void };

const listen = async (t: Tap, listener: Parameters<typeof answering>[0]): Promise<string> => {
  const server = createServer(answering(listener)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; !holds(); turn += 1) {
    if (turn > 1000) throw new Error('it did not come');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

/** A witness as C2SP tlog-witness has it, for the log of this key; what it has seen can be set from outside. */
const startWitness = async (t: Tap, folder: string, logKey: string) => {
  const signer = loadWitness(folder, 'witness.example');
  const key = parseVerifierKey(logKey, sha256);
  const state = { seen: '', asked: [] as string[], statuses: [] as number[] };
  const judge = (body: string): [number, string] => {
    const old = /^old (\d+)\n/.exec(body)?.[1] ?? '';
    const note = body.slice(body.indexOf('\n\n') + 2);
    const newest = openCheckpoint(note, key, verifyEd25519);
    if (newest === undefined) return [403, ''];
    const size = state.seen === '' ? 0 : parseNote(state.seen).checkpoint.size;
    if (Number(old) !== size) return [409, `${size}\n`];
    if (size > 0 && !checkProof(body, state.seen, key).ok) return [422, ''];
    state.seen = note;
    const time = Math.floor(Date.now() / 1000);
    return [200, cosignatureLine(signer.key, time, signer.sign(cosignedText(time, parseNote(note).text)))];
  };
  const url = await listen(t, async (request, response) => {
    const body = await text(request);
    state.asked.push(`${request.method} ${request.url}`);
    const [status, said] = judge(body);
    state.statuses.push(status);
    response.writeHead(status, { 'content-type': status === 409 ? 'text/x.tlog.size' : 'text/plain' }).end(said);
  });
  return { url: `${url}/w`, key: signer.key, state };
};

const start = async (t: Tap, home: string) => {
  const log = await openLog(home);
  const directory = join(home, 'log');
  const search = createLogSearch(directory);
  const records = createMemoryRecords();
  const told: (string | undefined)[] = [];
  t.teardown(async () => {
    await search.close();
    await log.close();
  });
  const open = (settings: readonly PostSettings[]) =>
    openPosts(settings, { directory, log, search, records, tell: (_post, problem) => told.push(problem), pause: 20 });
  const append = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) await log.append(decision(index));
  };
  return { append, directory, log, open, told };
};

t.test('a witness signs each checkpoint that it is sent, and the log is verified with its word', async (t) => {
  const home = t.testdir({});
  const { append, directory, log, open, told } = await start(t, home);
  const witness = await startWitness(t, join(home, 'witness'), log.key);
  const kept = join(directory, 'cosigned-outside');
  const settings = [{ name: 'outside', url: witness.url, witness: formatWitnessKey(witness.key), every: 30 }];
  await append(3);
  const first = await open(settings);
  const sizeOf = (): number => (existsSync(kept) ? parseNote(readFileSync(kept, 'utf8')).checkpoint.size : 0);
  await until(() => sizeOf() >= 3);
  await append(4);
  await until(() => sizeOf() >= 7);
  t.ok(cosignedAt(readFileSync(kept, 'utf8'), witness.key, verifyEd25519));
  t.ok(witness.state.asked.every((one) => one === 'POST /w/add-checkpoint'));
  t.same([...new Set(witness.state.statuses)], [200], 'each time it is told what it has seen');
  await first.close();

  // A witness that lost its memory, and one that saw more than was kept here.
  witness.state.seen = '';
  await append(2);
  const second = await open(settings);
  await until(() => sizeOf() >= 9);
  t.same(witness.state.statuses.slice(-2), [409, 200]);
  await second.close();
  t.same(told, []);
  const verdict = await verifyLog({ path: directory, key: log.key, witness: witness.key });
  t.match(verdict, { ok: true, problems: [] });
  t.match(verdict.notices.join('\n'), /the witness witness\.example saw 9 entries at 20\d\d-/);
  const stranger = loadWitness(join(home, 'stranger'), 'witness.example').key;
  t.match(await verifyLog({ path: directory, key: log.key, witness: stranger }), {
    ok: false,
    problems: [{ text: /kept beside the log, is signed by the witness/ }],
  });

  const cut = join(home, 'cut');
  cpSync(directory, cut, { recursive: true });
  const segment = join(cut, 'audit-000000000000.jsonl');
  truncateSync(segment, readFileSync(segment).indexOf(10) + 1);
  rmSync(join(cut, 'checkpoints.jsonl'), { force: true });
  t.match(await verifyLog({ path: cut, key: log.key, witness: witness.key }), {
    ok: false,
    problems: [{ kind: 'cut' }],
  });

  witness.state.seen = witness.state.seen.replace(/\n9\n/, '\n99\n');
  await append(1);
  const third = await open(settings);
  await until(() => told.length > 0);
  t.match(told, [/has seen more entries of this log than there are/]);
  await third.close();
  t.equal(sizeOf(), 9, 'nothing is kept that is not signed');
});

t.test(
  'a checkpoint that does not go on from what the witness has seen is answered 422, told of once and not kept',
  async (t) => {
    const home = t.testdir({ mine: {}, again: {} });
    const [mine, again] = [join(home, 'mine'), join(home, 'again')];
    const right = await start(t, mine);
    const witness = await startWitness(t, join(home, 'witness'), right.log.key);
    const settings = [{ name: 'outside', url: witness.url, witness: formatWitnessKey(witness.key), every: 30 }];
    await right.append(3);
    const posts = await right.open(settings);
    await until(() => existsSync(join(right.directory, 'cosigned-outside')));
    await posts.close();
    const seen = witness.state.seen;

    // Whoever has the key writes the log again with other entries: every signature is good, and the tree is another.
    cpSync(join(mine, 'keys'), join(again, 'keys'), { recursive: true });
    const wrong = await start(t, again);
    t.equal(wrong.log.key, right.log.key);
    for (let index = 0; index < 5; index += 1) await wrong.log.append(decision(100 + index));
    const others = await wrong.open(settings);
    await until(() => witness.state.statuses.filter((status) => status === 422).length >= 3);
    await others.close();
    t.same(wrong.told, ['the witness witness.example does not find its entries in this log: it was written again']);
    t.notOk(existsSync(join(wrong.directory, 'cosigned-outside')), 'nothing is kept that is not signed');
    t.equal(witness.state.seen, seen);

    // A key of its own: the witness does not know it.
    const stranger = await start(t, join(home, 'stranger'));
    await stranger.append(1);
    const third = await stranger.open(settings);
    await until(() => stranger.told.length > 0);
    await third.close();
    t.match(stranger.told, [/does not know the key of this log/]);
  },
);

t.test(
  'elsewhere checkpoints arrive as they are, after faults and restarts too, and no more often than was set',
  async (t) => {
    const home = t.testdir({});
    const { append, log, open, told } = await start(t, home);
    const taken: { note: string; at: number }[] = [];
    let [turn, authorization] = [0, ''];
    const url = await listen(t, async (request, response) => {
      const note = await text(request);
      turn += 1;
      authorization = String(request.headers.authorization);
      if (turn > 2) taken.push({ note, at: Date.now() });
      response.writeHead(turn > 2 ? 204 : 503).end();
    });
    const settings = (every: number) => [{ name: 'elsewhere', url: `${url}/checkpoints`, token: 'a-token', every }];
    await append(2);
    const first = await open(settings(1500));
    await until(() => taken.length === 1 && told.length === 2);
    t.match(told, [/answers 503/, undefined], 'told once, and when it goes on');
    t.equal(authorization, 'Bearer a-token');
    const key = parseVerifierKey(log.key, sha256);
    t.equal(openCheckpoint(taken[0]?.note ?? '', key, verifyEd25519)?.size, 2);
    await append(1);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await append(1);
    await until(() => taken.length === 2);
    t.ok((taken[1]?.at ?? 0) - (taken[0]?.at ?? 0) >= 1400, 'one in the time that was set');
    await first.close();
    const sent = taken.length;
    const second = await open(settings(50));
    await append(1);
    await until(() => taken.some(({ note }) => parseNote(note).checkpoint.size === 5));
    t.ok(taken.length - sent <= 3, 'what has arrived is not sent again');
    await second.close();
  },
);

t.test('settings of a post are checked', async (t) => {
  const load = (post: unknown) =>
    loadConfig({ file: join(t.testdir({ 'w.yaml': JSON.stringify({ log: { post } }) }), 'w.yaml'), env: {} }).log.post;
  const good = { name: 'a', url: 'https://witness.example/w', every: '5m' };
  t.match(load([good]), [{ ...good, every: 300_000 }]);
  t.match(load([{ name: 'a', url: good.url }]), [{ every: 60_000 }]);
  for (const wrong of [{ name: 'a/b' }, { url: 'ftp://x' }, { witness: 'w+0+x' }, { every: 'often' }, { other: 1 }])
    t.throws(() => load([{ ...good, ...wrong }]), { code: 'CONFIG_INVALID' }, JSON.stringify(wrong));
});
