import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { formatEntry } from '../../src/audit/entry.ts';
import { segmentAt } from '../../src/audit/layout.ts';
import { type LogIndex, openLogIndex } from '../../src/audit/log-index.ts';
import { createLogSearch } from '../../src/audit/log-search.ts';
import { createMatcher, type Query } from '../../src/audit/query.ts';
import { readEntries } from '../../src/audit/reader.ts';
import type { Entry } from '../../src/audit/types.ts';
import { decision, openLog } from './support.ts';

const root = t.testdir({});
const digest = (of: number): string => of.toString(16).padStart(64, '0');
const START = Date.parse('2026-01-01T00:00:00Z');

/** Some entry; everything in it follows from its number. */
const entryOf = (index: number): Entry => ({
  ...decision(index),
  kind: index % 2 === 0 ? 'artefact.decision' : 'artefact.outcome',
  actor: `p_${index % 7}`,
  ...(index % 5 === 0 ? {} : { team: `team-${index % 3}` }),
  client: { name: index % 4 === 0 ? 'pip' : 'hf_hub', version: `2.${index % 4}` },
  artefact: {
    ecosystem: 'huggingface',
    repo: `models/org-${index % 11}/name`,
    commit: 'c'.repeat(40),
    path: `folder/file-${index % 100}.bin`,
    sha256: digest(index % 100),
  },
  ...(index % 1000 === 1 ? { detail: { derived: digest(4242) } } : {}),
});

let made = 0;
/** A folder with segments of entries, written as the log writes them; times go back once, as clocks do. */
const make = (name: string, count: number, segment = 3000, of = entryOf): string => {
  made += 1;
  const directory = join(root, `${name}-${made}`);
  mkdirSync(directory);
  for (let first = 0; first < count; first += segment) {
    const lines = Array.from({ length: Math.min(segment, count - first) }, (_, at) => {
      const index = first + at;
      const time = START + 1000 * (index > 5000 ? index - 60 : index);
      return formatEntry(of(index), { id: `id-${index}`, time, node: 'n' });
    });
    writeFileSync(segmentAt(directory, first).entries, `${lines.join('\n')}\n`);
  }
  return directory;
};
const original = make('original', 9000);

/** The positions of everything that matches, by the index, page by page; each page is held against the log itself. */
const positions = async (index: LogIndex, query: Query, limit = 900): Promise<number[]> => {
  const found: number[] = [];
  for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
    const page = await index.search(query, { limit, before });
    found.push(...page.entries.map((entry) => entry.index));
    before = page.next;
    if (page.next === undefined) t.equal(page.total, found.length, 'the total is right');
  }
  return found;
};
const expected = async (directory: string, query: Query): Promise<number[]> =>
  (await expectedOf(directory, [query]))[0] ?? [];
/** The same by reading the whole log, once. */
const expectedOf = async (directory: string, queries: readonly Query[]): Promise<number[][]> => {
  const wanted = queries.map((query) => ({ matches: createMatcher(query), found: [] as number[] }));
  for await (const { index, entry } of readEntries(directory)) {
    for (const { matches, found } of wanted) if (matches(entry)) found.unshift(index);
  }
  return wanted.map(({ found }) => found);
};
const indexed = async (directory: string): Promise<LogIndex> => {
  const index = openLogIndex(directory);
  await index.catchUp();
  return index;
};
const opened = async (t: Test, directory: string): Promise<LogIndex> => {
  const index = await indexed(directory);
  t.teardown(() => index.close());
  return index;
};

const QUERIES: readonly Query[] = [
  {},
  { actor: 'p_3' },
  { actor: 'nobody' },
  { repo: 'models/org-3/name' },
  { repo: 'models/org-1*/name' },
  { artefact: 'models/org-3/name/folder/file-14.bin' },
  { artefact: '**/file-1?.bin', decision: 'deny' },
  { digest: digest(14) },
  { digest: digest(4242) },
  { team: 'team-1', client: 'pip' },
  { client: 'hf_hub/2.1', kind: 'artefact.outcome' },
  { rule: 'rule-a', from: START + 4_000_000, to: START + 5_100_000 },
  { from: START + 8_800_000 },
  { to: START },
  { request: 'request-8999' },
];

t.test('an index that is none, is damaged, is old or is of another log is made anew and answers rightly', async (t) => {
  const other = make('other', 4500, 3000, (index) => ({ ...entryOf(index), actor: 'somebody-else' }));
  (await indexed(other)).close();
  (await indexed(original)).close();
  const query = { actor: 'p_3' };
  const right = await expected(original, query);
  const changedBy = (statement: string) => (path: string) => {
    const database = new DatabaseSync(path);
    database.exec(statement);
    database.close();
  };
  const damage: Record<string, (path: string) => void> = {
    'no database': (path) => writeFileSync(path, 'no database at all, but long enough to be read as one'.repeat(100)),
    'an empty file': (path) => writeFileSync(path, ''),
    'another schema': changedBy('DROP TABLE block; CREATE TABLE block (number INTEGER)'),
    'a newer version': changedBy('PRAGMA user_version = 99'),
    'the index of another log': (path) => {
      for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
      cpSync(join(other, 'index.sqlite'), path);
    },
    'half a file': (path) => truncateSync(path, 20_000),
    'places that are wrong': changedBy('UPDATE block SET offsets = zeroblob(length(offsets))'),
    'sets that are wrong': changedBy("UPDATE member SET bits = x'ffff01'"),
    'members beyond the end of a block': changedBy("UPDATE member SET bits = x'0010'"),
    'sets of a megabyte': changedBy('UPDATE member SET bits = zeroblob(1 << 20)'),
  };
  for (const [what, change] of Object.entries(damage)) {
    const directory = join(root, `damaged-${what}`);
    cpSync(original, directory, { recursive: true });
    change(join(directory, 'index.sqlite'));
    const index = await opened(t, directory);
    t.same(await positions(index, query), right, what);
  }
});

