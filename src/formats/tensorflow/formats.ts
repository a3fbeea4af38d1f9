import type { RandomAccess } from '../../bytes/random-access.ts';
import type { Format, Inspection } from '../format.ts';
import { isMediaPipe } from '../mediapipe/recognise.ts';
import { coverageOf, openWire, peek, walk } from '../protobuf/walk.ts';
import { type Field, textOf } from '../protobuf/wire.ts';
import { inspectGraphs } from './model.ts';
import { TENSORFLOW } from './schema.ts';

/**
 * TensorFlow's graph files: protocol buffers of tensorflow/core/protobuf. A SavedModel (saved_model.pb) holds meta graphs;
 * a meta graph (.meta) holds a graph, its assets, savers and signatures; a graph (frozen .pb) holds nodes, each naming an
 * operator, and a library of functions with nodes of their own. Loading runs initialisers, calling a signature runs the
 * rest: operators that read and write files, call Python or other machines are programs, and TensorFlow does not hold
 * them back. Keras keeps JSON about layers beside the graph (keras_metadata.pb, or inside) and revives layers from it.
 */
type Range = { readonly start: number; readonly end: number };

const CHECKS =
  'every field of every message is known; each operator of graphs and functions is on the list of inert ones, or a function of the model; ' +
  'files are opened only where the loader or the caller names them; assets lie in the folder of assets; Keras metadata without code';
const REFERENCES = [
  'tensorflow/core/protobuf/{saved_model,meta_graph}.proto',
  'tensorflow/SECURITY.md',
  'CVE-2021-41228',
  'CVE-2022-29216',
  'CWE-829',
];

const peekIn = (source: RandomAccess, message: string, range: Range) => peek(source, TENSORFLOW, message, range);
const all = (source: RandomAccess): Range => ({ start: 0, end: source.size });
const some = (fields: readonly Field[], name: string, test: (field: Field) => boolean): boolean =>
  fields.some((field) => field.name === name && test(field));

const NAME = /^[A-Za-z_][A-Za-z0-9_>./-]{0,200}$/;

const isNode = (source: RandomAccess, range: Range): boolean => {
  const { fields } = peekIn(source, 'NodeDef', range);
  return some(fields, 'op', (field) => field.end - field.start <= 200 && NAME.test(safeText(source, field)));
};

const safeText = (source: RandomAccess, field: Field): string => {
  const bytes = source.read(field.start, field.end - field.start);
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? textOf(source, field) : '';
};

const isGraph = (source: RandomAccess, range: Range): boolean => {
  const { fields } = peekIn(source, 'GraphDef', range);
  const inLibrary = (field: Field): boolean =>
    some(peekIn(source, 'FunctionDefLibrary', field).fields, 'function', isFunction);
  const isFunction = (field: Field): boolean =>
    some(peekIn(source, 'FunctionDef', field).fields, 'signature', isSignature);
  // A meta graph has its graph where a graph has its library: a name of a node is not a signature with a name.
  const isSignature = (field: Field): boolean => {
    const { fields, fits } = peekIn(source, 'OpDef', field);
    return fits && some(fields, 'name', (name) => NAME.test(safeText(source, name)));
  };
  return some(fields, 'node', (field) => isNode(source, field)) || some(fields, 'library', inLibrary);
};

const isMetaGraph = (source: RandomAccess, range: Range): boolean =>
  some(peekIn(source, 'MetaGraphDef', range).fields, 'graph_def', (field) => isGraph(source, field));

export const savedModel: Format = {
  name: 'tf-savedmodel',
  title: 'TensorFlow SavedModel',
  recognisedBy: 'a protocol buffer with the fields of SavedModel, holding a meta graph with a graph with a node',
  checks: CHECKS,
  references: REFERENCES,
  recognise: (_head, source) =>
    some(peekIn(source, 'SavedModel', all(source)).fields, 'meta_graphs', (field) => isMetaGraph(source, field)),
  inspect: (source, context) => inspectGraphs(source, context, 'SavedModel', 'tf-savedmodel'),
};

export const metaGraph: Format = {
  name: 'tf-metagraph',
  title: 'TensorFlow meta graph',
  recognisedBy: 'a protocol buffer with the fields of MetaGraphDef, holding a graph with a node',
  checks: CHECKS,
  references: REFERENCES,
  recognise: (_head, source) => isMetaGraph(source, all(source)),
  inspect: (source, context) => inspectGraphs(source, context, 'MetaGraphDef', 'tf-metagraph'),
};

export const graphDef: Format = {
  name: 'tf-graphdef',
  title: 'TensorFlow graph',
  recognisedBy: 'a protocol buffer with the fields of GraphDef, holding a node with the name of an operator',
  checks: CHECKS,
  references: REFERENCES,
  // MediaPipe writes its graphs alike; a graph with one of its calculators loads in no TensorFlow.
  recognise: (_head, source) => isGraph(source, all(source)) && !isMediaPipe(source),
  inspect: (source, context) => inspectGraphs(source, context, 'GraphDef', 'tf-graphdef'),
};

export const kerasMetadata: Format = {
  name: 'keras-metadata',
  title: 'Keras metadata of a SavedModel',
  recognisedBy: 'a protocol buffer with the fields of SavedMetadata, whose objects have identifiers of Keras',
  checks:
    'every field of every message is known; the JSON of each object names no code and no class that is constructed from code',
  references: ['keras/protobuf/saved_metadata.proto', 'CVE-2024-3660'],
  recognise: (_head, source) =>
    some(peekIn(source, 'SavedMetadata', all(source)).fields, 'nodes', (field) =>
      some(peekIn(source, 'KerasObject', field).fields, 'identifier', (name) =>
        /^_tf_keras_/.test(safeText(source, name)),
      ),
    ),
  inspect: (source, context) => inspectGraphs(source, context, 'SavedMetadata', 'keras-metadata'),
};

/** Bytes of a fingerprint: five hashes, a version and an identifier. */
const FINGERPRINT = 512;

export const fingerprint: Format = {
  name: 'tf-fingerprint',
  title: 'Fingerprint of a SavedModel',
  recognisedBy: 'a protocol buffer with the fields of FingerprintDef: at least two hashes and a version',
  checks: 'every field is known',
  references: ['tensorflow/core/protobuf/fingerprint.proto'],
  recognise(_head, source) {
    if (source.size > FINGERPRINT) return false;
    const { fields, fits } = peekIn(source, 'FingerprintDef', all(source));
    const hashes = fields.filter(({ spec }) => spec?.kind === 'int');
    return fits && hashes.length >= 2 && some(fields, 'version', (field) => peekIn(source, 'VersionDef', field).fits);
  },
  inspect(source, context): Inspection {
    const wire = openWire(source, TENSORFLOW, context, 'tensorflow');
    walk(wire, 'FingerprintDef', all(source), {});
    return { format: 'tf-fingerprint', content: 'inert', coverage: coverageOf(wire) };
  },
};
