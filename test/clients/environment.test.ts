import t from 'tap';
import { jsonFrom, runCommand, runJavaScript, runProgram, runPython } from '../support/clients.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import { torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld } from '../support/world.ts';

const versions = (...modules: readonly string[]): string =>
  `import json, ${modules.join(', ')}\nprint(json.dumps({${modules.map((name) => `"${name}": ${name}.__version__`).join(', ')}}))`;

t.test('each Python environment has the clients it is named for', async (t) => {
  const [torch, hub1, hub2] = await Promise.all([
    runPython('torch', versions('torch', 'transformers', 'huggingface_hub', 'safetensors', 'numpy')),
    runPython('hub1', versions('huggingface_hub', 'datasets', 'pyarrow')),
    runPython('hub2', versions('huggingface_hub', 'transformers')),
  ]);
  t.match(jsonFrom(torch), {
    torch: /^1\.13|^2\./,
    transformers: '4.46.3',
    huggingface_hub: '0.36.2',
    safetensors: '0.8.0',
    numpy: /^1\./,
  });
  t.match(jsonFrom(hub1), { huggingface_hub: '1.33.0', datasets: '5.2.0', pyarrow: /^\d/ });
  t.match(jsonFrom(hub2), { huggingface_hub: '2.4.0', transformers: '5.23.0' });
});

t.test('the commands and the JavaScript clients run', async (t) => {
  const version = await runCommand('hub2', 'hf', { args: ['version'] });
  t.match(version, { code: 0, stdout: /2\.4\.0/ });
  const script = `import { env, AutoTokenizer } from '@huggingface/transformers';
    console.log(JSON.stringify({ version: env.version, tokenizer: typeof AutoTokenizer.from_pretrained, argument: process.argv.at(-1) }));`;
  t.match(jsonFrom(await runJavaScript(script, { args: ['x'] })), {
    version: '4.3.1',
    tokenizer: 'function',
    argument: 'x',
  });
});

t.test('a client sees a clean environment and what the test adds', async (t) => {
  process.env['HF_TOKEN'] = 'hf_of_the_developer';
  t.teardown(() => delete process.env['HF_TOKEN']);
  const script =
    'import json, os, sys\nprint(json.dumps([os.environ.get("HF_TOKEN"), os.environ["HF_ENDPOINT"], sys.argv[1]]))';
  const result = await runPython('hub2', script, { env: { HF_ENDPOINT: 'http://127.0.0.1:9' }, args: ['a b'] });
  t.same(jsonFrom(result), [null, 'http://127.0.0.1:9', 'a b']);
  t.match(await runPython('hub2', 'raise SystemExit(3)'), { code: 3 });
});

t.test('over https a client takes nothing unless it was given the authority', async (t) => {
  const world = await startWorld(t, [{ name: 'acme/tiny', files: { 'config.json': '{}' } }], { secure: true });
  const javascript = `import { downloadFile } from '@huggingface/hub';
    const blob = await downloadFile({ repo: 'acme/tiny', path: 'config.json', hubUrl: process.argv.at(-1) });
    console.log(await blob.text());`;
  const url = `${world.endpoint}/acme/tiny/resolve/main/config.json`;
  // With what all its calls are made of; a download would try again for half a minute.
  const python = `from huggingface_hub import get_session; get_session().get("${url}").raise_for_status()`;
  const clients: readonly PythonEnvironment[] = ['torch', 'hub1', 'hub2'];
  const all = (trust: Readonly<Record<string, string>>) => [
    ...clients.map((name) => runPython(name, python, { env: { HF_ENDPOINT: world.endpoint, ...trust } })),
    runJavaScript(javascript, { args: [world.endpoint], env: trust }),
    runProgram('curl', ['-sS', '--fail', '--max-time', '30', url], { env: trust }),
  ];
  for (const { code, stderr } of await Promise.all(all({}))) {
    t.not(code, 0);
    t.match(stderr, /certificate/i, 'it says that it does not trust the certificate');
  }
  t.same(
    (await world.entries()).filter(({ artefact }) => artefact !== undefined),
    [],
    'nobody got as far as to ask',
  );
  for (const { code, stderr } of await Promise.all(all(world.trust))) t.equal(code, 0, stderr);
});

t.test('a client that hangs is ended with everything it started', async (t) => {
  const mark = `weighbridge-hang-${process.pid}`;
  const script = `import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "${mark}"])
print("started", flush=True)
time.sleep(600)`;
  const start = Date.now();
  await t.rejects(runPython('hub2', script, { timeout: 3000 }), /did not end within 3000 ms:\nstarted/);
  t.ok(Date.now() - start < 20_000);
  const { stdout } = await runProgram('ps', ['-eo', 'args']);
  t.notMatch(stdout, mark, 'the grandchild is gone');
});

t.test('real torch makes the checkpoints that other tests convert', async (t) => {
  const fixtures = await torchFixtures();
  t.match(fixtures.single.files, ['config.json', 'pytorch_model.bin']);
  t.ok(fixtures.sharded.files.filter((file) => /^pytorch_model-\d{5}-of-\d{5}\.bin$/.test(file)).length > 1);
  t.ok(fixtures.sharded.files.includes('pytorch_model.bin.index.json'));
  for (const fixture of Object.values(fixtures)) {
    const files = Object.entries(fixture.tensors);
    t.ok(files.length > 0, fixture.dir);
    for (const [file, tensors] of files) {
      t.ok(fixture.files.includes(file));
      for (const tensor of Object.values(tensors)) t.match(tensor, { dtype: /^[A-Z]+\d*$/, sha256: /^[0-9a-f]{64}$/ });
    }
  }
  const tied = fixtures.tied.tensors['pytorch_model.bin'] ?? {};
  t.same(
    tied['cls.predictions.decoder.weight'],
    tied['bert.embeddings.word_embeddings.weight'],
    'one tensor, two names',
  );
  t.same(fixtures.legacy.tensors, fixtures.single.tensors, 'the same weights in the older format');
  t.same(new Set(Object.values(fixtures.dtypes.tensors['pytorch_model.bin'] ?? {}).map(({ dtype }) => dtype)).size, 10);
});
