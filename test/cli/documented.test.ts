import t from 'tap';
import { commands } from '../../src/cli/index.ts';
import { RIGHTS } from '../../src/http/rights.ts';
import { filesBelow, textOf } from '../support/project.ts';

const pages = ['README.md', ...filesBelow('docs').filter((file) => file.endsWith('.md'))];

t.test('every command and option in a code block of a page exists', async (t) => {
  let seen = 0;
  for (const page of pages) {
    for (const [, block = ''] of textOf(page).matchAll(/```sh\n([\s\S]*?)```/g)) {
      for (const [, name = '', rest = ''] of block
        .replaceAll('\\\n', ' ')
        .matchAll(/\bweighbridge ([a-z-]+)(?=[ \n])([^|>\n]*)/g)) {
        const load = commands[name];
        // A container or an image may be called so, too.
        if (load === undefined) {
          t.match(block, /docker/, `${page}: weighbridge ${name}`);
          continue;
        }
        const { usage } = await load();
        for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
          t.ok(usage.includes(option), `${page}: weighbridge ${name} ${option}`);
          seen += 1;
        }
      }
    }
  }
  t.ok(seen > 40, `${seen} options`);
});

t.test('the routes that a page lists with their roles are as the table of rights has them', async (t) => {
  const rows = pages.flatMap((page) => [
    ...textOf(page).matchAll(/^\| `([A-Z]+ \/api\/v1\/\S+)` \|.*\| ([a-z, ]+) \|$/gm),
  ]);
  t.ok(rows.length >= 4);
  for (const [, route = '', roles = ''] of rows) t.same(roles.split(', '), RIGHTS[route], route);
});

t.test('docs/log.md names every kind of entry, and no other', async (t) => {
  const union = /readonly kind:\n([\s\S]*?);/.exec(textOf('src/audit/types.ts'))?.[1] ?? '';
  const kinds = [...union.matchAll(/'([a-z.]+)'/g)].map(([, kind]) => kind);
  const table = /## Kinds of entry\n([\s\S]*?)\n## /.exec(textOf('docs/log.md'))?.[1] ?? '';
  const named = [...table.matchAll(/^\| `([a-z.]+)` \|/gm)].map(([, kind]) => kind);
  t.ok(kinds.length > 20);
  t.same(named, kinds);
});
