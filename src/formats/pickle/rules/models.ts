import { decodeUtf8 } from '../../../bytes/utf8.ts';
import type { BuildRule, Constant, RuleContext } from '../allowed/types.ts';
import { latinBytes } from '../literals.ts';
import { isCallOf, lookup, textOf, type Value } from '../values.ts';
import { plainState } from './general.ts';

/**
 * Where a constant of the stream stands that may be a file: bytes, text long enough to be one, or characters that stand
 * for bytes, as protocol 2 writes them.
 */
const constantOf = (value: Value | undefined, { bytes }: Pick<RuleContext, 'bytes'>): Constant | undefined => {
  if (value?.kind === 'bytes') return value;
  if (value?.kind === 'str' && value.place) return { ...value.place, literal: undefined };
  if (isCallOf(value, 'builtins', 'bytearray') && value.args.length === 1) return constantOf(value.args[0], { bytes });
  const call = isCallOf(value, '_codecs', 'encode') || isCallOf(value, 'builtins', 'bytearray') ? value : undefined;
  const [text, codec] = call?.args ?? [];
  if (text?.kind !== 'str' || !/^latin-?1$/i.test(textOf(codec) ?? '')) return undefined;
  const place = text.place && { ...text.place, literal: undefined };
  return latinBytes(place === undefined ? text.text : decodeUtf8(bytes({ kind: 'bytes', mutable: false, ...place })));
};

/** True when `value` is nothing, or a whole file of `format` in which everything was understood and nothing found. */
const isModel = (value: Value | undefined, format: string, context: RuleContext): boolean => {
  if (value === undefined || value.kind === 'none') return true;
  const constant = constantOf(value, context);
  if (constant === undefined) return false;
  const found = context.inspect(constant);
  return found.format === format && found.content === 'inert' && found.coverage.state === 'complete';
};

/**
 * The state of a Booster of LightGBM (basic.py): `__setstate__` hands the text under either key to the native reader of
 * models, then keeps the rest as attributes.
 */
export const lightgbmState: BuildRule = (call, state, context) => {
  if (state.kind !== 'dict') return 'the state is not a dict';
  const models = state.entries.filter(([key]) => ['handle', '_handle'].includes(textOf(key) ?? ''));
  if (!models.every(([, model]) => isModel(model, 'lightgbm', context))) return 'its model is none of LightGBM';
  return plainState(call, state, context);
};

/**
 * The state of a Booster of XGBoost (core.py): `__setstate__` hands a snapshot of the model to the native reader, then
 * keeps the rest as attributes.
 */
export const xgboostState: BuildRule = (call, state, context) => {
  if (state.kind !== 'dict') return 'the state is not a dict';
  const models = state.entries.filter(([key]) => textOf(key) === 'handle');
  if (!models.every(([, model]) => isModel(model, 'xgboost-ubj', context))) return 'its model is none of XGBoost';
  return plainState(call, state, context);
};

/**
 * The state of a model of CatBoost (core.py): `__setstate__` hands the bytes under `__model` to the native reader, and
 * keeps the rest as parameters of a training to come.
 */
export const catboostState: BuildRule = (call, state, context) => {
  if (state.kind !== 'dict') return 'the state is not a dict';
  const models = state.entries.filter(([key]) => textOf(key) === '__model');
  if (!models.every(([, model]) => isModel(model, 'catboost', context))) return 'its model is none of CatBoost';
  return plainState(call, state, context);
};

/** Keys of the state of a FileResource. */
const RESOURCE = ['name', 'auto', 'keep_tempfiles', 'suffix', 'prefix', 'fd', '__FILE_RESOURCE_DATA__'];

/**
 * The state of a FileResource of sklearn-crfsuite (_fileresource.py): `__setstate__` writes its data to a new temporary
 * file, whose name is made of `prefix` and `suffix`, and `__del__` removes the file that `name` says. So no name, no
 * folder in the prefix, no suffix that a program looks for, and data that are a model.
 */
export const fileResourceState: BuildRule = (call, state, context) => {
  if (state.kind !== 'dict' || call.states.length > 1) return 'the state is not a dict, or not the first';
  const keys = state.entries.map(([key]) => textOf(key) ?? '');
  if (new Set(keys).size !== keys.length || !keys.every((key) => RESOURCE.includes(key))) return 'a key is not its own';
  if (lookup(state, 'name')?.kind !== 'none') return 'it names a file of its own';
  const affixes = [lookup(state, 'prefix'), lookup(state, 'suffix')].map((affix) => textOf(affix) ?? '');
  if (!/^[a-z]{0,16} (?:|\.crfsuite)$/.test(affixes.join(' '))) return 'the name of its file leads somewhere else';
  return isModel(lookup(state, '__FILE_RESOURCE_DATA__'), 'crfsuite', context)
    ? undefined
    : 'its data are no model of CRFsuite';
};
