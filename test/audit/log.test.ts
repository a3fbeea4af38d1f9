import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatEntry, MAX_ENTRY, parseEntry } from '../../src/audit/entry.ts';
import { uuidv7 } from '../../src/audit/identifiers.ts';
import { loadSigner } from '../../src/audit/keys.ts';
import { createLogQueue, type Outcome } from '../../src/audit/log-queue.ts';
import { createLogWriter, type LogDisk } from '../../src/audit/log-writer.ts';
import { recover } from '../../src/audit/recover.ts';
import { redact } from '../../src/audit/redact.ts';
import type { Entry } from '../../src/audit/types.ts';
import { verifyLog } from '../../src/audit/verify.ts';
import { parseNote } from '../../src/merkle/checkpoint.ts';
import { decision, FIRST_SEGMENT, lines, ORIGIN, openLog, outcome } from './support.ts';

const STAMP = { id: uuidv7(1_700_000_000_000), time: 1_700_000_000_000, node: 'n' };

t.test('an entry is one line of JSON in fixed order, whatever its values hold', async (t) => {
  const hostile = 'a\n{"v":1}\r\u0000\u007f\u0085\u2028\u202e\u2066\u061c\ufeff\ud800';
  const line = formatEntry(
    { kind: 'listing', detail: { text: hostile }, request: { route: '/', method: 'GET', id: 'r' } },
    STAMP,
  );
  t.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u061c\u2028-\u202e\u2066-\u2069\ufeff]/);
  t.equal(parseEntry(line)?.detail?.['text'], hostile.replace('\ud800', '\ud800'));
  t.equal(line.slice(0, 24), `{"v":1,"id":"${STAMP.id.slice(0, 11)}`);
  t.match(line, /"time":"2023-11-14T22:13:20\.000Z","node":"n","kind":"listing","request":\{"id":"r","method":"GET"/);
  t.match(STAMP.id, /^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(new Set(Array.from({ length: 5000 }, () => uuidv7(1))).size, 5000);
});

t.test('an entry is never longer than the limit, and says when it was cut', async (t) => {
  const long = '\u{1f600}'.repeat(50_000);
  const path = { ...decision(1).artefact!, path: long, repo: long };
  const line = formatEntry({ ...decision(1), artefact: path, detail: { a: long, b: '\u2028'.repeat(9999) } }, STAMP);
  t.ok(Buffer.byteLength(line) <= MAX_ENTRY);
  t.match(parseEntry(line), { truncated: true, artefact: { path: /more\)$/ } });
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`key${index}`, index]));
  t.throws(() => formatEntry({ kind: 'listing', detail: many }, STAMP), { code: 'LIMIT_EXCEEDED' });
});

t.test('no secret gets into the log, wherever it stands', async (t) => {
  const canaries = [
    'hf_CanaryCanaryCanaryCanaryCanary1234',
    'npm_CanaryCanaryCanaryCanaryCanary123456',
    'pypi-AgEIcHlwaS5vcmcCJDAwMDAcanary',
    'ghp_CanaryCanaryCanaryCanaryCanary123456',
    'AKIACANARYCANARYCANA',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl',
  ];
  const texts = [
    ...canaries.flatMap((token) => [token, `x ${token} y`, `https://h/p?token=${token}`, `https://u:${token}@h/p`]),
    'Authorization: Bearer canary-canary-1',
    'authorization=Basic Y2FuYXJ5OmNhbmFyeQ==',
    'sent with bearer canary-canary-2',
    'Cookie: session=canary3; other=canary4',
    'https://cdn.example/x?X-Amz-Signature=canary5&X-Amz-Credential=canary6%2Fus&x=1',
    'https://cdn.example/x?Expires=canary7&Signature=canary8~&Key-Pair-Id=canary9#canarynot',
    'https://acc.blob.example/x?sv=canary10&sig=canary11%3D',
    'https://user:canary12@host/path',
  ];
  for (const text of texts) {
    const line = formatEntry(
      { kind: 'artefact.head', detail: { text }, decision: { action: 'deny', rule: 'r', reason: text } },
      STAMP,
    );
    t.notMatch(line, /canary(?!not)/i, text);
    t.ok(parseEntry(line), 'it is still JSON');
  }
  const harmless = 'models/org/hf_config-basic?download=true: sk-learn, tokenizer.json, basic usage, key: value';
  t.equal(redact(harmless), harmless);
});

