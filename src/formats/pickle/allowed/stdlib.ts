import { constantsOnly, noArguments, plainState } from '../rules/general.ts';
import {
  dateTime,
  defaultDict,
  deque,
  encode,
  fromBytes,
  fromItems,
  fromPairs,
  memberOf,
  notUnwrapped,
  numbers,
  stringsOnly,
  uuidState,
} from '../rules/stdlib.ts';
import { buildable, callable, callableWithGlobals, enumeration, type Row, record, reference } from './roles.ts';

/** Containers, numbers, dates and paths of Python's standard library. */
export const stdlibRows: readonly Row[] = [
  ['collections', ['OrderedDict', 'Counter'], buildable('tensors', fromPairs, plainState, { container: 'mapping' })],
  [
    'collections',
    ['defaultdict'],
    { ...callableWithGlobals('data', defaultDict, plainState), reference: true, container: 'mapping' },
  ],
  ['collections', ['deque'], buildable('data', deque, plainState, { container: 'list' })],
  ['builtins', ['set'], callable('tensors', fromItems, { reference: true, container: 'set' })],
  ['builtins', ['frozenset', 'tuple'], callable('tensors', fromItems, { reference: true })],
  ['builtins', ['list'], callable('tensors', fromItems, { reference: true, container: 'list' })],
  ['builtins', ['dict'], callable('tensors', fromPairs, { reference: true, container: 'mapping' })],
  ['builtins', ['bytes', 'bytearray'], callable('tensors', fromBytes, { reference: true })],
  ['builtins', ['int', 'float', 'str', 'bool', 'complex'], callable('tensors', constantsOnly(2), { reference: true })],
  ['builtins', ['range', 'slice'], callable('data', numbers, { reference: true })],
  ['builtins', ['object'], callable('data', noArguments, { reference: true })],
  ['builtins', ['Ellipsis', 'NotImplemented', 'None'], reference('data')],
  ['builtins', ['getattr'], callableWithGlobals('data', memberOf)],
  ['_codecs', ['encode'], callable('tensors', encode)],
  ['copyreg', ['_reconstructor', '__newobj__'], callableWithGlobals('data', notUnwrapped)],
  ['argparse', ['Namespace'], record('data')],
  ['types', ['SimpleNamespace'], record('data')],
  [
    'pathlib',
    ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path'],
    callable('data', stringsOnly, { reference: true }),
  ],
  [
    'pathlib._local',
    ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path'],
    callable('data', stringsOnly, { reference: true }),
  ],
  ['datetime', ['datetime', 'date', 'time', 'timedelta', 'timezone'], callable('data', dateTime, { reference: true })],
  ['decimal', ['Decimal'], callable('data', stringsOnly, { reference: true })],
  ['fractions', ['Fraction'], callable('data', constantsOnly(2), { reference: true })],
  ['uuid', ['UUID'], buildable('data', noArguments, uuidState)],
  ['uuid', ['SafeUUID'], enumeration('data')],
  [
    'typing',
    ['Any', 'List', 'Dict', 'Tuple', 'Set', 'Optional', 'Union', 'Sequence', 'Mapping', 'Iterable', 'NoneType'],
    reference('data'),
  ],
  ['types', ['NoneType'], reference('data')],
  ['pytz', ['_UTC'], callable('data', noArguments)],
  ['pytz', ['_p'], callable('data', constantsOnly(4))],
];
