import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tree } from '../../src/audit/digest.ts';
import { formatEntry } from '../../src/audit/entry.ts';
import { listSegments, segmentAt } from '../../src/audit/layout.ts';
import { openLeafHashes, openTree } from '../../src/audit/tree-file.ts';
import { type Problem, type Verdict, verifyLog } from '../../src/audit/verify.ts';
import { parseNote } from '../../src/merkle/checkpoint.ts';
import { proveInclusion, verifyInclusion } from '../../src/merkle/proofs.ts';
import { textOf } from '../support/project.ts';
import { decision, FIRST_SEGMENT, lines, openLog, outcome } from './support.ts';

const root = t.testdir({});

/** A log of 60 entries in one segment, with checkpoints kept at 20 and 40; and its key. */
const make = async (name: string, options = {}): Promise<{ folder: string; key: string; kept: string[] }> => {
  const home = join(root, name);
  const kept: string[] = [];
  let key = '';
  for (let round = 0; round < 3; round += 1) {
    const log = await openLog(home, options);
    for (let index = 0; index < 20; index += 1) await log.append(decision(round * 20 + index));
    await log.close();
    const path = join(home, `kept-${log.size}`);
    writeFileSync(path, log.checkpoint());
    kept.push(path);
    key = log.key;
  }
  return { folder: join(home, 'log'), key, kept };
};
const original = await make('original');
const segmented = await make('segmented', { rotate: 3000 });

let copies = 0;
/** Verifies a copy of a log after `change`. */
const after = async (
  change: (folder: string) => void,
  options: { kept?: string[]; key?: string; of?: typeof original } = {},
): Promise<Verdict> => {
  const { of = original, kept = [], key = of.key } = options;
  const folder = join(root, `copy${copies++}`);
  cpSync(of.folder, folder, { recursive: true });
  change(folder);
  return verifyLog({ path: folder, key, checkpoints: kept });
};
const edit = (change: (all: string[]) => string[]) => (folder: string) =>
  writeFileSync(
    join(folder, FIRST_SEGMENT),
    change(lines(join(folder, FIRST_SEGMENT)))
      .map((line) => `${line}\n`)
      .join(''),
  );
const first = ({ problems }: Verdict): Problem | undefined => problems[0];
/** The leaf hashes as an attacker would write them after changing the entries. */
const rehash = (folder: string): void => {
  const leaves = lines(join(folder, FIRST_SEGMENT)).map((line) => tree.leaf(Buffer.from(line)));
  writeFileSync(segmentAt(folder, 0).hashes, Buffer.concat(leaves));
};

t.test('an untouched log verifies, with and without older checkpoints', async (t) => {
  t.match(await after(() => {}), { ok: true, entries: 60, signed: 60, problems: [] });
  t.match(await after(() => {}, { kept: original.kept }), { ok: true });
  t.match(await after(() => {}, { of: segmented, kept: segmented.kept }), { ok: true, entries: 60 });
  const { notices } = await after(() => {});
  t.ok(
    notices.some((text) => text.includes('cannot be excluded')),
    'what it cannot see is said',
  );
});

t.test('every change below the newest checkpoint is named by its first entry', async (t) => {
  const cases: [string, (all: string[]) => string[], Partial<Problem>][] = [
    ['a flipped byte', (all) => all.with(17, all[17]!.replace('because', 'becausf')), { kind: 'changed', entry: 17 }],
    ['a line without JSON', (all) => all.with(0, '-'), { kind: 'changed', entry: 0 }],
    ['an emptied line', (all) => all.with(7, ''), { kind: 'removed', entry: 7 }],
    ['an empty line', (all) => all.toSpliced(12, 0, ''), { kind: 'inserted', entry: 13 }],
    ['the last entry changed', (all) => all.with(59, 'x'), { kind: 'changed', entry: 59 }],
    ['a deleted line', (all) => all.toSpliced(30, 1), { kind: 'removed', entry: 30 }],
    ['three deleted lines', (all) => all.toSpliced(30, 3), { kind: 'removed', entry: 30 }],
    ['the first line deleted', (all) => all.slice(1), { kind: 'removed', entry: 0 }],
    ['two swapped lines', (all) => all.with(5, all[6]!).with(6, all[5]!), { kind: 'reordered', entry: 5 }],
    ['two distant lines swapped', (all) => all.with(5, all[50]!).with(50, all[5]!), { kind: 'reordered', entry: 5 }],
    ['a line moved to the end', (all) => [...all.toSpliced(9, 1), all[9]!], { kind: 'reordered', entry: 9 }],
    ['a line moved to the front', (all) => [all[40]!, ...all.toSpliced(40, 1)], { kind: 'reordered', entry: 0 }],
    [
      'an inserted line',
      (all) => all.toSpliced(12, 0, all[11]!.replace('file-11', 'file-x')),
      { kind: 'inserted', entry: 12 },
    ],
    ['two inserted lines', (all) => all.toSpliced(12, 0, '{}', '{"a":1}'), { kind: 'inserted', entry: 12 }],
    ['a repeated line', (all) => all.toSpliced(12, 0, all[3]!), { kind: 'inserted', entry: 12 }],
    ['one changed, a later one removed', (all) => all.with(20, '{}').toSpliced(40, 1), { kind: 'changed', entry: 20 }],
    ['the tail cut', (all) => all.slice(0, 45), { kind: 'cut', entry: 45 }],
    ['everything cut', () => [], { kind: 'cut', entry: 0 }],
  ];
  for (const [what, change, expected] of cases) t.match(first(await after(edit(change))), expected, what);
  const crlf = await after(edit((all) => all.map((line) => `${line}\r`)));
  t.match(first(crlf), { kind: 'changed', entry: 0, text: /CR LF/ });
  t.match(first(await after(edit((all) => all.with(17, 'x')))), { text: /audit-000000000000\.jsonl, line 18/ });
});

