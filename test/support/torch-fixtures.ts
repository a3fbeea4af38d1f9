import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runPython } from './clients.ts';
import { cacheFolder, placeOf } from './environments.ts';

/** Seconds of one making are about 10; the limit leaves room for a busy machine. */
const MAKE_MS = 300_000;

const NAMES = ['single', 'sharded', 'tied', 'legacy', 'half', 'bfloat16', 'dtypes', 'trainer', 'safetensors'] as const;
export type FixtureName = (typeof NAMES)[number];

/** What real torch says a tensor is; `sha256` is over its row-major little-endian bytes. */
export type ExpectedTensor = { readonly dtype: string; readonly shape: readonly number[]; readonly sha256: string };

export type Fixture = {
  readonly dir: string;
  /** Names of the files in `dir`, sorted. */
  readonly files: readonly string[];
  /** By weights file (`pytorch_model.bin`, a shard, `optimizer.pt`): every tensor at its dotted path. */
  readonly tensors: Readonly<Record<string, Readonly<Record<string, ExpectedTensor>>>>;
};

/**
 * Small checkpoints made by real torch and transformers, once for each version of the script and of the environment:
 *  single       a BERT of two layers as `save_pretrained(safe_serialization=False)` writes it, with a tokenizer
 *  sharded      the same in several shards with their index
 *  tied         a masked-language model whose decoder shares the embedding's storage
 *  legacy       the same weights as `single` in the format before zip
 *  half, bfloat16  the model in two bytes an element
 *  dtypes       every dtype of torch that safetensors knows, scalars, empty, strided and overlapping tensors
 *  trainer      optimizer and scheduler state beside weights
 *  safetensors  the same weights as `single`, safe already
 */
export const torchFixtures = async (): Promise<Readonly<Record<FixtureName, Fixture>>> => {
  const script = readFileSync(join(import.meta.dirname, 'torch-fixtures.py'), 'utf8');
  const digest = createHash('sha256').update(script).update(placeOf('torch').folder).digest('hex').slice(0, 16);
  const folder = join(cacheFolder, `torch-fixtures-${digest}`);
  if (!existsSync(folder)) await make(script, folder);
  return Object.fromEntries(NAMES.map((name) => [name, read(join(folder, name))])) as Record<FixtureName, Fixture>;
};

const make = async (script: string, folder: string): Promise<void> => {
  mkdirSync(cacheFolder, { recursive: true });
  const draft = `${folder}.${process.pid}`;
  const { code, stderr } = await runPython('torch', script, { args: [draft], timeout: MAKE_MS });
  if (code !== 0) throw new Error(`the torch fixtures could not be made:\n${stderr}`);
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Another test made them meanwhile; they are the same.
    if (!existsSync(folder)) throw error;
  }
};

const read = (dir: string): Fixture => ({
  dir: join(dir, 'repo'),
  files: readdirSync(join(dir, 'repo')).sort(),
  tensors: JSON.parse(readFileSync(join(dir, 'tensors.json'), 'utf8')),
});
