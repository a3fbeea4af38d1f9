import { flat, graph, mapped } from '../../support/faiss-writer.ts';
import { array, doubles, fields, matFile, part } from '../../support/mat-writer.ts';
import { bytes } from '../../support/reports.ts';
import { sqliteFile } from '../../support/sqlite-file.ts';
import * as torch7 from '../../support/torch7-writer.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const numbers = array(6, [2, 2], 'x', doubles(4));
const nodeOf = (loader: string, module: string, name: string, content: unknown = {}): unknown => ({
  __loader__: loader,
  __module__: module,
  __class__: name,
  __id__: 1,
  content,
});
const skops = (root: unknown): Uint8Array =>
  bytes(writeZip([{ name: 'schema.json', data: JSON.stringify(root), method: 'deflated' }]));

/** Models and data of MATLAB, scikit-learn and databases outside of pickles. */
export const estimatorSamples: readonly Samples[] = [
  {
    format: 'mat',
    accept: {
      numbers: () => matFile(numbers),
      'a structure': () => matFile(array(2, [1, 1], 's', fields('a'), numbers)),
    },
    reject: {
      'a function handle': () => matFile(array(16, [1, 1], 'f', numbers)),
      'an object of a class': () => matFile(array(3, [1, 1], 'o', part(1, bytes('evil')), fields('a'), numbers)),
      'more elements than there are': () => matFile(array(6, [2, 3], 'x', doubles(4))),
      'a giant shape': () => matFile(array(6, [0x7fffffff, 0x7fffffff], 'x', doubles(4))),
    },
    cuts: 'a file may end behind any variable',
  },
  {
    format: 'skops',
    accept: {
      estimator: () => skops(nodeOf('ObjectNode', 'sklearn.linear_model._logistic', 'LogisticRegression')),
      values: () => skops(nodeOf('ListNode', 'builtins', 'list', [])),
    },
    contents: { estimator: 'library' },
    reject: {
      'a process': () => skops(nodeOf('ObjectNode', 'subprocess', 'Popen')),
      'a class of nobody knows whom': () => skops(nodeOf('ObjectNode', 'mine', 'Model')),
      'a method': () => skops(nodeOf('MethodNode', 'builtins', 'str', { func: 'format' })),
      'a tree without nodes': () => skops(nodeOf('TreeNode', 'sklearn.tree._tree', 'Tree')),
      'a node type that is none': () => skops(nodeOf('EvilNode', 'builtins', 'dict')),
    },
  },
  {
    format: 'sqlite',
    accept: { 'a table': () => sqliteFile('create table t (v);', 'some text', new Uint8Array(16)) },
    reject: {
      'a pickle in a row': () => sqliteFile('create table t (v);', hostilePickle),
      'a view that loads code': () => sqliteFile("create table t (v); create view w as select load_extension('x');"),
      'half a page': () => sqliteFile('create table t (v);').subarray(0, 700),
    },
  },
  {
    format: 'faiss',
    accept: { flat: () => flat(3, 2), 'with ids': () => mapped(flat(2, 2), 2, 7, 9), graph: () => graph() },
    reject: {
      'fewer values than vectors': () => flat(3, 2, 5),
      'a neighbour that does not exist': () => graph([70_000, 0]),
      'offsets beyond the neighbours': () => graph([1, 0], [0, 1, 900]),
      'a kind that is not read': () => bytes('IwPQ', new Uint8Array(60)),
    },
  },
  {
    format: 'torch7',
    accept: {
      tensor: () => torch7.tensor(1, 4),
      'a layer': () => torch7.object(1, 'nn.Linear', torch7.table(2, [torch7.text('weight'), torch7.tensor(3, 4)])),
    },
    reject: {
      'a function': () => torch7.table(1, [torch7.text('f'), bytes(torch7.u32(6, 9, 4), 'LUAQ')]),
      'a class of nobody knows whom': () => torch7.object(1, 'evil.Class', torch7.table(2)),
      'a storage beyond the file': () => torch7.tensor(1, 0x7fffffff, 4),
    },
  },
];