t.test('when the leaf hashes were changed too, the older checkpoints narrow it down', async (t) => {
  const change = (folder: string): void => {
    edit((all) => all.with(25, '{}'))(folder);
    rehash(folder);
  };
  t.match(first(await after(change, { kept: original.kept })), { kind: 'changed', entry: 20, text: /one of 20 to 39/ });
  t.match(first(await after(change)), { kind: 'changed', entry: 0 }, 'without them: somewhere below the newest');
  const bare = (folder: string): void => {
    edit((all) => all.with(25, '{}'))(folder);
    rmSync(segmentAt(folder, 0).hashes);
  };
  t.match(first(await after(bare, { kept: original.kept })), { kind: 'changed', entry: 20 });
  const onlyHashes = await after((folder) => writeFileSync(segmentAt(folder, 0).hashes, Buffer.alloc(60 * 32)));
  t.match(onlyHashes, { ok: true }, 'the hashes are derived: entries that agree with the signature are right');
});

t.test('a cut tail is found with an earlier checkpoint, and without one the limit is said', async (t) => {
  // The attacker also puts an older, truly signed checkpoint in place of the newest.
  const hide = (folder: string): void => {
    edit((all) => all.slice(0, 20))(folder);
    rehash(folder);
    cpSync(original.kept[0]!, join(folder, 'checkpoint'));
    rmSync(join(folder, 'checkpoints.jsonl'));
  };
  const blind = await after(hide);
  t.match(blind, { ok: true, entries: 20, signed: 20 });
  t.ok(blind.notices.some((text) => /behind entry 19 .* cannot be excluded/.test(text)));
  t.match(first(await after(hide, { kept: [original.kept[1]!] })), { kind: 'cut', entry: 20 });
});

t.test('a log written again with its own key is caught only by a checkpoint that was kept', async (t) => {
  const home = join(root, 'forged');
  cpSync(join(original.folder, '..', 'keys'), join(home, 'keys'), { recursive: true });
  const forged = await openLog(home);
  for (let index = 0; index < 50; index += 1) await forged.append(outcome(index));
  await forged.close();
  t.equal(forged.key, original.key);
  t.match(await verifyLog({ path: join(home, 'log'), key: original.key }), { ok: true }, 'alone it looks right');
  for (const kept of original.kept) {
    const verdict = await verifyLog({ path: join(home, 'log'), key: original.key, checkpoints: [kept] });
    t.match(first(verdict), { kind: /rewritten|cut|changed/ }, kept);
    t.notOk(verdict.ok);
  }
  const older = await verifyLog({ path: join(home, 'log'), key: original.key, checkpoints: [original.kept[0]!] });
  t.match(first(older), { kind: 'rewritten' });
});

t.test('an edited checkpoint, a wrong key and a missing checkpoint are said', async (t) => {
  const note = (from: string | RegExp, to: string) => (folder: string) => {
    const path = join(folder, 'checkpoint');
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
  };
  for (const change of [
    note('\n60\n', '\n59\n'),
    note(/\n[A-Za-z0-9+/]{4}/, '\nAAAA'),
    note(/ [A-Za-z0-9+/]{12}/, ' AAAAAAAAAAAA'),
  ]) {
    t.match(await after(change), { ok: false, problems: [{ kind: 'signature', text: /not signed|malformed/ }] });
  }
  t.match(await after(() => {}, { key: segmented.key }), { ok: false, problems: [{ kind: 'signature' }] });
  t.match(await after((folder) => rmSync(join(folder, 'checkpoint'))), {
    ok: false,
    problems: [{ kind: 'signature' }],
  });
  const cosigned = (folder: string): void => {
    const path = join(folder, 'checkpoint');
    writeFileSync(path, `${readFileSync(path, 'utf8')}— witness.example ${Buffer.alloc(76, 1).toString('base64')}\n`);
  };
  t.match(await after(cosigned), { ok: true }, 'a signature of somebody else is ignored');
  await t.rejects(
    after(() => {}, { key: 'nonsense' }),
    { code: 'FORMAT_INVALID' },
  );
  await t.rejects(
    after(() => {}, { kept: [join(root, 'nowhere')] }),
    { code: 'NOT_FOUND' },
  );
  await t.rejects(verifyLog({ path: join(root, 'nowhere'), key: original.key }), { code: 'NOT_FOUND' });
});

