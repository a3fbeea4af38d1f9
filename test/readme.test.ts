import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { commands } from '../src/cli/index.ts';
import { scan } from '../src/cli/scan.ts';
import { loadConfig } from '../src/config.ts';
import { readPolicyFiles } from '../src/gateway/policies.ts';
import { loadPolicies } from '../src/policy/load.ts';
import { reachable } from '../src/serve.ts';
import { systemCall, torchZip } from './support/checkpoints.ts';
import { runPython } from './support/clients.ts';
import { runCommand } from './support/command-io.ts';
import { assemble, op } from './support/pickle-assembler.ts';
import { root, textOf } from './support/project.ts';
import { startWorld } from './support/world.ts';

type Block = { readonly kind: string; readonly text: string };

const blocksOf = (page: string): readonly Block[] =>
  [...page.matchAll(/```(\w*)\n(.*?)```/gs)].map(([, kind = '', text = '']) => ({ kind, text }));
const readme = textOf('README.md');
const blocks = blocksOf(readme);
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
const shown = (start: string): string => oneLine(blocks.find(({ text }) => text.startsWith(start))?.text ?? '');

t.test('the scan that the page about scanning shows prints what it shows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'weighbridge-readme-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'evil.bin'), assemble(op.proto(2), systemCall(), op.none(), op.stop()));
  const here = process.cwd();
  t.teardown(() => process.chdir(here));
  process.chdir(folder);
  const { code, stdout } = await runCommand(scan.run, ['evil.bin']);
  t.equal(code, 1);
  const block = blocksOf(textOf('docs/scanning.md')).find(({ text }) => text.startsWith('deny'))?.text ?? '';
  const timed = (text: string): string => oneLine(text).replace(/ in [\d.]+ s$/, ' in … s');
  t.equal(timed(stdout), timed(block));
});

t.test('the refusals that the README shows are what a client prints', async (t) => {
  const evil = torchZip({ a: { storage: 'FloatStorage', shape: [1], data: new Uint8Array(4) } }, systemCall());
  const odd = Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) >> 3));
  const world = await startWorld(t, [
    { name: 'acme/evil', files: { 'pytorch_model.bin': evil } },
    { name: 'acme/odd', files: { 'odd.bin': odd } },
  ]);
  const printed = async (repo: string, file: string): Promise<string> => {
    const script = `from huggingface_hub import hf_hub_download as get; get("${repo}", "${file}")`;
    const { code, stderr } = await runPython('hub2', script, { env: { HF_ENDPOINT: world.endpoint } });
    t.equal(code, 1);
    const text = stderr.replaceAll(world.url, 'http://127.0.0.1:8080').replace(/[0-9a-f-]{36}\s*$/, '4c2f…');
    return oneLine(text.slice(text.lastIndexOf('huggingface_hub.errors.')));
  };
  t.equal(await printed('acme/evil', 'pytorch_model.bin'), shown('huggingface_hub.errors'));
  const held = shown('Weighbridge holds');
  t.ok(held.length > 100);
  t.ok((await printed('acme/odd', 'odd.bin')).endsWith(held), held);
});

/** Commands and words of theirs that only a remark names. */
const REMARKED: Readonly<Record<string, readonly string[]>> = {
  policy: ['check', 'explain', 'diff'],
  quarantine: ['request', 'approve', 'refuse', 'revoke'],
  hold: ['impact'],
  freeze: ['break-glass'],
  account: ['token create'],
};

t.test('the commands that the README shows are there, with the words and options that it names', async (t) => {
  const lines = [...readme.matchAll(/^npx weighbridge (\S+) *(.*?) +# (.*)$/gm)];
  t.equal(lines.length, 10);
  const usages = new Map<string, string>();
  for (const [name, load] of Object.entries(commands)) usages.set(name, (await load()).usage);
  const all = [...usages.values()].join('\n');
  for (const [, name = '', rest = '', remark = ''] of lines) {
    const usage = usages.get(name) ?? '';
    const [first = ''] = rest.split(' ');
    const words = [...`${rest} ${remark}`.matchAll(/--[a-z-]+/g), ...first.matchAll(/^[a-z]+$/g)].map(([word]) => word);
    for (const word of words) t.ok(usage.includes(word), `${name} ${word}`);
    for (const word of REMARKED[name] ?? []) {
      t.ok(remark.includes(word), `${name}: ${word}`);
      t.ok(usage.includes(word) || all.includes(`weighbridge ${word} `), word);
    }
  }
});

t.test('the settings that the README shows are taken', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'weighbridge-readme-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const text = blocks.find(({ kind }) => kind === 'yaml')?.text ?? '';
  const file = join(folder, 'weighbridge.yaml');
  await writeFile(file, text);
  const config = loadConfig({ file, env: {} });
  t.equal(config.host, parse(text).host);
  t.match(config.auth.tokens, [{ name: 'ci', team: 'vision' }]);
  t.equal(config.mode, 'enforce');
  const policies = loadPolicies(await readPolicyFiles(join(root, parse(text).policies)));
  t.ok(policies.rules.length > 5, 'and are there in a clone');
  t.equal(reachable('http://0.0.0.0:8080'), `http://${hostname()}:8080`, 'pipelines elsewhere are told where it is');
  t.equal(reachable('https://[::]:8080'), `https://${hostname()}:8080`);
  t.equal(reachable('http://127.0.0.1:8080'), 'http://127.0.0.1:8080');
});
