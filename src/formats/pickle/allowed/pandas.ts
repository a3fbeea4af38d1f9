import { anyArguments, anyState } from '../rules/general.ts';
import { buildable, callable, callableWithGlobals, type Row, record, reference, stateful } from './roles.ts';
import type { CallRule } from './types.ts';

/** `_new_Index(class, attributes)` and `__pyx_unpickle_NDArrayBacked(class, checksum, state)` make an object of the class. */
const ofPandas: CallRule = ({ args }) => {
  const [type] = args;
  const known = type?.kind === 'global' && type.module.startsWith('pandas.core.') && type.allowed?.reference === true;
  return known ? undefined : 'it makes only what pandas keeps arrays in';
};

const INDEXES: readonly (readonly [module: string, name: string])[] = [
  ['base', 'Index'],
  ['range', 'RangeIndex'],
  ['multi', 'MultiIndex'],
  ['datetimes', 'DatetimeIndex'],
  ['timedeltas', 'TimedeltaIndex'],
  ['category', 'CategoricalIndex'],
  ['numeric', 'Int64Index'],
  ['numeric', 'UInt64Index'],
  ['numeric', 'Float64Index'],
];

/** Tables of pandas: arrays, names of rows and columns, and how blocks of columns lie in the table. */
export const pandasRows: readonly Row[] = [
  ['pandas.core.frame', ['DataFrame'], record('library')],
  ['pandas.core.series', ['Series'], record('library')],
  ['pandas.core.internals.managers', ['BlockManager', 'SingleBlockManager'], stateful('library')],
  ['pandas._libs.internals', ['_unpickle_block'], callable('library', anyArguments)],
  ['pandas.core.indexes.base', ['_new_Index'], callableWithGlobals('library', ofPandas)],
  ['pandas._libs.arrays', ['__pyx_unpickle_NDArrayBacked'], callableWithGlobals('library', ofPandas, anyState)],
  ...INDEXES.map(([module, name]): Row => [`pandas.core.indexes.${module}`, [name], reference('library')]),
  ['pandas.core.arrays.datetimes', ['DatetimeArray'], reference('library')],
  ['pandas.core.arrays.timedeltas', ['TimedeltaArray'], reference('library')],
  ['pandas.core.arrays.categorical', ['Categorical'], reference('library')],
  ['pandas.core.arrays.string_', ['StringArray'], reference('library')],
  ['pandas.core.arrays.integer', ['IntegerArray'], stateful('library')],
  ['pandas.core.arrays.floating', ['FloatingArray'], stateful('library')],
  ['pandas.core.arrays.boolean', ['BooleanArray'], stateful('library')],
  ['pandas.core.dtypes.dtypes', ['CategoricalDtype', 'DatetimeTZDtype'], buildable('library', anyArguments, anyState)],
  ['pandas.core.arrays.string_', ['StringDtype'], buildable('library', anyArguments, anyState)],
  ['pandas._libs.tslibs.timestamps', ['_unpickle_timestamp'], callable('library', anyArguments)],
  ['pandas._libs.tslibs.timedeltas', ['_timedelta_unpickle'], callable('library', anyArguments)],
  ['pandas._libs.tslibs.nattype', ['_nat_unpickle'], callable('library', anyArguments)],
];
