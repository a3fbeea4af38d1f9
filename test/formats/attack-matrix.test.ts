import { execFile } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { inspect } from '../../src/formats/index.ts';
import { factsOfFile } from '../../src/gateway/local.ts';
import { readPolicyFiles } from '../../src/gateway/policies.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import { attack, calls, containers, gadgets, MARKER, protocols } from '../support/attack-matrix.ts';
import { assemble, op } from '../support/pickle-assembler.ts';

const policies = loadPolicies(
  await readPolicyFiles(join(import.meta.dirname, '..', '..', 'policies', 'default.yaml')),
  Date.now(),
);
const us = {
  requester: { id: 'local', team: '', environment: '', teamFrom: '' as const },
  client: { name: 'weighbridge', version: '0' },
};

t.setTimeout(180_000);

/** What the default policy does with a file. */
const actionOn = (file: Uint8Array): string => {
  const place = { path: 'model', size: file.length, sha256: '0'.repeat(64) };
  return policies.decide(factsOfFile(place, inspect(fromBytes(file)), us), Date.now()).action;
};
const STOPPED = ['deny', 'quarantine'];
/** Containers that writers write. */
const HONEST = [
  'pickle',
  'a torch zip, before the tensors',
  'a torch file of before 1.6',
  'a zip',
  'tar',
  'gzip',
  'zlib',
  'lz4',
];
/** The opcodes that call; what else is done with the result makes no difference to a container. */
const OPCODES = ['REDUCE', 'INST', 'OBJ', 'NEWOBJ', 'NEWOBJ_EX', 'BUILD'];

t.test('every known gadget is stopped under every opcode that calls, by every protocol', async (t) => {
  const passed: string[] = [];
  for (const gadget of gadgets)
    for (const [form, call] of Object.entries(calls))
      for (const protocol of protocols) {
        const file = attack(gadget, call, ({ pickle }) => pickle, protocol);
        if (!STOPPED.includes(actionOn(file)))
          passed.push(`${gadget.module} ${gadget.name} by ${form} in protocol ${protocol}`);
      }
  t.same(passed, []);
});

t.test('every known gadget is stopped under every opcode that calls, in every container', async (t) => {
  const passed: string[] = [];
  let files = 0;
  for (const gadget of gadgets)
    for (const [form, call] of Object.entries(calls).filter(([name]) => OPCODES.includes(name)))
      for (const [container, wrap] of Object.entries(containers)) {
        // Every protocol takes its turn.
        const protocol = protocols[files++ % protocols.length] ?? 2;
        const action = actionOn(attack(gadget, call, wrap, protocol));
        if (!STOPPED.includes(action))
          passed.push(`${gadget.module} ${gadget.name} by ${form} in ${container}, protocol ${protocol}: ${action}`);
      }
  t.same(passed, []);
  t.ok(files > 12_000, `${files} files`);
});

t.test('the same containers pass with what is data', async (t) => {
  const gadget = { module: 'collections', name: 'OrderedDict' };
  const empty = ({ module, name }: typeof gadget): Uint8Array =>
    assemble(op.global(module, name), op.mark(), op.tuple(), op.reduce());
  for (const [container, wrap] of Object.entries(containers)) {
    if (!HONEST.includes(container)) continue;
    for (const protocol of protocols)
      t.match(
        actionOn(attack(gadget, empty, wrap, protocol)),
        /^(allow|convert)$/,
        `${container}, protocol ${protocol}`,
      );
  }
});

t.test('a scan of every gadget and every container in the real sandbox executes none of them', async (t) => {
  const folder = t.testdir({ attacks: {} });
  const kinds = Object.values(containers);
  const forms = Object.entries(calls).filter(([name]) => OPCODES.includes(name));
  for (const [index, gadget] of gadgets.entries()) {
    const [, call] = forms[index % forms.length] ?? [];
    const wrap = kinds[index % kinds.length];
    if (call === undefined || wrap === undefined) throw new Error('nothing to build of');
    writeFileSync(join(folder, 'attacks', `${index}.bin`), attack(gadget, call, wrap, protocols[index % 6] ?? 2));
  }
  const program = join(import.meta.dirname, '..', '..', 'bin', 'weighbridge.mjs');
  const { code, stdout } = await new Promise<{ code: unknown; stdout: string }>((resolve) => {
    execFile(
      process.execPath,
      [program, 'scan', '--json', 'attacks'],
      { cwd: folder, timeout: 120_000, maxBuffer: 2 ** 26 },
      (error, out) => resolve({ code: error?.code ?? 0, stdout: out }),
    );
  });
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(code, 1);
  t.equal(results.length, gadgets.length);
  t.same(
    results.filter(({ action }) => !STOPPED.includes(action)),
    [],
  );
  t.same(readdirSync(folder), ['attacks'], 'nothing was written beside them');
  t.equal(readdirSync(join(folder, 'attacks')).length, gadgets.length);
});

t.test('after all of it no marker file exists', async (t) => {
  for (const place of [process.cwd(), tmpdir(), homedir(), '/']) t.notOk(existsSync(join(place, MARKER)), place);
});
