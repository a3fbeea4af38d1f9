import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { inOrder } from '../../src/cli/scan/in-order.ts';
import { scan } from '../../src/cli/scan.ts';
import { runCommand } from '../support/command-io.ts';

/** A pickle that would call os.system if anything loaded it; nothing here does. */
const ATTACK = Buffer.from('\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.', 'latin1');

const safetensors = (): Buffer => {
  const header = Buffer.from('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(8)]);
};
const NOISE = Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 89 + 7) & 0xff));

const POLICY = `
apiVersion: weighbridge/v1
kind: Policy
metadata: { id: here, title: For this test }
rules:
  - { id: harm, when: 'artefact.content == "active" || findings.exists(f, f.severity >= high)', action: deny, message: it would run }
  - { id: inert, when: 'artefact.content == "inert" && coverage.state == "complete"', action: allow, message: it is inert }
  - { id: rest, when: 'artefact.content != "inert" && artefact.ecosystem == "file"', action: quarantine, message: nobody knows }
`;

const world = (t: Tap) => {
  const folder = t.testdir({ policies: { 'here.yaml': POLICY }, files: { nested: {} } });
  const at = (name: string): string => join(folder, 'files', name);
  writeFileSync(at('a.safetensors'), safetensors());
  writeFileSync(at('b.bin'), NOISE);
  writeFileSync(at('nested/c.txt'), ATTACK);
  return { folder, at, policies: ['--policies', join(folder, 'policies')] };
};
type Tap = Pick<typeof t, 'testdir'>;

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

t.test('--json says what every file is, in the order given, whatever its name pretends', async (t) => {
  const { at, policies } = world(t);
  const paths = [at('nested/c.txt'), at('a.safetensors'), at('b.bin')];
  const { code, stdout } = await runCommand(scan.run, ['--json', ...policies, ...paths]);
  t.equal(code, 1);
  const [attack, tensors, noise] = lines(stdout);
  t.same(Object.keys(attack), [
    ...['path', 'sha256', 'size', 'format', 'content', 'coverage', 'action', 'rule', 'reason', 'findings', 'ms'],
  ]);
  t.match(attack, { path: paths[0], sha256: sha256(ATTACK), size: ATTACK.length, action: 'deny', rule: 'here/harm' });
  t.ok(attack.findings.some((each: { severity: string }) => each.severity === 'critical' || each.severity === 'high'));
  t.match(attack.findings[0], { rule: String, message: String, where: { path: [], offset: Number }, evidence: String });
  t.match(tensors, {
    path: paths[1],
    sha256: sha256(safetensors()),
    format: 'safetensors',
    action: 'allow',
    coverage: 'complete',
  });
  t.match(noise, { path: paths[2], format: 'unknown', content: 'unknown', coverage: 'opaque', action: 'quarantine' });
});

t.test('a folder means the files below it; links to files are followed, to folders not', async (t) => {
  const { folder, at, policies } = world(t);
  symlinkSync(at('a.safetensors'), at('nested/link.safetensors'));
  symlinkSync(folder, at('nested/loop'));
  const { stdout } = await runCommand(scan.run, ['--json', ...policies, at('')]);
  t.same(
    lines(stdout).map(({ path, action }) => [path, action]),
    [
      [at('a.safetensors'), 'allow'],
      [at('b.bin'), 'quarantine'],
      [at('nested/c.txt'), 'deny'],
      [at('nested/link.safetensors'), 'allow'],
    ],
  );
});

t.test('paths from standard input are answered as they come, before the input ends', async (t) => {
  const { at, policies } = world(t);
  const io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const code = scan.run(['--json', ...policies, '-'], io);
  const answers = createInterface({ input: io.stdout })[Symbol.asyncIterator]();
  for (const [name, action] of [['a.safetensors', 'allow'] as const, ['b.bin', 'quarantine'] as const]) {
    io.stdin.write(`${at(name)}\n\n`);
    const { value } = await answers.next();
    t.match(JSON.parse(String(value)), { path: at(name), action });
  }
  io.stdin.end(Array.from({ length: 40 }, (_, index) => at(index % 2 === 0 ? 'a.safetensors' : 'b.bin')).join('\n'));
  for (let index = 0; index < 40; index++) {
    const { value } = await answers.next();
    t.match(JSON.parse(String(value)).path, at(index % 2 === 0 ? 'a.safetensors' : 'b.bin'));
  }
  t.equal(await code, 1);
});

t.test('what is allowed ends with 0; what cannot be read is refused and ends with 2', async (t) => {
  const { at, policies } = world(t);
  t.match(await runCommand(scan.run, ['--json', ...policies, at('a.safetensors')]), { code: 0 });
  mkdirSync(at('empty'));
  t.match(await runCommand(scan.run, ['--json', ...policies, at('empty')]), { code: 0, stdout: '' });
  const { code, stdout } = await runCommand(scan.run, [
    '--json',
    ...policies,
    at('missing'),
    '/dev/zero',
    at('a.safetensors'),
  ]);
  t.equal(code, 2);
  t.match(lines(stdout), [
    { path: at('missing'), action: 'deny', coverage: 'opaque', rule: 'scan/unreadable', reason: /ENOENT/, sha256: '' },
    { path: '/dev/zero', action: 'deny', reason: /not a regular file/ },
    { action: 'allow' },
  ]);
});

