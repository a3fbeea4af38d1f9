import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { findTools, type Tools } from '../../src/sandbox/command-line.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { SandboxOptions, Wall } from '../../src/sandbox/types.ts';

const options = (require: SandboxOptions['require']): SandboxOptions => ({
  workers: 1,
  memory: 64 * MIB,
  timeout: 5000,
  require,
});
const standing = (walls: readonly Wall[]): readonly string[] =>
  walls.filter(({ stands }) => stands).map(({ name }) => name);
const text = { size: 5, read: async () => Buffer.from('hello') };

/** The walls that stand with `tools`, shown by a worker that also inspects a file behind them. */
const build = async (
  t: Tap,
  tools: Tools,
  require: SandboxOptions['require'] = 'isolate',
): Promise<readonly Wall[]> => {
  const sandbox = await createSandbox(options(require), { tools });
  t.teardown(() => sandbox.close());
  const report = await sandbox.inspect(text);
  t.equal(report.coverage.bytesTotal, 5);
  // The parsers answered, not the pool for them.
  t.equal(report.details?.['sandbox'], undefined);
  return sandbox.walls();
};
type Tap = {
  teardown(handler: () => Promise<void>): void;
  equal(found: unknown, wanted: unknown): boolean;
};

const all = findTools();
const nothing: Tools = { bwrap: undefined, prlimit: undefined, setpriv: undefined };

t.test('with bubblewrap and prlimit every wall stands', async (t) => {
  t.not(all.bwrap, undefined, 'bubblewrap is installed');
  t.not(all.prlimit, undefined, 'prlimit is installed');
  const walls = await build(t, all, 'namespaces');
  t.same(standing(walls), ['isolate', 'permission', 'limits', 'namespaces', 'network']);
});

t.test('without bubblewrap the permission model and the limits stand, and the reason is told', async (t) => {
  const walls = await build(t, { ...all, bwrap: undefined }, 'permission');
  t.same(standing(walls), ['isolate', 'permission', 'limits']);
  t.match(walls.find(({ name }) => name === 'network')?.detail, /bubblewrap is not installed/);
});

t.test('where the kernel forbids namespaces bubblewrap fails and the rest stands', async (t) => {
  const bwrap = join(t.testdir(), 'bwrap');
  writeFileSync(bwrap, '#!/bin/sh\necho "bwrap: No permissions to create a new namespace" >&2\nexit 1\n');
  chmodSync(bwrap, 0o755);
  const walls = await build(t, { ...all, bwrap }, 'permission');
  t.same(standing(walls), ['isolate', 'permission', 'limits']);
  t.match(walls.find(({ name }) => name === 'namespaces')?.detail, /No permissions to create a new namespace/);
});

t.test('a bubblewrap that only pretends is not believed: the kernel is asked', async (t) => {
  const bwrap = join(t.testdir(), 'bwrap');
  // Runs the real program without any namespace but that of mounts, which the paths need.
  const script = `#!/bin/sh
for a in "$@"; do
  shift
  case "$a" in --unshare-all|--unshare-user|--as-pid-1|--uid|--gid|65534) ;; *) set -- "$@" "$a" ;; esac
done
exec ${all.bwrap} "$@"
`;
  writeFileSync(bwrap, script);
  chmodSync(bwrap, 0o755);
  const tools = { ...all, bwrap };
  const walls = await build(t, tools);
  t.notOk(standing(walls).some((name) => name === 'namespaces' || name === 'network'));
  t.match(walls.find(({ name }) => name === 'namespaces')?.detail, /^own mnt/, 'the pretender did start the worker');
  await t.rejects(createSandbox(options('namespaces'), { tools }), { code: 'SANDBOX_WALLS' });
});

t.test('without any tool the permission model alone stands', async (t) => {
  t.same(standing(await build(t, nothing)), ['isolate', 'permission']);
});

t.test('the start is refused below what is required, naming what is missing, and leaves nothing running', async (t) => {
  const start = createSandbox(options('namespaces'), { tools: { ...all, bwrap: undefined } });
  await t.rejects(start, {
    code: 'SANDBOX_WALLS',
    message: /do not stand: namespaces, network\..*bubblewrap is not installed.*weighbridge doctor/,
  });
});

t.test('the ruleset depends on the parsers and the limits, and on nothing else', async (t) => {
  const rulesetOf = async (change: Partial<SandboxOptions>, parsers?: string): Promise<string> => {
    const sandbox = await createSandbox({ ...options('isolate'), ...change }, parsers === undefined ? {} : { parsers });
    await sandbox.close();
    return sandbox.ruleset;
  };
  const usual = await rulesetOf({});
  t.match(usual, /^[0-9a-f]{64}$/);
  t.equal(await rulesetOf({ timeout: 7000, memory: 128 * MIB }), usual);
  t.not(await rulesetOf({ limits: { depth: 3 } }), usual);
  t.not(await rulesetOf({}, 'globalThis.inspectFile = () => {}'), usual);
});
