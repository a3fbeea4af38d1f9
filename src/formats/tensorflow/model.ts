import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Context, type Inspection, type Json, printable } from '../format.ts';
import { judgeKerasText } from '../keras/metadata.ts';
import {
  all,
  coverageOf,
  type Fields,
  look,
  one,
  openWire,
  text,
  type Visitor,
  type Wire,
  walk,
} from '../protobuf/walk.ts';
import { latinOf } from '../protobuf/wire.ts';
import { attributeOf, graphOf } from './graph.ts';
import { judgeOperator, type Verdict } from './judge.ts';
import { checkPaths, judgePaths, type Paths, readAssets } from './paths.ts';
import { TENSORFLOW } from './schema.ts';

const REFS = ['CWE-829', 'AML.T0010', 'LLM03:2025'];

/** What is known of the model so far. */
type State = {
  readonly functions: Set<string>;
  readonly reported: Set<string>;
  readonly operators: Set<string>;
  nodes: number;
  version: string;
  readonly paths: Paths;
};

/** Reads a message of TensorFlow's that holds graphs: `message` is the outermost one, `format` the name of the file format. */
export const inspectGraphs = (source: RandomAccess, context: Context, message: string, format: string): Inspection => {
  const wire = openWire(source, TENSORFLOW, context, 'tensorflow');
  const paths: Paths = { replaced: new Set(), opened: false, outside: undefined };
  const state: State = {
    functions: new Set(),
    reported: new Set(),
    operators: new Set(),
    nodes: 0,
    version: '',
    paths,
  };
  walk(wire, message, { start: 0, end: source.size }, visitorOf(wire, context, state));
  judgePaths(wire, paths);
  return { format, content: 'inert', coverage: coverageOf(wire), details: describe(state) };
};

const visitorOf = (wire: Wire, context: Context, state: State): Visitor => ({
  MetaGraphDef: (fields) => {
    for (const node of readAssets(wire, fields)) state.paths.replaced.add(node);
  },
  MetaGraphDefMetaInfoDef: (fields) => {
    state.version = text(wire, fields, 'tensorflow_version');
  },
  GraphDef: (fields) => {
    for (const name of functionNames(wire, fields)) state.functions.add(name);
    checkPaths(wire, graphOf(wire, fields, 'node', []), state.paths);
  },
  FunctionDef: (fields) => checkPaths(wire, graphOf(wire, fields, 'node_def', argumentsOf(wire, fields)), state.paths),
  NodeDef: (fields, { start }) => checkNode(wire, fields, start, state),
  SavedUserObject: (fields, { start }) => {
    judgeKerasText(text(wire, fields, 'metadata'), start, context);
  },
  KerasObject: (fields, { start }) => {
    judgeKerasText(text(wire, fields, 'metadata'), start, context);
  },
});

const functionNames = (wire: Wire, graph: Fields): string[] => {
  const library = one(graph, 'library');
  if (library === undefined) return [];
  return all(look(wire, 'FunctionDefLibrary', library), 'function').map((field) =>
    text(wire, signatureOf(wire, look(wire, 'FunctionDef', field)), 'name'),
  );
};

const signatureOf = (wire: Wire, body: Fields): Fields => {
  const signature = one(body, 'signature');
  return signature === undefined ? new Map() : look(wire, 'OpDef', signature);
};

const argumentsOf = (wire: Wire, body: Fields): string[] =>
  all(signatureOf(wire, body), 'input_arg').map((field) => text(wire, look(wire, 'OpDefArgDef', field), 'name'));

const checkNode = (wire: Wire, fields: Fields, offset: number, state: State): void => {
  const operator = text(wire, fields, 'op');
  state.nodes += 1;
  state.operators.add(operator);
  if (state.functions.has(operator)) return;
  const verdict = printsToFile(wire, fields, operator) ?? judgeOperator(operator);
  if (verdict === undefined || state.reported.has(operator)) return;
  state.reported.add(operator);
  wire.context.report({ ...verdict, offset, evidence: printable(operator), refs: REFS });
};

/** `PrintV2` appends to the file that its attribute names. */
const printsToFile = (wire: Wire, fields: Fields, operator: string): Verdict | undefined => {
  if (operator !== 'PrintV2') return undefined;
  const stream = attributeOf(wire, fields, 'output_stream');
  const target = stream === undefined ? '' : latinOf(wire.source, one(stream, 's'), 4096);
  if (!/^file:/i.test(target)) return undefined;
  return { rule: 'tensorflow.operator', severity: 'high', message: 'an operator of the graph writes files' };
};

const describe = ({ version, nodes, functions, operators }: State): { [key: string]: Json } => ({
  ...(version === '' ? {} : { tensorflow: printable(version, 40) }),
  nodes,
  functions: functions.size,
  operators: operators.size,
});