t.test('entries get dense indices, are on the disk when append resolves, and verify', async (t) => {
  const root = t.testdir({});
  const log = await openLog(root, { checkpointInterval: 20 });
  t.match(parseNote(log.checkpoint()).checkpoint, { origin: ORIGIN, size: 0 });
  const indices = await Promise.all(Array.from({ length: 2000 }, (_, index) => log.append(decision(index))));
  t.same(
    indices,
    Array.from({ length: 2000 }, (_, index) => index),
  );
  t.equal(lines(join(root, 'log', FIRST_SEGMENT)).length, 2000);
  log.enqueue(outcome(0));
  t.equal(await log.append(outcome(1)), 2001);
  const refused = { status: 403, bytes: 0, release: 'refused' as const, complete: true };
  t.equal(await log.append({ ...decision(2000), served: refused }), 2002, 'a refusal is its own outcome');
  t.equal(log.size, 2003);
  await log.close();
  t.equal(parseNote(log.checkpoint()).checkpoint.size, 2003);
  await t.rejects(log.append(decision(1)), { code: 'LOG_UNAVAILABLE' });
  t.throws(() => log.enqueue(decision(1)), { code: 'LOG_UNAVAILABLE' });
  const verdict = await verifyLog({ path: join(root, 'log'), key: log.key });
  t.match(verdict, { ok: true, entries: 2003, signed: 2003 });
  t.ok(verdict.notices.includes('1998 decisions have no outcome yet'));
  for (const key of readdirSync(join(root, 'keys'))) t.equal(statSync(join(root, 'keys', key)).mode & 0o777, 0o600);
  t.equal(readFileSync(join(root, 'log', 'key'), 'utf8').trim(), log.key);
});

t.test('a restart goes on where the log ended, over segments', async (t) => {
  const root = t.testdir({});
  for (let round = 0; round < 4; round += 1) {
    const log = await openLog(root, { rotate: 20_000, checkpointInterval: 5 });
    t.equal(log.size, round * 100);
    for (let index = 0; index < 100; index += 1) await log.append(decision(index));
    await log.close();
  }
  const log = await openLog(root);
  t.ok(readdirSync(join(root, 'log')).filter((name) => name.endsWith('.jsonl')).length > 4);
  t.match(await verifyLog({ path: join(root, 'log'), key: log.key }), { ok: true, entries: 400, signed: 400 });
  await log.close();
  await t.rejects(openLog(root, { origin: 'another/log' }), { code: 'LOG_CORRUPT' }, 'a log keeps its name');
});

t.test('pseudonyms are keyed, stable over restarts, and handed over once', async (t) => {
  const root = t.testdir({});
  const told: string[][] = [];
  const options = { remember: (pseudonym: string, value: string) => void told.push([pseudonym, value]) };
  const log = await openLog(root, options);
  const one = log.pseudonym('alice@example.org');
  t.match(one, /^p_[0-9a-f]{24}$/);
  t.equal(log.pseudonym('alice@example.org'), one);
  t.not(log.pseudonym('bob@example.org'), one);
  t.same(told, [
    [one, 'alice@example.org'],
    [log.pseudonym('bob@example.org'), 'bob@example.org'],
  ]);
  await log.close();
  const again = await openLog(root, options);
  t.equal(again.pseudonym('alice@example.org'), one);
  await again.close();
  const other = await openLog(t.testdir({}));
  t.not(other.pseudonym('alice@example.org'), one, 'another key, another pseudonym');
  await other.close();
});