t.test('segments that are missing, emptied or exchanged are found', async (t) => {
  const of = segmented;
  const segments = listSegments(of.folder);
  t.ok(segments.length >= 5);
  const [, second, third] = segments;
  const drop = (folder: string): void => rmSync(segmentAt(folder, second!.first).entries);
  t.match(first(await after(drop, { of })), { kind: 'removed', entry: second!.first });
  const dropAll = (folder: string): void => {
    drop(folder);
    rmSync(segmentAt(folder, second!.first).hashes);
  };
  t.match(first(await after(dropAll, { of })), { kind: 'removed', entry: second!.first });
  const exchange = (folder: string): void => {
    const [a, b] = [segmentAt(folder, second!.first), segmentAt(folder, third!.first)];
    renameSync(a.entries, `${a.entries}.tmp`);
    renameSync(b.entries, a.entries);
    renameSync(`${a.entries}.tmp`, b.entries);
  };
  t.match(first(await after(exchange, { of })), { kind: 'reordered', entry: second!.first });
  t.match(first(await after((folder) => rmSync(segmentAt(folder, 0).entries), { of })), { kind: 'removed', entry: 0 });
  const last = segments.at(-1)!;
  t.match(first(await after((folder) => rmSync(segmentAt(folder, last.first).entries), { of })), {
    kind: 'cut',
    entry: last.first,
  });
});

t.test('one file with the whole log is enough, with a checkpoint and the key', async (t) => {
  const folder = t.testdir({});
  const path = join(folder, 'copy.jsonl');
  writeFileSync(path, readFileSync(join(original.folder, FIRST_SEGMENT)));
  const verdict = await verifyLog({ path, key: original.key, checkpoints: [original.kept[2]!] });
  t.match(verdict, { ok: true, entries: 60 });
  writeFileSync(path, readFileSync(path, 'utf8').replace('because of 30"', 'because of 31"'));
  const changed = await verifyLog({ path, key: original.key, checkpoints: original.kept });
  t.match(first(changed), { kind: 'changed', entry: 20, text: /20 to 39/ });
});

t.test('inclusion proofs from the files hold against the checkpoint', async (t) => {
  const home = join(root, 'proofs');
  const log = await openLog(home, { rotate: 200_000 });
  await Promise.all(Array.from({ length: 1500 }, (_, index) => log.append(decision(index))));
  await log.close();
  const { size, root: signed } = parseNote(log.checkpoint()).checkpoint;
  const hashes = openLeafHashes(join(home, 'log'));
  const at = openTree(hashes, size);
  const all = listSegments(join(home, 'log')).flatMap(({ entries }) => lines(entries));
  t.equal(all.length, size);
  const right = all.filter((line, index) => {
    const proof = proveInclusion(tree, at, index, size);
    return verifyInclusion(tree, tree.leaf(Buffer.from(line)), index, size, proof, signed);
  });
  t.equal(right.length, size);
  hashes.close();
});

t.test('docs/log.md names every file of a log and every key of an entry, in order', async (t) => {
  const page = textOf('docs/log.md');
  const names = readdirSync(original.folder).filter((name) => !name.startsWith('audit-'));
  t.same(names.sort(), ['checkpoint', 'checkpoints.jsonl', 'key']);
  for (const name of [...names, ...readdirSync(join(original.folder, '..', 'keys'))])
    t.ok(page.includes(`\n  ${name} `), name);
  const whole = {
    ...outcome(1),
    actor: 'p',
    team: 't',
    environment: 'e',
    teamFrom: 'token' as const,
    client: { name: 'c', version: '1' },
    detail: {},
    ms: 1,
  };
  const line = formatEntry(
    { ...whole, evidence: { policySet: '', ruleset: '', facts: '' } },
    { id: 'i', time: 1, node: 'n' },
  );
  const keys = Object.keys(JSON.parse(line)).map((key) => `\`${key}\``);
  const listed = page
    .replaceAll(/ \([^)]*\)|\n/g, ' ')
    .replaceAll(/ +/g, ' ')
    .replaceAll(' ,', ',');
  t.ok(listed.includes(`${keys.join(', ')}, \`truncated\``), keys.join(', '));
});

t.test('the Python of docs/log.md, a second implementation, computes the same root', async (t) => {
  const [, program = ''] = /```python\n([\s\S]*?)```/.exec(textOf('docs/log.md')) ?? [];
  const { stdout } = spawnSync('python3', ['-c', program, join(original.folder, FIRST_SEGMENT)], { encoding: 'utf8' });
  const [, size, digest] = readFileSync(join(original.folder, 'checkpoint'), 'utf8').split('\n');
  t.equal(stdout, `${size}\n${digest}\n`);
});