t.test('a log that was taken back, was rewritten or lost old segments is searched as it is', async (t) => {
  const directory = make('moving', 9000);
  const index = await opened(t, directory);
  const last = segmentAt(directory, 6000).entries;
  const whole = readFileSync(last, 'utf8').split('\n').slice(0, -1);
  writeFileSync(
    last,
    `${whole.slice(0, 2900).join('\n')}\n${'{"v":1,"id":"x","time":"no time","kind":"listing"}\n'}not even JSON\n`,
  );
  const line = formatEntry({ kind: 'node.stop', actor: 'p_3' }, { id: 'id-new', time: START, node: 'n' });
  appendFileSync(last, `${line}\n`);
  await index.catchUp();
  t.match(await index.search({ kind: 'node.stop' }, { limit: 10 }), { total: 1, entries: [{ index: 8902 }] });
  t.same(await positions(index, { actor: 'p_3' }), await expected(directory, { actor: 'p_3' }));
  rmSync(segmentAt(directory, 0).entries);
  t.same(
    await positions(index, { actor: 'p_3' }),
    await expected(directory, { actor: 'p_3' }),
    'without its beginning',
  );
  rmSync(join(directory, 'index.sqlite'));
  const again = await opened(t, directory);
  t.same(await positions(again, { actor: 'p_3' }), await expected(directory, { actor: 'p_3' }), 'and made anew');
});

t.test('every search finds what reading the whole log finds, in full blocks and in the one that grows', async (t) => {
  const index = await opened(t, original);
  const right = await expectedOf(original, QUERIES);
  for (const [at, query] of QUERIES.entries()) t.same(await positions(index, query), right[at], JSON.stringify(query));
  const again = await opened(t, original);
  t.same(
    await positions(again, { actor: 'p_3' }, 1000),
    await expected(original, { actor: 'p_3' }),
    'opened a second time',
  );
});

t.test('two programs may bring one index up to date at the same time', async (t) => {
  const directory = make('shared', 9000);
  const [one, two] = [openLogIndex(directory), openLogIndex(directory)];
  t.teardown(() => [one, two].map((index) => index.close()));
  await Promise.all([one.catchUp(), two.catchUp()]);
  for (const index of [one, two]) {
    t.same(await positions(index, { team: 'team-1' }), await expected(directory, { team: 'team-1' }));
  }
});

t.test('names with NUL, half characters and great length are found as they were entered', async (t) => {
  const names = ['a\0b', 'half \ud800 of one', 'x'.repeat(3000), 'y'.repeat(12_000), '%_[a-z]', 'ünïcode', '__proto__'];
  const directory = make('names', names.length, 3000, (index) => ({
    ...entryOf(index),
    artefact: { ecosystem: 'file', repo: '', commit: '', path: names[index] ?? '' },
  }));
  const index = await opened(t, directory);
  for (const [at, name] of names.entries()) {
    t.same(await positions(index, { artefact: name }), [at], JSON.stringify(name.slice(0, 20)));
  }
  await t.rejects(index.search({ artefact: '*'.repeat(300) }, { limit: 1 }), { code: 'REQUEST_INVALID' });
});

t.test('a gateway searches what it has just written, and a search that fails stops nothing', async (t) => {
  const home = join(root, 'live');
  const log = await openLog(home);
  const search = createLogSearch(join(home, 'log'));
  t.teardown(async () => Promise.all([search.close(), log.close()]));
  for (let index = 0; index < 5; index += 1) await log.append(entryOf(index));
  t.match(await search.search({}, { limit: 2 }), {
    total: 5,
    next: 3,
    searched: 5,
    entries: [{ index: 4 }, { index: 3 }],
  });
  await t.rejects(search.search({ repo: '*'.repeat(300) }, { limit: 1 }), { code: 'REQUEST_INVALID' });
  t.match(await search.search({ actor: 'p_3' }, { limit: 9 }), { total: 1, next: undefined });
  const asked = Array.from({ length: 40 }, () => search.search({}, { limit: 1 }).catch(({ code }) => code));
  const answers = await Promise.all(asked);
  t.equal(answers.filter((answer) => answer === 'LOG_UNAVAILABLE').length, 8, 'more at a time are refused');
  await search.close();
  await t.rejects(search.search({}, { limit: 1 }), { code: 'LOG_UNAVAILABLE' });
});