t.test('a torn tail beyond the checkpoint is cut off and said', async (t) => {
  for (const tail of ['{"v":1,"id":"half', '\0'.repeat(100), 'no entry\n{"v":1}\n']) {
    const root = t.testdir({});
    const file = join(root, 'log', FIRST_SEGMENT);
    const log = await openLog(root);
    for (let index = 0; index < 10; index += 1) await log.append(decision(index));
    await log.close();
    appendFileSync(file, tail);
    const again = await openLog(root);
    t.equal(await again.append(decision(99)), 11);
    t.match(parseEntry(lines(file)[10]!), { kind: 'log.recovered', detail: { droppedBytes: tail.length, entry: 10 } });
    await again.close();
    t.match(await verifyLog({ path: join(root, 'log'), key: log.key }), { ok: true, entries: 12 });
    rmSync(root, { recursive: true });
  }
});

t.test('a log that is not what was signed does not open', async (t) => {
  const tamper: Record<string, (folder: string) => void> = {
    'a byte changed': (folder) => {
      const path = join(folder, FIRST_SEGMENT);
      writeFileSync(path, readFileSync(path, 'utf8').replace('because of 3', 'because of 4'));
    },
    'the tail cut': (folder) => truncateSync(join(folder, FIRST_SEGMENT), 1000),
    'all entries removed': (folder) => rmSync(join(folder, FIRST_SEGMENT)),
    'the checkpoint removed': (folder) => rmSync(join(folder, 'checkpoint')),
    'the checkpoint edited': (folder) => {
      const path = join(folder, 'checkpoint');
      writeFileSync(path, readFileSync(path, 'utf8').replace('\n10\n', '\n9\n'));
    },
    'the checkpoint empty': (folder) => writeFileSync(join(folder, 'checkpoint'), ''),
    'the key removed': (folder) => rmSync(join(folder, '..', 'keys', 'log.ed25519.pem')),
    'the key replaced': (folder) => writeFileSync(join(folder, '..', 'keys', 'log.ed25519.pem'), 'no key'),
  };
  for (const [what, change] of Object.entries(tamper)) {
    const root = t.testdir({});
    const log = await openLog(root);
    for (let index = 0; index < 10; index += 1) await log.append(decision(index));
    await log.close();
    change(join(root, 'log'));
    await t.rejects(openLog(root), { code: 'LOG_CORRUPT' }, what);
    rmSync(root, { recursive: true });
  }
});

