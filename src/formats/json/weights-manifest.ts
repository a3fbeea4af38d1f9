import type { Budget } from '../../bytes/limits.ts';
import type { Remark } from '../../content/remark.ts';
import { escapes } from '../../content/targets.ts';
import { createLayouts, isBareName, type Layouts } from '../companions.ts';
import type { Companion } from '../format.ts';
import { printable } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue, scalarText } from './parse.ts';

/** Groups of one manifest, files of one group and dimensions of one weight: above what any converter writes. */
const GROUPS = 1000;
const SHARDS = 1000;
const RANK = 64;
/** Remarks of one manifest; more say nothing new. */
const REMARKS = 20;

/** Bytes of an element by the type that is stored (tfjs-core, `DTYPE_VALUE_SIZE_MAP`); of texts the size is not said. */
const BYTES: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['float16', 2],
  ['int32', 4],
  ['uint16', 2],
  ['uint8', 1],
  ['bool', 1],
  ['complex64', 8],
]);

type Manifest = { readonly remarks: readonly Remark[]; readonly companions: readonly Companion[] };

/**
 * The weights manifest of a TensorFlow.js model (tfjs-core, `WeightsManifestConfig`): groups of weights, each with the
 * files that hold their bytes, one weight after the other without padding. It is the document itself, or `weightsManifest`
 * of a `model.json`.
 */
export const readManifest = (root: JsonValue, budget: Budget): Manifest => {
  const listed = isObject(root) ? root.entries.get('weightsManifest') : root;
  const groups = isList(listed) ? listed.filter(isGroup) : [];
  const remarks = groups.flatMap(pathsOf).flatMap(({ path, at }) => (leadsOut(path) ? [remarkOn(path, at)] : []));
  const whole = isList(listed) && groups.length === listed.length && groups.length <= GROUPS && remarks.length === 0;
  const companions = whole ? groups.map((group) => companionOf(group, budget)) : [];
  return { remarks: remarks.slice(0, REMARKS), companions: companions.filter((one) => one !== undefined) };
};

const isGroup = (value: JsonValue): value is JsonObject =>
  isObject(value) && isList(value.entries.get('weights')) && isList(value.entries.get('paths'));

const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (isList(value) ? value : []);

const pathsOf = ({ entries, at }: JsonObject): readonly { readonly path: JsonValue; readonly at: number }[] =>
  listOf(entries.get('paths')).map((path) => ({ path, at }));

const leadsOut = (path: JsonValue): boolean => typeof path === 'string' && escapes(path);

const remarkOn = (path: JsonValue, offset: number): Remark => ({
  rule: 'config.weights-path',
  severity: 'high',
  message: 'a file of weights lies outside the folder of the model',
  offset,
  evidence: printable(scalarText(path)),
  refs: ['CWE-22'],
});

/** The files of one group with the bytes of its weights; undefined when a size or a name is not certain. */
const companionOf = ({ entries }: JsonObject, budget: Budget): Companion | undefined => {
  const names = listOf(entries.get('paths')).filter((path) => typeof path === 'string');
  const weights = listOf(entries.get('weights'));
  if (names.length !== listOf(entries.get('paths')).length || names.length > SHARDS) return undefined;
  if (new Set(names).size !== names.length || !names.every(isBareName)) return undefined;
  budget.spend('steps', weights.length);
  const layouts: Layouts = createLayouts();
  let end = 0;
  for (const weight of weights) {
    const bytes = isObject(weight) ? bytesOf(weight) : undefined;
    if (bytes === undefined) return undefined;
    layouts.place('weights', end, end + bytes);
    end += bytes;
  }
  const [laidOut] = layouts.finish().companions;
  return laidOut === undefined || names.length === 0 ? undefined : { ...laidOut, names };
};

/** The bytes of one weight as it is stored: in the type that it was quantised to, if it was. */
const bytesOf = ({ entries }: JsonObject): number | undefined => {
  const quantised = entries.get('quantization');
  const stored = isObject(quantised) ? quantised.entries.get('dtype') : entries.get('dtype');
  const width = typeof stored === 'string' ? BYTES.get(stored) : undefined;
  const shape = entries.get('shape');
  if (width === undefined || !isList(shape) || shape.length > RANK) return undefined;
  let bytes = width;
  for (const size of shape) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
    bytes *= size;
  }
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};
