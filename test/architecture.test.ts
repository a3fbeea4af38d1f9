import { homedir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { packages as purePackages } from '../src/formats/packages.ts';
import { filesBelow, root, textOf } from './support/project.ts';

// The design, as a table: which room may import from which. A room is a folder of src/, or a file that stands there.

const ground = ['bytes', 'errors'];
const pure = [...ground, 'formats', 'content', 'names', 'policy', 'merkle'];
const own = [...pure, 'identity', 'package'];
const sideEffects = ['sandbox', 'transcode', 'store', 'upstream', 'provenance', 'audit'];
const joined = [...own, ...sideEffects, 'gateway'];
const top = [...joined, 'ecosystems', 'watch', 'config'];

const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  package: [],
  bytes: ['errors'],
  formats: [...ground, 'content'],
  content: [...ground, 'formats'],
  names: ground,
  merkle: ground,
  identity: ground,
  policy: [...ground, 'formats', 'identity', 'names'],
  sandbox: own,
  transcode: own,
  store: own,
  upstream: own,
  provenance: own,
  audit: own,
  gateway: [...own, ...sideEffects],
  ecosystems: joined,
  watch: joined,
  config: [...ground, 'identity', 'package'],
  http: top,
  ui: [...top, 'http'],
  cli: [...top, 'serve'],
  serve: [...top, 'http', 'ui'],
  main: ['cli'],
};

/** Rooms without I/O, and the only modules from outside that each may use. */
const outside: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  bytes: [],
  formats: purePackages,
  content: purePackages,
  names: [],
  identity: [],
  merkle: ['node:crypto'],
  policy: ['node:crypto', '@marcbachmann/cel-js', 're2js', 'yaml', 'zod'],
};

/** Modules that only these rooms may import. */
const reserved: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'ecosystems', 'ui'],
  'isolated-vm': ['sandbox'],
  undici: ['upstream'],
  'node:child_process': ['sandbox'],
  'node:sqlite': ['store', 'audit'],
  '@opentelemetry/api': ['http'],
  '@opentelemetry/otlp-transformer': ['http'],
  '@opentelemetry/resources': ['http'],
  '@opentelemetry/sdk-metrics': ['http'],
  '@opentelemetry/sdk-trace': ['http'],
  'node:vm': [],
  esbuild: ['sandbox'],
  zod: ['config', 'policy', 'http', 'ecosystems', 'cli', 'sandbox'],
};

/** What may be imported from the network modules outside upstream/: nothing that opens a connection. */
const network = /^node:(net|tls|http|https|http2|dgram|dns|dns\/promises)$/;
const harmless = new Set([
  'isIP',
  'isIPv4',
  'isIPv6',
  'BlockList',
  'createServer',
  'createServer as createTlsServer',
  'STATUS_CODES',
]);

/** Long for a reason: tables. */
const tables: readonly string[] = [];

type Import = { readonly file: string; readonly room: string; readonly from: string; readonly names: string };

const roomOf = (path: string): string => {
  const [, first = ''] = path.split('/');
  return first.replace(/\.ts$/, '');
};

/** Code without its comments and quoted text. */
const withoutText = (file: string): string =>
  textOf(file)
    .replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')
    .replace(/'[^'\n]*'|`[^`]*`/g, "''");

const sources = filesBelow('src').filter((path) => path.endsWith('.ts'));