t.test('kill -9 loses nothing that was acknowledged', async (t) => {
  const root = t.testdir({});
  const module = new URL('../../src/audit/access-log.ts', import.meta.url).href;
  const program = join(root, 'child.mjs');
  writeFileSync(
    program,
    `const { createAccessLog } = await import(${JSON.stringify(module)});
     const log = await createAccessLog({ directory: ${JSON.stringify(join(root, 'log'))}, origin: '${ORIGIN}', checkpointInterval: 50, rotate: 50000 });
     const enough = Number(process.argv[2]);
     let last = -1;
     let killing = false;
     const acknowledged = (index) => {
       last = index;
       if (killing || index < enough) return;
       killing = true;
       process.stdout.write(String(last), () => process.kill(process.pid, 'SIGKILL'));
     };
     for (let i = 0; ; i += 1) { void log.append({ kind: 'listing', detail: { i } }).then(acknowledged); if (i % 50 === 49) await new Promise((r) => setTimeout(r, 1)); }`,
  );
  // Each life ends at an acknowledgement, not at a time: a slow machine may not have given one by then.
  for (const enough of [0, 2000, 12_000]) {
    const child = spawn(process.execPath, [program, String(enough)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    child.stdout.on('data', (chunk) => (told += chunk));
    const [, signal] = await once(child, 'close');
    t.equal(signal, 'SIGKILL');
    const log = await openLog(root);
    t.ok(told !== '' && Number(told) >= enough && log.size > Number(told), `${told} acknowledged, ${log.size} there`);
    await log.close();
    t.match(await verifyLog({ path: join(root, 'log'), key: log.key }), { ok: true });
  }
});

t.test(
  'a disk that fails: what was waited for is refused, what was queued is written later, in whole lines',
  async (t) => {
    const outcomes: (Outcome | undefined)[] = [
      undefined,
      { failure: 'ENOSPC', final: false },
      { failure: 'ENOSPC', final: false },
    ];
    const written: string[] = [];
    const queue = createLogQueue(async (batch) => {
      const outcome = outcomes.shift() ?? { first: written.length };
      if ('first' in outcome) written.push(...batch.split('\n').slice(0, -1));
      return outcome;
    });
    t.equal(await queue.append('a'), 0);
    queue.enqueue('b');
    await t.rejects(queue.append('c'), { code: 'LOG_UNAVAILABLE' });
    queue.enqueue('d');
    t.equal(await queue.append('e').catch(() => queue.append('e2')), 3);
    t.same(written, ['a', 'b', 'd', 'e2']);
    outcomes.push({ failure: 'EIO', final: true });
    await t.rejects(queue.append('f'), { code: 'LOG_UNAVAILABLE' });
    await t.rejects(queue.append('g'), { code: 'LOG_UNAVAILABLE' });
    t.throws(() => queue.enqueue('h'), { code: 'LOG_UNAVAILABLE' });
    await queue.drain();
  },
);

t.test('the queue is bounded and refuses instead of dropping', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let batches = 0;
  const queue = createLogQueue(() => (++batches === 1 ? promise : Promise.resolve({ first: 1 })));
  const first = queue.append('first');
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  let accepted = 0;
  t.throws(
    () => {
      for (; accepted < 100_000; accepted += 1) queue.enqueue('x');
    },
    { code: 'LOG_UNAVAILABLE' },
  );
  t.equal(accepted, 65_536);
  await t.rejects(queue.append('late'), { code: 'LOG_UNAVAILABLE' });
  resolve({ first: 0 });
  t.equal(await first, 0);
  await queue.drain();
  t.equal(batches, 1 + 65_536 / 4096);
});

t.test('half a batch is taken off the file again; after a failed sync only a restart goes on', async (t) => {
  const root = t.testdir({ log: {} });
  const folder = join(root, 'log');
  const signer = loadSigner(join(root, 'keys'), ORIGIN, false);
  let failing = '';
  const failure = (code: string): Error => Object.assign(new Error(code), { code });
  const faulty: LogDisk = {
    ...fs,
    writeSync: ((file: number, bytes: Uint8Array, offset: number, length: number) => {
      if (failing !== 'write') return fs.writeSync(file, bytes, offset, length);
      fs.writeSync(file, bytes, offset, 7);
      throw failure('ENOSPC');
    }) as typeof fs.writeSync,
    fdatasyncSync: (file) => {
      if (failing === 'sync') throw failure('EIO');
      fs.fdatasyncSync(file);
    },
  };
  const line = (index: number): Buffer => Buffer.from(`${formatEntry(decision(index), STAMP)}\n`);
  const writer = createLogWriter(folder, signer, recover(folder, signer.key), { bytes: 1e9, age: 1e9 }, faulty);
  await writer.checkpoint();
  t.equal(writer.append(line(0)), 0);
  writer.settle();
  failing = 'write';
  t.throws(() => writer.append(line(1)), { code: 'LOG_UNAVAILABLE', details: { final: false } });
  failing = '';
  t.equal(writer.append(Buffer.concat([line(2), line(3)])), 1);
  writer.settle();
  await writer.checkpoint();
  failing = 'sync';
  t.throws(() => writer.append(line(4)), { code: 'LOG_UNAVAILABLE', details: { final: true } });
  writer.close();
  t.same(
    lines(join(folder, FIRST_SEGMENT))
      .slice(0, 3)
      .map((one) => parseEntry(one)?.request?.id),
    ['request-0', 'request-2', 'request-3'],
  );
  t.equal(recover(folder, signer.key).frontier.size, 4, 'what is whole is kept at the next start');
  t.ok(existsSync(join(folder, 'checkpoint')));
});

t.test('a kind of entry holds any of the parts', async (t) => {
  const entry: Entry = {
    ...outcome(4),
    actor: 'p_1',
    client: { name: 'curl', version: '8' },
    evidence: { policySet: 'a', ruleset: 'b', facts: 'c' },
    detail: { n: 1, ok: true },
    ms: 3.5,
  };
  t.match(parseEntry(formatEntry(entry, STAMP)), entry);
});
