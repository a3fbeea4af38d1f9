import { type Cursor, createCursor } from '../bytes/cursor.ts';
import type { Budget } from '../bytes/limits.ts';
import { within } from '../bytes/limits.ts';
import type { RandomAccess } from '../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../errors.ts';
import { complete, type Format, type Inspection } from './format.ts';

/** Magic numbers of the files before GGUF (llama.cpp, llama-file-util; ggml examples), as little-endian numbers. */
const GGML = 0x67676d6c;
const GGMF = 0x67676d66;
const GGJT = 0x67676a74;
const GGLA = 0x67676c61;

/** Words of a vocabulary; the largest have some 260 thousand. */
const WORDS = 4_000_000;
/** Bytes of one word. */
const WORD = 64 * 1024;
/** Bytes of the name of a tensor. */
const NAME = 1024;
const TENSORS = 100_000;
const DIMENSIONS = 4;
/** Layers of an encoder that tells speech from silence. */
const LAYERS = 64;
/** Alignment of tensors in GGJT files, in bytes. */
const ALIGNMENT = 32;
/** Elements and bytes of a block by ggml_type; the old files knew no more. */
const BLOCKS: ReadonlyMap<number, readonly [elements: number, bytes: number]> = new Map([
  [0, [1, 4]],
  [1, [1, 2]],
  [2, [32, 18]],
  [3, [32, 20]],
  [6, [32, 22]],
  [7, [32, 24]],
  [8, [32, 34]],
  [9, [32, 40]],
  [10, [256, 84]],
  [11, [256, 110]],
  [12, [256, 144]],
  [13, [256, 176]],
  [14, [256, 210]],
]);
/** Before version 2 (4-bit) the blocks of two types had other sizes. */
const OLD_BLOCKS: ReadonlyMap<number, readonly [elements: number, bytes: number]> = new Map([
  [2, [32, 20]],
  [3, [32, 24]],
]);

/** How a program laid out what stands before the tensors: numbers, the place of the vocabulary's size, what follows. */
type Layout = {
  readonly name: string;
  readonly numbers: number;
  /** The size of the vocabulary again, in front of it. */
  readonly counted: boolean;
  readonly scores: boolean;
  /** A table of mel filters: two counts and that many floats. */
  readonly filters: boolean;
};
const layout = (name: string, numbers: number, more: Partial<Layout> = {}): Layout => ({
  name,
  numbers,
  counted: false,
  scores: false,
  filters: false,
  ...more,
});
/** Programs that wrote the version-less magic told their files apart by name only: the layout that fits is the one. */
const UNVERSIONED = [
  layout('llama', 7),
  layout('gpt2', 6, { counted: true }),
  layout('gptj', 7, { counted: true }),
  layout('starcoder', 6, { counted: false }),
  layout('gpt-neox', 8),
  layout('mpt', 7, { counted: false }),
  layout('replit', 6, { scores: true }),
  layout('bert', 7),
  layout('whisper', 11, { filters: true, counted: true }),
];

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `GGML: ${message}`, { offset });
};

/** GGML, GGMF, GGJT and GGLA files: numbers, a vocabulary, tensors. */
export const ggml: Format = {
  name: 'ggml',
  title: 'GGML model (before GGUF)',
  recognisedBy: 'the magic numbers ggml, ggmf, ggjt and ggla',
  checks:
    'counts, lengths and shapes against the bytes that are left; one of the published layouts reads it to the last byte',
  references: [
    'https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#historical-state-of-affairs',
    'CVE-2024-21802',
  ],
  recognise: (head) => head.length >= 4 && [GGML, GGMF, GGJT, GGLA].includes(createMagic(head)),
  inspect(source, context): Inspection {
    const { name, tensors } = read(source, context.budget);
    return { format: 'ggml', content: 'inert', coverage: complete(source.size), details: { layout: name, tensors } };
  },
};

const createMagic = (head: Uint8Array): number => new DataView(head.buffer, head.byteOffset).getUint32(0, true);

type Read = { readonly name: string; readonly tensors: number };