t.test('wrong use and wrong policies end with 2 or a fault, and scan nothing', async (t) => {
  const { at, folder } = world(t);
  t.match(await runCommand(scan.run, []), { code: 2, stderr: /^usage/ });
  t.match(await runCommand(scan.run, ['--json', '--sarif', at('b.bin')]), { code: 2, stdout: '' });
  writeFileSync(join(folder, 'policies', 'broken.yaml'), 'kind: Nothing\n');
  await t.rejects(runCommand(scan.run, ['--policies', join(folder, 'policies'), at('b.bin')]), {
    code: 'POLICY_INVALID',
  });
});

t.test('a person reads what was refused and why, and a file name cannot write to the terminal', async (t) => {
  const { at, policies } = world(t);
  writeFileSync(at('evil\u001b[2J\nallow.pkl'), ATTACK);
  const { stdout } = await runCommand(scan.run, [...policies, at('')]);
  t.match(stdout, /allow +\S+a\.safetensors {2}safetensors, inert\n/);
  t.match(stdout, /deny +\S+nested\/c\.txt .*\n +here\/harm: .*it would run/);
  t.match(stdout, /quarantine +\S+b\.bin {2}unknown, unknown, opaque: no registered format/);
  t.match(stdout, /evil\\u\{1b\}\[2J\\u\{a\}allow\.pkl/);
  t.match(stdout, /\n1 allowed, 0 convertible, 1 quarantined, 2 denied in \d+\.\d s\n$/);
  t.notMatch(stdout, /\u001b/);
});

t.test('--sarif is one log with a result for every finding and refusal', async (t) => {
  const { at, policies } = world(t);
  const { stdout } = await runCommand(scan.run, ['--sarif', ...policies, at('')]);
  const log = JSON.parse(stdout);
  t.match(log, { version: '2.1.0', runs: [{ tool: { driver: { name: 'weighbridge', version: String } } }] });
  const [{ results, tool }] = log.runs;
  const ids = new Set(tool.driver.rules.map(({ id }: { id: string }) => id));
  for (const result of results) {
    t.ok(ids.has(result.ruleId), `${result.ruleId} is declared`);
    t.match(result, { level: /^(error|warning|note)$/, message: { text: /./ } });
    t.match(result.locations[0].physicalLocation.artifactLocation.uri, /^file:\/\/\//);
  }
  t.ok(results.some(({ ruleId }: { ruleId: string }) => ruleId === 'decision/deny'));
  t.ok(results.some(({ ruleId }: { ruleId: string }) => ruleId === 'decision/quarantine'));
  const nothing = JSON.parse((await runCommand(scan.run, ['--sarif', ...policies, at('a.safetensors')])).stdout);
  t.same(nothing.runs[0].results, []);
});

t.test('work in order keeps the order, stays within its bound and passes failures on', async (t) => {
  const numbers = async function* (count: number) {
    for (let each = 0; each < count; each++) yield each;
  };
  let running = 0;
  let most = 0;
  const work = async (each: number): Promise<number> => {
    most = Math.max(most, ++running);
    await wait((each * 7) % 11);
    running -= 1;
    return each;
  };
  const results: number[] = [];
  for await (const result of inOrder(numbers(60), 4, work)) results.push(result);
  t.same(
    results,
    Array.from({ length: 60 }, (_, each) => each),
  );
  t.ok(most <= 4 && most > 1, `${most} at the same time`);

  const rest = Promise.withResolvers<void>();
  const slowFirst = async (each: number): Promise<number> => {
    if (each === 0) await rest.promise;
    if (each === 39) rest.resolve();
    return each;
  };
  const beside: number[] = [];
  for await (const result of inOrder(numbers(40), 2, slowFirst)) beside.push(result);
  t.same(beside.slice(0, 3), [0, 1, 2], 'the others are worked on while the first takes long');
  t.equal(beside.length, 40);
  let begun = 0;
  const stuck = Promise.withResolvers<number>();
  const waiting = inOrder(numbers(1000), 2, async (each) => {
    begun += 1;
    return each === 0 ? stuck.promise : each;
  });
  const first = waiting.next();
  await wait(20);
  t.equal(begun, 256, 'but no more than that is kept');
  stuck.resolve(0);
  t.match(await first, { value: 0 });
  await waiting.return(undefined);

  const failing = inOrder(numbers(9), 3, async (each) => (each === 5 ? Promise.reject(new Error('five')) : each));
  await t.rejects(async () => {
    for await (const each of failing) t.ok(each < 5);
  }, /five/);
  const cut = async function* () {
    yield 1;
    throw new Error('input broke');
  };
  await t.rejects(async () => {
    for await (const each of inOrder(cut(), 3, work)) t.equal(each, 1);
  }, /input broke/);
});