const importsOf = (file: string): readonly Import[] => {
  const code = textOf(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const statics = [...code.matchAll(/^(?:import|export)\s+([^'";=]*?)\s+from\s+'([^']+)'/gm)];
  const bare = [...code.matchAll(/^import(\s+)'([^']+)'/gm)];
  const dynamics = [...code.matchAll(/\bimport\(\s*(['"`])([^'"`]+)\1/g)].map(([all, , from]) => [all, '', from]);
  return [...statics, ...bare, ...dynamics].map(([, names = '', from = '']) => ({
    file,
    room: roomOf(file),
    from,
    names,
  }));
};

const imports = sources.flatMap(importsOf);
const relativeImports = imports.filter(({ from }) => from.startsWith('.'));
const foreignImports = imports.filter(({ from }) => !from.startsWith('.'));
const shown = ({ file, from }: Import): string => `${file} imports ${from}`;

t.test('the check sees the whole program', async (t) => {
  t.ok(sources.length >= 100, `${sources.length} files`);
  t.ok(relativeImports.length >= 300, `${relativeImports.length} imports between files`);
  t.ok(foreignImports.length >= 60, `${foreignImports.length} imports from outside`);
  t.same(
    [...new Set(sources.map(roomOf))].filter((room) => !Object.hasOwn(mayImport, room)),
    [],
    'every room is in the table',
  );
});

t.test('arrows between rooms point down only', async (t) => {
  const wrong = relativeImports.filter(({ file, room, from }) => {
    const target = roomOf(normalize(join(dirname(file), from)));
    return target !== room && !mayImport[room]?.includes(target);
  });
  t.same(wrong.map(shown), []);
});

t.test('rooms without I/O use nothing from outside but the packages named for them', async (t) => {
  const wrong = foreignImports.filter(({ room, from }) => outside[room]?.includes(from) === false);
  t.same(wrong.map(shown), []);
});

t.test('each tool stays in its rooms', async (t) => {
  const wrong = foreignImports.filter(({ room, from }) => reserved[from]?.includes(room) === false);
  t.same(wrong.map(shown), []);
});

t.test('only upstream/ can open a connection', async (t) => {
  const opens = ({ names }: Import): boolean => {
    if (names.startsWith('type ')) return false;
    const list = /\{([^}]*)\}/.exec(names)?.[1] ?? 'everything';
    return list.split(',').some((name) => {
      const wanted = name.trim();
      return wanted !== '' && !wanted.startsWith('type ') && !harmless.has(wanted);
    });
  };
  const others = foreignImports.filter(({ room, from }) => room !== 'upstream' && network.test(from));
  t.same(others.filter(opens).map(shown), []);
  const calls = /(?<![.\w])(globalThis\.)?fetch\(|new (WebSocket|EventSource)\(/;
  // A parameter or function of that name shadows the global one.
  const shadows = /\bfetch\s*[:,=]|^\s*(readonly |async )*fetch\(.*[{;]$/m;
  const calling = sources.filter((file) => calls.test(textOf(file)) && !shadows.test(textOf(file)));
  t.same(
    calling.filter((file) => roomOf(file) !== 'upstream'),
    [],
  );
});

t.test('environment variables are read in one place', async (t) => {
  t.same(
    sources.filter((file) => roomOf(file) !== 'config' && /\bprocess\.env\b/.test(textOf(file))),
    [],
  );
});

t.test('nothing turns text into code, and classes stay rare', async (t) => {
  t.same(
    sources.filter((file) => /\beval\(|\bnew Function\(/.test(withoutText(file))),
    [],
  );
  t.same(
    sources.filter((file) => /^(export )?(default )?(abstract )?class /m.test(textOf(file))),
    ['src/errors.ts', 'src/sandbox/isolate/text.ts'],
  );
  t.same(
    sources.filter((file) => /^export \* /m.test(textOf(file))),
    [],
    'no barrels',
  );
});

t.test('files are small enough to be read', async (t) => {
  const lengths = sources.map((file) => ({ file, lines: textOf(file).split('\n').length - 1 }));
  const judged = lengths.filter(({ file }) => !tables.includes(file)).sort((a, b) => a.lines - b.lines);
  const at = (share: number): number => judged[Math.floor(judged.length * share)]?.lines ?? 0;
  t.same(
    judged.filter(({ lines }) => lines > 400),
    [],
  );
  t.ok(at(0.5) < 120, `median ${at(0.5)}`);
  t.ok(at(0.9) < 300, `nine in ten below ${at(0.9)}`);
  t.same(
    tables.filter((file) => !sources.includes(file)),
    [],
    'every exception exists',
  );
});

t.test('the spelling is British', async (t) => {
  // Words of formats that others defined (SARIF).
  const theirs = /\b(artifactLocation|artifacts?)\b(?=:)/g;
  t.same(
    sources.filter((file) => /artifact/i.test(textOf(file).replace(theirs, ''))),
    [],
  );
});

t.test('no file names a package registry by host or a path of the machine it was written on', async (t) => {
  const hosts = [
    ['registry', 'npmjs', 'org'],
    ['registry', 'yarnpkg', 'com'],
    ['pypi', 'org'],
    ['files', ['python', 'hosted'].join(''), 'org'],
    ['static', 'crates', 'io'],
    ['proxy', 'golang', 'org'],
    ['conda', 'anaconda', 'org'],
  ].map((parts) => parts.join('.'));
  const home = homedir();
  const places = [`${root}/`, ...(home.split('/').length > 2 ? [`${home}/`] : []), ['', 'work', 'shared'].join('/')];
  const files = filesBelow('.').filter((file) => /\.(ts|mjs|json|ya?ml|md|py|toml|sh|conf|txt)$|^[^.]+$/.test(file));
  t.ok(files.length > sources.length, `${files.length} files`);
  const naming = files.flatMap((file) => {
    const text = textOf(file);
    return [...hosts, ...places].filter((words) => text.includes(words)).map((words) => `${file} names ${words}`);
  });
  t.same(naming, []);
});
