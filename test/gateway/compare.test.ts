import { createHash } from 'node:crypto';
import t from 'tap';
import { compareWeights, type Structure } from '../../src/gateway/compare.ts';
import { reportOf } from '../support/reports.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { jsonOf, startWorld } from '../support/world.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;
const file = (shapes: Shapes, fill = 0): Uint8Array =>
  safetensors(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => {
        const size = shape.reduce((product, dimension) => product * dimension, 1);
        return [name, { dtype: 'U8', shape, data: new Uint8Array(size).fill(fill) }];
      }),
    ),
  );
const structure = (shapes: Shapes): Structure => reportOf(file(shapes)).details?.['weights'] as unknown as Structure;

const base: Shapes = { 'layers.0.w': [2, 2], 'layers.1.w': [2, 2], 'a name': [8, 2], head: [4] };

t.test('equal structures have nothing that only one has, and no harmlessness is claimed', async (t) => {
  t.match(compareWeights(structure(base), structure({ ...base })), {
    sameStructure: true,
    common: 4,
    onlyFirst: { length: 0 },
    onlySecond: { length: 0 },
    assessment: /no static evidence .* low, values were not compared/,
  });
});

t.test('tensors that were added, removed or given another shape are told', async (t) => {
  const { head: _, ...rest } = base;
  const tuned = { ...rest, 'a name': [9, 2], 'layers.2.w': [2, 2], 'trigger.w': [1] };
  const compared = compareWeights(structure(base), structure(tuned));
  t.match(compared, { sameStructure: false, common: 2, assessment: /every group of tensors was compared/ });
  t.same(compared.onlyFirst, [
    { tensors: 'a name U8 [8,2]', count: 1 },
    { tensors: 'head U8 [4]', count: 1 },
  ]);
  t.same(compared.onlySecond, [
    { tensors: 'a name U8 [9,2]', count: 1 },
    { tensors: 'layers.*.w U8 [2,2]', count: 1 },
    { tensors: 'trigger.w U8 [1]', count: 1 },
  ]);
  t.same(compared.changed, [{ name: 'a name', first: ['U8 [8,2]'], second: ['U8 [9,2]'] }]);
  const letters = 'abcdefghijklmnopqrst';
  const names = [...letters].flatMap((first) => [...letters].map((second) => [first + second, [1]] as const));
  const many = structure(Object.fromEntries(names));
  t.match(compareWeights(many, structure(base)).assessment, 'only the listed groups');
  const renumbered = compareWeights(structure({ 'layers.0.w': [1] }), structure({ 'layers.7.w': [1] }));
  t.match(renumbered, { sameStructure: false, common: 1, assessment: /in numbers inside names/ });
});

t.test('two files that were weighed are compared over HTTP; others are not found', async (t) => {
  const template = (text: string): string => JSON.stringify({ chat_template: text });
  const files = {
    'a.safetensors': file(base),
    'b.safetensors': file(base, 1),
    'README.md': 'hello',
    'a.json': template('{{ messages }}'),
    'b.json': template('{{ messages | upper }}'),
  };
  const world = await startWorld(t, [{ name: 'acme/a', files }]);
  for (const name of Object.keys(files)) await (await world.fetch(`acme/a/resolve/main/${name}`)).arrayBuffer();
  const sha256 = (name: keyof typeof files): string => createHash('sha256').update(files[name]).digest('hex');
  const compare = (first: string, second: string) => fetch(`${world.url}/api/v1/compare/${first}/${second}`);
  const answer = await compare(sha256('a.safetensors'), sha256('b.safetensors'));
  t.match(await jsonOf(answer), {
    sameStructure: true,
    common: 4,
    tensors: { compared: true, same: 4, sampled: 0 },
    template: { compared: false },
    assessment: /no static evidence of poisoning; confidence: low, values were not compared/,
  });
  t.match(await jsonOf(await compare(sha256('b.json'), sha256('a.json'))), {
    sameStructure: undefined,
    confidence: 'digests',
    template: { changed: true, added: ['filter upper'], removed: [] },
    assessment: /template differs, with 1 constructs that the base does not have/,
  });
  t.equal((await compare(sha256('a.json'), sha256('a.safetensors'))).status, 404);
  t.equal((await compare(sha256('a.safetensors'), sha256('README.md'))).status, 404);
  t.equal((await compare(sha256('a.safetensors'), '0'.repeat(64))).status, 404);
  t.equal((await compare('x', 'y')).status, 400);
});
