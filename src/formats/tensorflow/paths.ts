import { printable } from '../format.ts';
import { all, type Fields, look, one, text, type Wire } from '../protobuf/walk.ts';
import { constantStrings, type Graph, inputsOf, leadsOut, originOf } from './graph.ts';
import { CHECKPOINT, VOCABULARY } from './judge.ts';

const REFS = ['CWE-22', 'CWE-73', 'AML.T0010'];
/** Which inputs of an operator are paths. */
const PATH_INPUTS: ReadonlyMap<string, readonly number[]> = new Map([
  ['SaveV2', [0]],
  ['RestoreV2', [0]],
  ['CheckpointHasKeyV2', [0]],
  ['MergeV2Checkpoints', [0, 1]],
  ['InitializeTableFromTextFile', [1]],
  ['InitializeTableFromTextFileV2', [1]],
]);

/** What the graphs of one model say about files. */
export type Paths = {
  /** Nodes whose value the loader replaces by the path of an asset or of the checkpoint. */
  readonly replaced: Set<string>;
  /** True when a file is opened whose path the caller of a function gives. */
  opened: boolean;
  /** The first constant that leads out of the model's folder. */
  outside: { readonly value: string; readonly offset: number } | undefined;
};

/** The nodes that the loader feeds, and a finding for each asset that lies elsewhere than in the folder of assets. */
export const readAssets = (wire: Wire, metaGraph: Fields): Set<string> => {
  const replaced = new Set<string>();
  for (const field of all(metaGraph, 'asset_file_def')) {
    const asset = look(wire, 'AssetFileDef', field);
    const tensor = one(asset, 'tensor_info');
    if (tensor !== undefined) replaced.add(nodeOf(text(wire, look(wire, 'TensorInfo', tensor), 'name')));
    const name = text(wire, asset, 'filename');
    if (name !== '' && !leadsOut(name) && !name.startsWith('/')) continue;
    const message = "an asset lies outside the model's folder";
    wire.context.report({
      rule: 'tensorflow.asset',
      severity: 'high',
      message,
      offset: field.at,
      evidence: printable(name),
      refs: REFS,
    });
  }
  const saver = one(metaGraph, 'saver_def');
  if (saver !== undefined) replaced.add(nodeOf(text(wire, look(wire, 'SaverDef', saver), 'filename_tensor_name')));
  return replaced;
};

const nodeOf = (tensor: string): string => tensor.split(':')[0] ?? '';

/** Judges the operators of one graph that open files by where their paths come from. */
export const checkPaths = (wire: Wire, graph: Graph, paths: Paths): void => {
  for (const range of graph.nodes.values()) {
    const { operator } = range;
    if (CHECKPOINT.has(operator) || VOCABULARY.has(operator)) checkOpening(wire, graph, range, operator, paths);
    else if (operator === 'Const') noteConstant(wire, range, paths);
  }
};

const noteConstant = (wire: Wire, range: { start: number; end: number }, paths: Paths): void => {
  if (paths.outside !== undefined) return;
  const node = look(wire, 'NodeDef', range);
  if (paths.replaced.has(text(wire, node, 'name'))) return;
  const strings = constantStrings(wire, node);
  const value = strings.length === 1 ? strings.find(leadsOut) : undefined;
  if (value !== undefined) paths.outside = { value, offset: range.start };
};

const checkOpening = (
  wire: Wire,
  graph: Graph,
  range: { start: number; end: number },
  operator: string,
  paths: Paths,
) => {
  const inputs = inputsOf(wire, look(wire, 'NodeDef', range));
  const wanted = (PATH_INPUTS.get(operator) ?? []).flatMap((index) => inputs[index] ?? []);
  const origin = originOf(wire, graph, wanted);
  const own = origin.constants.filter(({ node }) => !paths.replaced.has(node));
  const fed = origin.caller || own.length < origin.constants.length;
  const outside = own.find(({ value }) => leadsOut(value));
  if (fed) paths.opened = true;
  if (fed && outside === undefined) return;
  wire.context.report({
    rule: 'tensorflow.file-access',
    severity: 'high',
    message: 'the graph opens a file that it names itself',
    offset: range.start,
    evidence: printable(`${operator} ${outside?.value ?? own[0]?.value ?? ''}`),
    refs: REFS,
  });
};

/** A path that leads out, in a model that opens what a caller of its functions names: the caller may be the graph itself. */
export const judgePaths = (wire: Wire, { opened, outside }: Paths): void => {
  if (!opened || outside === undefined) return;
  const { value, offset } = outside;
  const message = "a constant is a path out of the model's folder, and the graph opens files";
  wire.context.report({
    rule: 'tensorflow.path',
    severity: 'medium',
    message,
    offset,
    evidence: printable(value),
    refs: REFS,
  });
};
