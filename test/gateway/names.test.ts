import t from 'tap';
import { convertedIndexPath, convertedPath, isTrainerState, isWeights, supersededBy } from '../../src/gateway/names.ts';
import { resolveRange } from '../../src/gateway/ranges.ts';
import { shadowing } from '../../src/gateway/shadow.ts';

t.test('conversions are named as loaders look for them', async (t) => {
  const names: Record<string, string | undefined> = {
    'pytorch_model.bin': 'model.safetensors',
    'pytorch_model.fp16.bin': 'model.fp16.safetensors',
    'pytorch_model-00001-of-00002.bin': 'model-00001-of-00002.safetensors',
    'unet/diffusion_pytorch_model.bin': 'unet/diffusion_pytorch_model.safetensors',
    'adapter_model.bin': 'adapter_model.safetensors',
    'weights/last.ckpt': 'weights/last.safetensors',
    'model.pt': 'model.safetensors',
    'model.pth': 'model.safetensors',
    'model.pt.gz': 'model.safetensors',
    'pytorch_model.bin.zst': 'model.safetensors',
    'model.pt.zip': undefined,
    'model.gz': undefined,
    'optimizer.pt.xz': undefined,
    'model.onnx': undefined,
    'pytorch_model.bin.index.json': undefined,
    'optimizer.pt': undefined,
    'checkpoint-5/rng_state_0.pth': undefined,
    'training_args.bin': undefined,
    'scheduler.pt': undefined,
  };
  for (const [path, expected] of Object.entries(names)) t.equal(convertedPath(path), expected, path);
  t.equal(convertedIndexPath('pytorch_model.bin.index.json'), 'model.safetensors.index.json');
  t.equal(convertedIndexPath('sub/pytorch_model.bin.index.fp16.json'), 'sub/model.safetensors.index.fp16.json');
  t.equal(convertedIndexPath('model.safetensors.index.json'), undefined);
});

t.test('an existing safetensors file stands for the checkpoint of the same weights, not for a variant', async (t) => {
  const has = (paths: readonly string[]) => (path: string) => paths.includes(path);
  t.equal(supersededBy('pytorch_model.bin', has(['model.safetensors'])), 'model.safetensors');
  t.equal(supersededBy('pytorch_model-00001-of-00002.bin', has(['model.safetensors'])), 'model.safetensors');
  t.equal(
    supersededBy('a/pytorch_model.bin', has(['a/model.safetensors.index.json'])),
    'a/model.safetensors.index.json',
  );
  t.equal(supersededBy('a/pytorch_model.bin', has(['model.safetensors'])), undefined);
  t.equal(supersededBy('pytorch_model.fp16.bin', has(['model.safetensors'])), undefined);
  t.equal(supersededBy('other.bin', has(['model.safetensors'])), undefined);
  t.equal(
    supersededBy('config.json', () => true),
    undefined,
  );
});

t.test('trainer state is not weights', async (t) => {
  for (const path of ['optimizer.pt', 'training_args.bin', 'c/scheduler.pt']) {
    t.ok(isTrainerState(path), path);
    t.notOk(isWeights(path), path);
  }
  t.ok(isWeights('model.safetensors'));
  t.notOk(isWeights('config.json'));
});

t.test('a file that Python would import in the place of an allowed module is known by its path', async (t) => {
  t.equal(shadowing('collections.py'), 'collections');
  t.equal(shadowing('torch/__init__.py'), 'torch');
  t.equal(shadowing('numpy/core/multiarray.cpython-311-x86_64-linux-gnu.so'), 'numpy');
  t.equal(shadowing('numpy.cpython-311.so'), 'numpy');
  for (const path of ['modeling_bert.py', 'src/torch/x.py', 'torch.md', 'torch/config.json', 'collections']) {
    t.equal(shadowing(path), undefined, path);
  }
});

t.test('ranges mean what RFC 9110 says', async (t) => {
  t.same(resolveRange(undefined, 0), { start: 0, end: 0 });
  t.same(resolveRange({ first: 0, last: 0 }, 10), { start: 0, end: 1 });
  t.same(resolveRange({ first: 5 }, 10), { start: 5, end: 10 });
  t.same(resolveRange({ first: 5, last: 99 }, 10), { start: 5, end: 10 });
  t.same(resolveRange({ suffix: 3 }, 10), { start: 7, end: 10 });
  t.same(resolveRange({ suffix: 30 }, 10), { start: 0, end: 10 });
  for (const range of [{ first: 10 }, { suffix: 0 }, { first: 6, last: 5 }]) {
    t.throws(() => resolveRange(range, 10), { code: 'RANGE_NOT_SATISFIABLE', details: { size: 10 } });
  }
});
