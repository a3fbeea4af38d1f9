import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { scan } from '../src/cli/scan.ts';
import { loadConfig } from '../src/config.ts';
import { systemCall, torchZip } from './support/checkpoints.ts';
import { runCommand } from './support/command-io.ts';
import { assemble, op } from './support/pickle-assembler.ts';
import { startWorld } from './support/world.ts';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```(\w*)\n(.*?)```/gs)].map(([, kind = '', text = '']) => ({ kind, text }));
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

t.test('the scan that the README shows prints what it shows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'weighbridge-readme-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'evil.bin'), assemble(op.proto(2), systemCall(), op.none(), op.stop()));
  const here = process.cwd();
  t.teardown(() => process.chdir(here));
  process.chdir(folder);
  const { code, stdout } = await runCommand(scan.run, ['evil.bin']);
  t.equal(code, 1);
  const shown = blocks.find(({ text }) => text.startsWith('deny'))?.text ?? '';
  const timed = (text: string): string => oneLine(text).replace(/ in [\d.]+ s$/, ' in … s');
  t.equal(timed(stdout), timed(shown));
});

t.test('the refusal that the README shows is the one that clients are sent', async (t) => {
  const evil = torchZip({ a: { storage: 'FloatStorage', shape: [1], data: new Uint8Array(4) } }, systemCall());
  const world = await startWorld(t, [{ name: 'acme/evil', files: { 'pytorch_model.bin': evil } }]);
  const answer = await world.fetch('acme/evil/resolve/main/pytorch_model.bin');
  const id = answer.headers.get('x-request-id') ?? '';
  const sent = (answer.headers.get('x-error-message') ?? '').replace(id, '4c2f…');
  t.ok(oneLine(readme).includes(sent), sent);
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
});
