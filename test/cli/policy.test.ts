import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { dropRowsPolicy } from '../support/drop-rows.ts';

const run = async (args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await policy.run(args, { stdin: Readable.from([input]), stdout, stderr });
  stdout.end();
  stderr.end();
  return { code, out: await text(stdout), err: await text(stderr) };
};

const shipped = join(import.meta.dirname, '../../policies/default.yaml');

t.test('check accepts the shipped policies and names what is wrong with others', async (t) => {
  for (const name of ['default', 'strict', 'research']) {
    t.match(await run(['check', join(import.meta.dirname, `../../policies/${name}.yaml`)]), {
      code: 0,
      out: /: valid, digest [0-9a-f]{64}\n$/,
    });
  }
  const directory = t.testdir({ 'a.yaml': 'apiVersion: weighbridge/v1\nkind: Policy\nmetadate: {}\n' });
  const wrong = await run(['check', directory]);
  t.equal(wrong.code, 1);
  t.match(wrong.out, /^a\.yaml:3:1: unknown key "metadate"$/m);
  const json = JSON.parse((await run(['check', '--json', directory])).out);
  t.match(json, { valid: false, problems: [{ path: 'a.yaml', severity: 'error' }] });
  await t.rejects(run(['check', join(directory, 'missing')]), { code: 'POLICY_INVALID' });
});

t.test('explain decides on facts from a file or standard input and shows why', async (t) => {
  const facts = {
    artefact: { path: 'pytorch_model.bin', format: 'pickle', content: 'active' },
    coverage: { state: 'complete' },
    findings: [
      {
        rule: 'pickle.exec',
        severity: 'critical',
        message: 'calls os.system',
        where: { path: ['data.pkl'], offset: 7 },
      },
    ],
  };
  const denied = await run(['explain', '--policies', shipped, '--facts', '-'], JSON.stringify(facts));
  t.equal(denied.code, 1);
  t.match(denied.out, /^deny {2}default\/dangerous\n/);
  t.match(
    denied.out,
    /matched {2}default\/dangerous {2}\(deny\)\n {2}true .*\[default\.yaml:\d+:11\]\n +finding 0: pickle\.exec \(critical\) at data\.pkl > byte 7: calls os\.system/,
  );
  const file = join(
    t.testdir({
      'f.json': '{"artefact":{"path":"a","format":"gguf","content":"inert"},"coverage":{"state":"complete"}}',
    }),
    'f.json',
  );
  const allowed = await run(['explain', '--json', '--policies', shipped, '--facts', file]);
  t.equal(allowed.code, 0);
  t.match(JSON.parse(allowed.out), { decision: { action: 'allow', rule: 'default/inert' } });
});

t.test('explain tells what becomes of flagged rows', async (t) => {
  const folder = t.testdir({ 'p.yaml': dropRowsPolicy() });
  const facts = {
    artefact: { path: 'train.jsonl', format: 'jsonl', content: 'inert' },
    coverage: { state: 'complete' },
    dataset: { rows: 9, flagged: 1, rules: [{ rule: 'text.injection', rows: 1 }], droppable: true },
  };
  const { code, out } = await run(['explain', '--policies', folder, '--facts', '-'], JSON.stringify(facts));
  t.equal(code, 0);
  t.match(out, /^convert {2}default\/flagged-rows\n.*\n {2}flagged rows: drop\n {2}notice: 1 of 9 rows were dropped/);
});

t.test('wrong use and wrong facts are explained', async (t) => {
  t.match(await run([]), { code: 2, err: /usage: weighbridge policy/ });
  t.match(await run(['explain']), { code: 2, err: /--facts is missing/ });
  await t.rejects(run(['explain', '--policies', shipped, '--facts', '-'], '{"artefact":{"pth":1}}'), {
    code: 'REQUEST_INVALID',
    message: /artefact/,
  });
  await t.rejects(run(['explain', '--policies', shipped, '--facts', '-'], 'no'), { message: /facts are not JSON/ });
});