const read = (source: RandomAccess, budget: Budget): Read => {
  const cursor = createCursor(source);
  const magic = cursor.u32();
  if (magic === GGML) return firstThatFits(source, budget);
  const version = cursor.u32();
  const newest = magic === GGJT ? 3 : 1;
  if (version < 1 || version > newest) invalid(`version ${version} is not known`, 4);
  if (magic === GGLA) {
    cursor.skip(8);
    return { name: 'lora', tensors: passTensors(cursor, budget, true, BLOCKS) };
  }
  const blocks = version < 3 ? new Map([...BLOCKS, ...OLD_BLOCKS]) : BLOCKS;
  passVocabulary(cursor, layout('llama', 7, { scores: true }), budget);
  return { name: 'llama', tensors: passTensors(cursor, budget, magic === GGJT, blocks) };
};

/** Detectors of speech (whisper.cpp, whisper_vad_init): a name, a version, the shapes of their layers. */
const passDetector = (cursor: Cursor): void => {
  const at = cursor.position;
  const name = cursor.bytes(within('GGML name bytes', cursor.u32(), NAME));
  if (!String.fromCharCode(...name).startsWith('silero')) invalid('no detector of speech', at);
  cursor.skip(20);
  cursor.skip(12 * within('GGML layers', cursor.u32(), LAYERS));
  cursor.skip(16);
};

const firstThatFits = (source: RandomAccess, budget: Budget): Read => {
  let first: unknown;
  try {
    const cursor = createCursor(source, 4);
    passDetector(cursor);
    return { name: 'silero-vad', tensors: passTensors(cursor, budget, false, BLOCKS, 0) };
  } catch (error) {
    if (!isFault(error)) throw error;
  }
  for (const blocks of [BLOCKS, new Map([...BLOCKS, ...OLD_BLOCKS])]) {
    for (const candidate of UNVERSIONED) {
      try {
        const cursor = createCursor(source, 4);
        passVocabulary(cursor, candidate, budget);
        return { name: candidate.name, tensors: passTensors(cursor, budget, false, blocks) };
      } catch (error) {
        if (!isFault(error)) throw error;
        first ??= error;
      }
    }
  }
  throw first;
};

const passVocabulary = (cursor: Cursor, { numbers, counted, scores, filters }: Layout, budget: Budget): void => {
  const at = cursor.position;
  const declared = cursor.u32();
  cursor.skip(4 * (numbers - 1));
  if (filters) {
    const table = BigInt(cursor.u32()) * BigInt(cursor.u32()) * 4n;
    if (table > BigInt(cursor.remaining())) invalid('a table ends behind the file', at);
    cursor.skip(Number(table));
  }
  within('GGML words', declared, WORDS);
  const words = counted ? cursor.u32() : declared;
  if (words * 4 > cursor.remaining()) invalid('more words than bytes', at);
  // Only whisper names words that the file does not hold.
  if (filters ? words > declared : words !== declared) invalid('the vocabulary has two sizes', at);
  budget.spend('steps', words);
  for (let index = 0; index < words; index++) {
    cursor.bytes(within('GGML word bytes', cursor.u32(), WORD));
    if (scores) cursor.bytes(4);
  }
};

const passTensors = (
  cursor: Cursor,
  budget: Budget,
  aligned: boolean,
  blocks: ReadonlyMap<number, readonly [number, number]>,
  least = 1,
): number => {
  let tensors = 0;
  for (; cursor.remaining() > 0; tensors = within('GGML tensors', tensors + 1, TENSORS)) {
    budget.spend('steps', 1);
    const at = cursor.position;
    const dimensions = cursor.u32();
    const length = within('GGML name bytes', cursor.u32(), NAME);
    const type = cursor.u32();
    if (dimensions < least || dimensions > DIMENSIONS) invalid('a tensor without one to four dimensions', at);
    const [block, bytes] = blocks.get(type) ?? invalid(`type ${type} is not known`, at);
    let elements = 1n;
    for (let index = 0; index < dimensions; index++) elements *= BigInt(cursor.u32());
    if (elements % BigInt(block) !== 0n) invalid('a tensor with half a block', at);
    const name = cursor.bytes(length);
    if (length === 0 || !name.every((byte) => byte > 0x20 && byte < 0x7f)) invalid('a tensor without a name', at);
    if (aligned) cursor.skip((ALIGNMENT - (cursor.position % ALIGNMENT)) % ALIGNMENT);
    const size = (elements / BigInt(block)) * BigInt(bytes);
    if (size > BigInt(cursor.remaining()))
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'GGML: a tensor ends behind the file', { offset: at });
    cursor.skip(Number(size));
  }
  if (tensors === 0) invalid('no tensor follows', cursor.position);
  return tensors;
};
