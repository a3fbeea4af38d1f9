import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root, textOf } from './support/project.ts';

const STATES = ['met', 'partly', 'not met', 'none'];
const page = textOf('docs/asvs.md');
const { requirements } = JSON.parse(textOf('test/support/asvs-5.0.0.json')) as { requirements: Record<string, number> };
const rows = page
  .split('\n')
  .filter((line) => /^\| V\d/.test(line))
  .map((line) => {
    const [, id = '', state = '', shown = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const tests = [...shown.matchAll(/`(test\/[\w./-]+\.test\.ts)`: \*(.+?)\*(?=;|$)/g)];
    return { id, state, shown, tests: tests.map(([, file = '', title = '']) => ({ file, title })) };
  });

/** Titles of the tests in a file. */
const titles = new Map<string, ReadonlySet<string>>();
const titlesOf = (file: string): ReadonlySet<string> => {
  const known = titles.get(file);
  if (known !== undefined) return known;
  const text = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '';
  const found = [...text.matchAll(/\bt\.test\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g)].map(([, , title = '']) => title);
  titles.set(file, new Set(found));
  return titlesOf(file);
};

t.test('docs/asvs.md has every requirement of level 1 and 2 once, in order, each with a state', async (t) => {
  const ids = Object.keys(requirements);
  t.equal(ids.length, 253);
  t.ok(Object.values(requirements).every((level) => level === 1 || level === 2));
  t.same(
    rows.map(({ id }) => id),
    ids,
  );
  t.same(
    rows.filter(({ state }) => !STATES.includes(state)),
    [],
  );
  const count = (state: string): number => rows.filter((row) => row.state === state).length;
  const said = /Of (\d+) are (\d+) met, (\d+) partly, (\d+) not met, and (\d+)/.exec(page.replaceAll('\n', ' '));
  t.same(said?.slice(1).map(Number), [ids.length, ...STATES.map(count)], 'the numbers at the head');
});

t.test('what is met is shown by tests that exist, or by a page; what is not says why', async (t) => {
  const unshown = rows.filter(({ state, shown, tests }) =>
    state === 'met' ? tests.length === 0 && !/\]\([\w-]+\.md(#[\w-]+)?\)/.test(shown) : /^`|^$/.test(shown),
  );
  t.same(
    unshown.map(({ id }) => id),
    [],
  );
  const named = rows.flatMap(({ id, tests }) => tests.map((test) => ({ id, ...test })));
  t.ok(named.length > 200, `${named.length} tests are named`);
  t.same(
    named.filter(({ file, title }) => !titlesOf(file).has(title)),
    [],
  );
  const cells = page.match(/`test\//g)?.length ?? 0;
  t.equal(cells, named.length, 'each is named by file and title');
});

t.test('headings that the list leads to exist', async (t) => {
  const links = [...page.matchAll(/\]\(([\w-]+\.md)#([\w-]+)\)/g)];
  t.ok(links.length > 10);
  const headings = (file: string): readonly string[] =>
    [...textOf(`docs/${file}`).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    );
  t.same(
    links.filter(([, file = '', heading = '']) => !headings(file).includes(heading)).map(([link]) => link),
    [],
  );
});
