import { createCursor } from '../../bytes/cursor.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import {
  type Content,
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  type PlanStorage,
  printable,
  worseContent,
} from '../format.ts';
import { isTorchLegacy } from '../pickle/format.ts';
import { runPickle } from '../pickle/machine.ts';
import type { PickleRun } from '../pickle/options.ts';
import { countOf, itemsOf, lookup, textOf, type Value } from '../pickle/values.ts';
import { windowed } from '../pickle/window.ts';
import { bytesOf, type Collected, collectStorages, judgeStorageBytes } from './storages.ts';
import { planFor } from './torch-zip.ts';

const FORMAT = 'torch-legacy';
/** Constants that torch.save writes first (torch/serialization.py). */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/** What `torch.save` wrote before 1.6: five pickles (magic, protocol, system, object, storage keys), then the storages. */
export const torchLegacy: Format = {
  name: FORMAT,
  title: 'PyTorch checkpoint (stacked pickles)',
  begins: [0x80, 0x4c],
  recognisedBy: 'A first pickle that is exactly the magic number of torch.save.',
  checks:
    'All five pickles run on the abstract machine; the first two are constants; the keys are those of the object; storages follow ' +
    'with the sizes that were declared, and nothing behind them; views lie inside their storages.',
  references: ['torch/serialization.py, _legacy_save and _legacy_load', 'CVE-2026-24747', 'GHSA-97f8-7cmv-76j2'],
  recognise: (head) => isTorchLegacy(head),
  inspect: (source, context) => inspectStack(windowed(source), context),
};

const inspectStack = (source: RandomAccess, context: Context): Inspection => {
  const storages = collectStorages(context);
  const runs: PickleRun[] = [];
  let at = 0;
  for (const part of ['magic', 'protocol', 'system', 'object', 'keys']) {
    const run = runPickle(source, at, { context, ...(part === 'object' ? { persistent: withClasses(storages) } : {}) });
    runs.push(run);
    at = run.end;
    if (!run.stopped) return broken(source, runs, run);
  }
  const [magic, protocol, system, object, keys] = runs.map(({ value }) => value);
  const content = worstOf(runs);
  const little = lookup(system, 'little_endian');
  const byteOrder = little?.kind === 'bool' && !little.value ? 'big' : 'little';
  const found = {
    format: FORMAT,
    content,
    coverage: complete(source.size),
    details: { globals: runs[3]?.globals.slice(0, 64) ?? [] },
  };
  try {
    if (magic?.kind !== 'int' || magic.value !== MAGIC || countOf(protocol) !== PROTOCOL)
      invalid('magic or protocol', 0);
    const located = readStorages(source, at, keys, storages, byteOrder, context);
    const rest = judgeRest(source, located.end, context);
    if (rest !== undefined) return { ...found, content: worseContent(content, worseContent(rest, 'unknown')) };
    return { ...found, ...planFor({ value: object, storages: located.storages, context }, content) };
  } catch (error) {
    if (!isFault(error)) throw error;
    return withoutStorages(source, found, error, context);
  }
};

/** The pickles were read; what follows them is not what they say. */
const withoutStorages = (
  source: RandomAccess,
  found: Inspection,
  fault: WeighbridgeError,
  context: Context,
): Inspection => {
  const { offset } = fault.details;
  context.report({
    rule: `${FORMAT}.storages`,
    severity: 'high',
    message: printable(fault.message),
    offset: typeof offset === 'number' ? offset : 0,
    refs: ['CWE-20'],
  });
  return {
    ...found,
    content: worseContent(found.content, 'unknown'),
    coverage: incomplete('partial', 0, source.size, printable(fault.message)),
    notConvertible: 'its storages are not as its pickles say',
  };
};

/**
 * A whole module names its classes by ('module', class, file, source), beside storages; loaders compare the source and take
 * the class, whose name the machine has judged when it was imported.
 */
const withClasses =
  ({ persistent }: Collected) =>
  (id: Value, offset: number): Value | undefined => {
    const [tag, type, file, text, more] = itemsOf(id) ?? [];
    const named = textOf(tag) === 'module' && type?.kind === 'global' && file !== undefined && text !== undefined;
    return named && more === undefined ? type : persistent(id, offset);
  };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `legacy checkpoint: ${message}`, { offset });
};

const worstOf = (runs: readonly PickleRun[]): Content =>
  runs.map(({ content }) => content).reduce(worseContent, 'tensors');

const broken = (source: RandomAccess, runs: readonly PickleRun[], last: PickleRun): Inspection => ({
  format: FORMAT,
  content: worseContent(worstOf(runs), 'unknown'),
  coverage: incomplete('partial', last.end, source.size, last.fault ?? 'a pickle breaks'),
  notConvertible: 'a pickle breaks',
});

/** Storages in the order of the keys: a 64-bit count of elements, then the bytes. */
const readStorages = (
  source: RandomAccess,
  start: number,
  keys: Value | undefined,
  { ids }: Collected,
  byteOrder: 'little' | 'big',
  context: Context,
): { readonly storages: ReadonlyMap<string, PlanStorage>; readonly end: number } => {
  const storages = new Map<string, PlanStorage>();
  const cursor = createCursor(source, start);
  for (const item of itemsOf(keys) ?? invalid('the storage keys are not a list', start)) {
    const key = textOf(item) ?? invalid('a storage key is not text', start);
    const id = ids.get(key);
    if (id === undefined || storages.has(key)) return invalid('a storage key is not one of the object', start);
    const at = cursor.position;
    const elements = cursor.u64();
    const length = bytesOf(id);
    if (elements !== id.elements) {
      context.report({
        rule: `${FORMAT}.storage-size`,
        severity: 'high',
        message: 'a storage has another size than the pickle says',
        offset: at,
        evidence: printable(key),
        refs: ['CVE-2026-24747', 'CWE-125'],
      });
    }
    const bytes = section(source, at + 8, at + 8 + length);
    judgeStorageBytes(bytes, key, at + 8, context);
    storages.set(key, { name: key, offset: at + 8, length, size: length, method: 'stored', byteOrder });
    cursor.skip(length);
  }
  if (storages.size !== ids.size) invalid('a storage of the object has no key', start);
  return { storages, end: cursor.position };
};

const judgeRest = (source: RandomAccess, end: number, context: Context): Content | undefined => {
  if (end >= source.size) return undefined;
  context.report({
    rule: `${FORMAT}.trailing-bytes`,
    severity: 'high',
    message: `${source.size - end} bytes follow the last storage`,
    offset: end,
    refs: ['CWE-436'],
  });
  return context.nested(section(source, end, source.size), 'trailing bytes').content;
};
