import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { policy } from '../../src/cli/policy.ts';
import { report } from '../../src/cli/report.ts';
import { token } from '../../src/cli/token.ts';
import { systemCall, torchZip } from '../support/checkpoints.ts';
import { runCommand } from '../support/command-io.ts';
import { HUB_AGENT, jsonOf, startWorld } from '../support/world.ts';

const CONFIG = '{"model_type":"bert"}';
const weight = { storage: 'FloatStorage', shape: [500], data: new Uint8Array(2000).fill(3) };
const pickle = torchZip({ 'a.weight': weight });
const path = (file: string): string => `acme/old/resolve/main/${file}`;
const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

t.test('a gateway that observes serves everything as it is and reports what would have been', async (t) => {
  const attack = torchZip({ a: weight }, systemCall());
  const files = { 'config.json': CONFIG, 'pytorch_model.bin': pickle, 'attack.bin': attack };
  const world = await startWorld(t, [{ name: 'acme/old', files }], { settings: { MODE: 'observe' } });

  const info = await jsonOf(await world.fetch('api/models/acme/old'));
  const names = info.siblings.map(({ rfilename }: { rfilename: string }) => rfilename).sort();
  t.same(names, ['attack.bin', 'config.json', 'pytorch_model.bin'], 'nothing is listed in the place of anything');
  t.equal((await world.fetch(path('model.safetensors'))).status, 404, 'nothing is minted');

  for (const [file, bytes] of Object.entries({ 'pytorch_model.bin': pickle, 'attack.bin': attack })) {
    const head = await world.fetch(path(file), { method: 'HEAD' });
    t.equal(head.status, 200);
    const answer = await world.fetch(path(file));
    t.equal(answer.status, 200, file);
    t.equal(answer.headers.get('x-weighbridge-decision'), 'allow; rule=observe');
    t.ok((await bytesOf(answer)).equals(Buffer.from(bytes)), 'the bytes as upstream has them');
  }
  t.equal((await bytesOf(await world.fetch(path('config.json')))).toString(), CONFIG);

  const entries = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
  const of = (file: string) => entries.find(({ artefact }) => artefact.path === file);
  t.match(of('attack.bin')?.['decision'], {
    action: 'allow',
    rule: 'observe',
    audited: { action: 'deny', rule: 'default/dangerous' },
  });
  t.match(of('pytorch_model.bin')?.['decision'], {
    action: 'allow',
    audited: { action: 'convert', rule: 'default/tensors' },
  });
  t.notOk(of('config.json')?.['decision'].audited);

  const observed = await runCommand(report.run, ['observe', '--data', world.data]);
  t.equal(observed.code, 1);
  t.match(observed.stdout, /^2 of 3 requests would have ended otherwise/);
  t.match(
    observed.stdout,
    /^allow -> deny {2}1 request {2}\(observe -> default\/dangerous\)\n {2}teams {8}\(none\) 1\n {2}clients {6}huggingface_hub 1\n {2}e\.g\. .*acme\/old@[0-9a-f]{40}\/attack\.bin/m,
  );
  t.match(observed.stdout, /^allow -> convert {2}1 request {2}\(observe -> default\/tensors\)$/m);
  const json = await runCommand(report.run, ['observe', '--json', '--since', '2999-01-01', '--data', world.data]);
  t.match([json.code, JSON.parse(json.stdout)], [0, { requests: 0, changed: 0 }]);

  const why = await runCommand(policy.run, ['explain', '--data', world.data, 'models/acme/old/attack.bin']);
  t.equal(why.code, 0);
  t.match(why.stdout, /policies in force then: .*\n.*\n {2}the same decision comes of them:\n\nallow {2}observe\n/);
  t.match(why.stdout, /matched {2}default\/dangerous {2}\(deny\)/);
});

t.test('a team is observed while others are refused; a path that names the team is not enough', async (t) => {
  const policies = t.testdir({
    'default.yaml': readFileSync(join(import.meta.dirname, '../../policies/default.yaml'), 'utf8'),
    'observe.yaml': 'apiVersion: weighbridge/v1\nkind: Observe\nteams: ["trial-*"]\n',
  });
  const files = { 'config.json': CONFIG, 'attack.bin': torchZip({ a: weight }, systemCall()) };
  const world = await startWorld(t, [{ name: 'acme/old', files }], { settings: { POLICIES: policies } });
  const tokens: string[] = [];
  await world.restart(async () => {
    for (const team of ['trial-one', 'speech']) {
      const { stdout } = await runCommand(token.run, ['create', '--team', team, '--data', world.data]);
      tokens.push(stdout.trim());
    }
  });
  const ask = async (url: string, headers: Record<string, string> = {}): Promise<string> => {
    const answer = await fetch(url, { headers: { 'user-agent': HUB_AGENT, ...headers } });
    await answer.arrayBuffer();
    return `${answer.status} ${answer.headers.get('x-weighbridge-decision')}`;
  };
  const url = `${world.endpoint}/${path('attack.bin')}`;
  const [trial = '', speech = ''] = tokens;
  t.equal(await ask(url, { authorization: `Bearer ${trial}` }), '200 allow; rule=observe');
  t.equal(await ask(url, { authorization: `Bearer ${speech}` }), '403 deny; rule=default/dangerous');
  t.equal(await ask(url.replace('/hf/', '/t/trial-one/hf/')), '403 deny; rule=default/dangerous');
  const { stdout } = await runCommand(report.run, ['observe', '--data', world.data]);
  t.match(
    stdout,
    /^1 of 3 requests would have ended otherwise.*\n\nallow -> deny {2}1 request .*\n {2}teams {8}trial-one 1\n/,
  );
});

t.test('wrong use of the report is explained', async (t) => {
  t.match(await runCommand(report.run, []), { code: 2, stderr: /usage: weighbridge report observe/ });
  await t.rejects(runCommand(report.run, ['observe', '--data', t.testdir({})]), { code: 'NOT_FOUND' });
  await t.rejects(runCommand(report.run, ['observe', '--examples', 'x']), { code: 'REQUEST_INVALID' });
});
