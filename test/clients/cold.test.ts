import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runChecks } from '../support/checks.ts';
import { runPython } from '../support/clients.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import type { HubRepo } from '../support/hub.ts';
import { SCHEMES } from '../support/secure.ts';
import { torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld } from '../support/world.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const CLIENTS: readonly PythonEnvironment[] = ['torch', 'hub1', 'hub2'];
const CLIENT_MS = 150_000;
/** What a slow hub takes for each of the large files; clients give up after 10 s of silence. */
const COLD_MS = 18_000;
const WEIGHTS = 128 * MIB;
const ROWS = 256 * KIB;

const sha256 = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk);
  return hash.digest('hex');
};

/** A safetensors file of zeros, sparse on this disk. */
const sparse = (path: string, name: string): void => {
  const header = {
    __metadata__: { format: 'pt', name },
    weight: { dtype: 'U8', shape: [WEIGHTS], data_offsets: [0, WEIGHTS] },
  };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text]));
  truncateSync(path, 8 + text.length + WEIGHTS);
};

/** Real checkpoints of 16 MiB, one for each client. */
const checkpoints = async (folder: string): Promise<void> => {
  const script = `import sys, torch
for seed, name in enumerate(sys.argv[2:]):
    values = torch.arange(2_000_000, dtype=torch.float32) + seed
    torch.save({"a": values, "b": values.reshape(1000, 2000).t().clone()}, f"{sys.argv[1]}/{name}.bin")`;
  const { code, stderr } = await runPython('torch', script, { args: [folder, ...CLIENTS] });
  if (code !== 0) throw new Error(stderr);
};

for (const { scheme, secure } of SCHEMES) {
  t.test(`over ${scheme} a cold repo that takes longer than clients wait arrives all the same`, async (t) => {
    const folder = t.testdir({});
    const at = (name: string): string => join(folder, name);
    await checkpoints(folder);
    const repos: HubRepo[] = [];
    const config = { 'config.json': '{"model_type": "bert"}' };
    for (const client of CLIENTS) {
      sparse(at(`${client}.safetensors`), client);
      const rows = Buffer.alloc(ROWS, `name,value\n${client},1\n`);
      repos.push(
        {
          name: `acme/weights-${client}`,
          files: { ...config, 'model.safetensors': { file: at(`${client}.safetensors`) } },
        },
        { name: `acme/pickled-${client}`, files: { ...config, 'pytorch_model.bin': { file: at(`${client}.bin`) } } },
        { kind: 'models', name: `acme/rows-${client}`, files: { 'rows.csv': rows }, lfs: ['*.csv'] },
      );
    }
    const world = await startWorld(t, repos, { secure });
    // The slow answers are those with whole files: a header or a directory comes by Range, as fast as ever.
    const slow = (bytes: number, chunk: number) => ({
      kind: 'drip' as const,
      chunk,
      ms: Math.round((COLD_MS * chunk) / bytes),
      where: 'cdn' as const,
    });
    for (const client of CLIENTS) {
      const digest = (repo: string, path: string) => new RegExp(world.hub.file(`acme/${repo}-${client}`, path).sha256);
      world.hub.fail({ ...slow(WEIGHTS, MIB), whole: true, match: digest('weights', 'model.safetensors') });
      world.hub.fail({ ...slow(16 * MIB, 256 * KIB), whole: true, match: digest('pickled', 'pytorch_model.bin') });
      world.hub.fail({ ...slow(ROWS, 4 * KIB), match: digest('rows', 'rows.csv') });
    }
    const ran = CLIENTS.map(async (client) => {
      const plan = { repos: ['weights', 'pickled', 'rows'].map((name) => `acme/${name}-${client}`) };
      return [client, await runChecks(client, 'cold', world, plan, { timeout: CLIENT_MS })] as const;
    });
    const done = await Promise.all(ran);
    const entries = await world.entries();
    for (const [client, outcomes] of done) {
      const of = (repo: string) => outcomes[`acme/${repo}-${client}`];
      const weights = of('weights');
      t.equal(
        weights?.value?.['model.safetensors'],
        await sha256(at(`${client}.safetensors`)),
        `${client} ${weights?.text}`,
      );
      t.match(
        entries.find(
          ({ kind, artefact }) => kind === 'conversion' && artefact.repo === `models/acme/pickled-${client}`,
        ),
        { artefact: { sha256: of('pickled')?.value?.['model.safetensors'] } },
        `${client} ${of('pickled')?.text}`,
      );
      t.ok(of('rows')?.value?.['rows.csv'], `${client} ${of('rows')?.text}`);
      for (const repo of ['weights', 'pickled', 'rows']) {
        const { begun = 0, ended = 0 } = of(repo) ?? {};
        t.ok(ended - begun > 0.8 * COLD_MS, `${client} ${repo} was cold: ${Math.round(ended - begun)} ms`);
        t.ok(ended - begun < 6 * COLD_MS, `${client} ${repo} did not wait for nothing`);
      }
    }
    const outcome = (path: string) =>
      entries.filter(({ kind, artefact }) => kind === 'artefact.outcome' && artefact.path === path);
    t.same([...new Set(outcome('model.safetensors').map(({ served }) => served.release))], ['sealed']);
    t.same([...new Set(outcome('pytorch_model.bin').map(({ served }) => served.release))], ['transcoded']);
    // Clients that gave up while it was held got nothing, and their entries say so.
    const [given, empty] = [
      outcome('rows.csv').filter(({ served }) => served.release !== 'none'),
      outcome('rows.csv').filter(({ served }) => served.release === 'none'),
    ];
    t.ok(given.length > 0 && given.every(({ served }) => ['held', 'cached'].includes(served.release)));
    t.ok(empty.every(({ served }) => served.bytes === 0 && !served.complete));
    for (const repo of repos) {
      for (const path of Object.keys(repo.files)) {
        const { sha256: digest, lfs } = world.hub.file(repo.name, path);
        const whole = world.hub.log.filter(
          ({ path: url, headers }) => url.includes(digest) && headers['range'] === undefined,
        );
        if (lfs) t.equal(whole.length, 1, `${repo.name} ${path} was fetched once`);
      }
    }
  });

  t.test(`over ${scheme} a snapshot waits for the plan of a checkpoint that has to be read whole`, async (t) => {
    const { legacy } = await torchFixtures();
    const files = Object.fromEntries(legacy.files.map((file) => [file, readFileSync(join(legacy.dir, file))]));
    const running: Promise<void>[] = [];
    for (const client of CLIENTS) {
      const world = await startWorld(t, [{ name: 'acme/legacy', files }], { secure, timings: { answerWithin: 500 } });
      world.hub.fail({ kind: 'drip', chunk: 4 * KIB, ms: 200, where: 'cdn' });
      const finished = async (): Promise<void> => {
        const done = await runChecks(client, 'unready', world, { repo: 'acme/legacy' });
        const first = done['first'];
        t.same(
          Object.keys(first?.value ?? {}).sort(),
          ['config.json', 'model.safetensors'],
          `${client} ${first?.text}`,
        );
        t.ok((first?.ended ?? 0) - (first?.begun ?? 0) > 3000, 'the plan took longer than an answer');
        for (const name of ['again', 'local_dir']) t.same(done[name]?.value, first?.value, `${client} ${name}`);
      };
      running.push(finished());
    }
    await Promise.all(running);
  });
}
