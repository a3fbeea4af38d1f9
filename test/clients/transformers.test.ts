import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { entriesDuring, type Outcomes, runChecks } from '../support/checks.ts';
import type { HubRepo } from '../support/hub.ts';
import { SCHEMES } from '../support/secure.ts';
import { type Fixture, type FixtureName, torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld, type World } from '../support/world.ts';

const REPOS = ['single', 'sharded', 'tied', 'legacy', 'half', 'bfloat16', 'trainer', 'safetensors'] as const;
const CLIENT_MS = 240_000;
/** Of `word1 word2` with the vocabulary of the fixture. */
const TOKENS = [2, 6, 7, 3];

const repoOf = (name: string, { dir, files }: Fixture): HubRepo => ({
  name: `acme/${name}`,
  files: Object.fromEntries(files.map((file) => [file, readFileSync(join(dir, file))])),
});

const fixtures = await torchFixtures();
const repos = REPOS.map((name) => repoOf(name, fixtures[name]));

/** Every tensor of the weights files as torch itself had read them. */
const tensorsOf = (name: FixtureName) =>
  Object.assign(
    {},
    ...Object.entries(fixtures[name].tensors).flatMap(([file, tensors]) => (file === 'optimizer.pt' ? [] : [tensors])),
  );

/** Asks for a pickle by its name, apart from those in one stretch of time. */
const askedForPickles = async (world: World, except?: Outcomes[string]) =>
  (await world.entries()).filter(({ kind, artefact, served, time }) => {
    const at = Date.parse(time);
    const apart = except !== undefined && at >= Math.floor(except.begun) && at <= Math.ceil(except.ended);
    const asked = kind === 'artefact.head' || (kind === 'artefact.decision' && served?.release === 'refused');
    return asked && !apart && /\.(bin|pt)$/.test(artefact.path);
  });

const upstreamSaw = (t: Test, { hub }: World): void => {
  t.equal(hub.xetRequests(), 0);
  const second = hub.log.filter(({ where }) => where === 'cdn');
  t.ok(second.length > 0);
  t.same(
    second.filter(({ headers }) => headers.authorization !== undefined),
    [],
  );
  t.same([...new Set(hub.log.map(({ headers }) => headers['user-agent']))], ['weighbridge']);
};

for (const { scheme, secure } of SCHEMES) {
  t.test(
    `over ${scheme} from_pretrained gets equal tensors from safetensors where a repo has only pickles`,
    async (t) => {
      const world = await startWorld(t, repos, { secure });
      const env = { HF_TOKEN: '' };
      const done = await runChecks('torch', 'transformers', world, { repos: REPOS }, { timeout: CLIENT_MS, env });
      for (const name of [...REPOS, 'again', 'local only', 'use_safetensors'] as const) {
        const loaded = done[name];
        t.equal(loaded?.error, undefined, `${name}: ${loaded?.text}`);
        const source: FixtureName =
          REPOS.find((repo) => repo === name) ?? (name === 'use_safetensors' ? 'legacy' : 'single');
        const expected = tensorsOf(source);
        t.ok(Object.keys(expected).length > 30);
        t.match(loaded?.value?.tensors, expected, `${name}: every tensor of the checkpoint`);
        t.same(loaded?.value?.missing, [], `${name}: nothing is missing`);
      }
      t.equal(done['config']?.value, 32);
      t.same(done['tokenizer']?.value, TOKENS);
      for (const name of ['again', 'local only']) t.same(await entriesDuring(world, done[name]!), [], name);

      t.same(await askedForPickles(world, done['pickle']), [], 'no pickle is asked for');
      t.ok((await askedForPickles(world)).length > 0, 'but where the caller insists on it');
      t.match(done['pickle'], { error: 'OSError' });
      const transcoded = (await world.entries()).filter(({ served }) => served?.release === 'transcoded');
      t.same(
        [...new Set(transcoded.map(({ artefact }) => artefact.repo))].sort(),
        REPOS.filter((name) => name !== 'safetensors')
          .map((name) => `models/acme/${name}`)
          .sort(),
      );
      upstreamSaw(t, world);
    },
  );

  t.test(`over ${scheme} transformers 5 reads configuration, tokenizer and converted weights`, async (t) => {
    const world = await startWorld(t, repos.slice(0, 1), { secure });
    const done = await runChecks('hub2', 'transformers5', world, {}, { timeout: CLIENT_MS });
    t.equal(done['version'], '5.23.0');
    t.equal(done['config']?.value, 32, String(done['config']?.text));
    t.same(done['tokenizer']?.value, TOKENS, String(done['tokenizer']?.text));
    t.same(done['tokenizer again']?.value, TOKENS);
    t.same(await entriesDuring(world, done['tokenizer again']!), []);
    t.match(done['weights']?.value, /^[0-9a-f]{64}$/);
    t.match(done['absent'], { error: 'OSError', text: /does not appear to have a file named generation_config.json/ });
    t.same(await askedForPickles(world), []);
    upstreamSaw(t, world);
  });
}
