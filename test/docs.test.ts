import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { errorCodes, WeighbridgeError } from '../src/errors.ts';
import { formatsPage } from './support/formats-page.ts';
import { filesBelow, root, textOf } from './support/project.ts';

t.test('docs/errors.md tells of every code its status and whether to come again', async (t) => {
  const rows = textOf('docs/errors.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  t.ok(errorCodes.length >= 20);
  t.same(
    rows.map(([, code, status, again]) => [code, status, again]),
    errorCodes.map((code) => {
      const { status, retry } = new WeighbridgeError(code, '');
      return [code, String(status), retry ? 'yes' : 'no'];
    }),
  );
});

t.test('docs/formats.md is what the registry, the samples and the default policy say', async (t) => {
  t.equal(textOf('docs/formats.md'), formatsPage(), 'node .ci/formats-doc.mjs writes it');
});

t.test('no text of the program calls anything clean: there is only no static evidence', async (t) => {
  const sources = filesBelow('src').filter((file) => file.endsWith('.ts'));
  const texts = sources.flatMap((file) => {
    const code = textOf(file).replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');
    return [...code.matchAll(/(['"`])((?:(?!\1)[^\\\n]|\\.)*)\1/g)].map(([, , text = '']) => ({ file, text }));
  });
  const policies = filesBelow('policies').map((file) => ({ file, text: textOf(file).replace(/^\s*#.*$/gm, '') }));
  const pages = filesBelow('docs')
    .filter((file) => !file.startsWith('docs/decisions/'))
    .map((file) => ({ file, text: textOf(file) }));
  t.ok(texts.length > 5000 && policies.length > 3 && pages.length > 8);
  t.ok(texts.some(({ text }) => text.includes('no static evidence of poisoning')));
  t.same(
    [...texts, ...policies, ...pages].filter(({ text }) => /\bclean\b/i.test(text)).map(({ file }) => file),
    [],
  );
});

t.test('every link between pages leads somewhere', async (t) => {
  const pages = filesBelow('.').filter((file) => file.endsWith('.md'));
  t.ok(pages.length >= 8, `${pages.length} pages`);
  const broken = pages.flatMap((page) => {
    const text = textOf(page).replace(/```[\s\S]*?```/g, '');
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
    const local = links.filter((target) => !/^[a-z]+:/.test(target)).map((target) => join(dirname(page), target));
    const named = [...text.matchAll(/`((?:docs|policies|test|src|bench)\/[\w./-]+\.(?:md|yaml|ts))`/g)].map(
      ([, path = '']) => path,
    );
    return [...local, ...named].filter((path) => !existsSync(join(root, path))).map((path) => `${page}: ${path}`);
  });
  t.same(broken, []);
});

t.test('decisions are numbered one after the other', async (t) => {
  const numbers = filesBelow('docs/decisions').map((file) => Number(/\/(\d{4})-[a-z-]+\.md$/.exec(file)?.[1]));
  t.ok(numbers.length >= 5);
  t.ok(
    numbers.every((number) => Number.isSafeInteger(number)),
    'each page has a number',
  );
  t.equal(new Set(numbers).size, numbers.length, 'no number twice');
});
