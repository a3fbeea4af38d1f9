import { type Format, type Inspection, printable } from '../format.ts';
import { schemaOf } from '../protobuf/schema.ts';
import { coverageOf, openWire, peek, text, walk } from '../protobuf/walk.ts';
import { DANGERS, INERT } from './operators.ts';

/** The messages of a program (paddle/fluid/framework/framework.proto, Paddle 2 and 3). */
const PADDLE = schemaOf({
  ProgramDesc: '1* blocks BlockDesc, 4 version Version, 5 op_version_map OpVersionMap',
  Version: '1 version int',
  OpVersionMap: '1* pair OpVersionPair',
  OpVersionPair: '1 op_name text, 2 op_version OpVersion',
  OpVersion: '1 version int',
  BlockDesc: '1 idx int, 2 parent_idx int, 3* vars VarDesc, 4* ops OpDesc, 5 forward_block_idx int',
  OpDesc: '1* inputs OpVar, 2* outputs OpVar, 3 type text, 4* attrs OpAttr, 5 is_target int',
  OpVar: '1 parameter text, 2* arguments text',
  OpAttr: `
    1 name text, 2 type int, 3 i int, 4 f f32, 5 s text, 6* ints int, 7* floats f32, 8* strings text, 10 b int,
    11* bools int, 12 block_idx int, 13 l int, 14* blocks_idx int, 15* longs int, 16* float64s f64, 17 var_name text,
    18* vars_name text, 19 float64 f64, 20 scalar Scalar, 21* scalars Scalar`,
  Scalar: '1 type int, 2 b int, 3 i int, 4 r f64, 5 c Complex',
  Complex: '1 r f64, 2 i f64',
  VarDesc: `
    1 name text, 2 type VarType, 3 persistable int, 4 need_check_feed int, 5 is_parameter int, 6 stop_gradient int,
    7* attrs VarAttr`,
  VarAttr: '1 name text, 2 type int, 3 i int, 4 s text, 5* ints int',
  VarType: `
    1 type int, 2 selected_rows TensorDesc, 3 dense_tensor DenseTensorDesc, 4 tensor_array DenseTensorDesc,
    5 reader ReaderDesc, 7 tuple Tuple, 8 string TensorDesc, 9 strings TensorDesc, 10 vocab TensorDesc,
    11 sparse_coo TensorDesc, 12 sparse_csr TensorDesc`,
  TensorDesc: '1 data_type int, 2* dims int',
  DenseTensorDesc: '1 tensor TensorDesc, 2 lod_level int, 3 legacy_lod_level int',
  ReaderDesc: '1* dense_tensor DenseTensorDesc',
  Tuple: '1* element_type int',
});

/**
 * PaddlePaddle programs (`.pdmodel`, framework.proto, message ProgramDesc): blocks of variables and operators. The runtime
 * computes operators itself, but some of them call Python, read and write files, or exchange tensors with other machines.
 * The weights lie in another file (`.pdiparams`).
 */
export const paddle: Format = {
  name: 'paddle',
  title: 'PaddlePaddle program',
  recognisedBy:
    'a protocol buffer with the fields of ProgramDesc, whose first block has an index and variables or operators',
  checks: 'every field of every message is known; each operator is on the list of inert ones',
  references: ['paddle/fluid/framework/framework.proto', 'CVE-2022-45908', 'CVE-2022-46742', 'CWE-829'],
  recognise(_head, source) {
    const block = peek(source, PADDLE, 'ProgramDesc').fields.find(({ name }) => name === 'blocks');
    if (block === undefined) return false;
    const { fields } = peek(source, PADDLE, 'BlockDesc', block);
    const has = (name: string): boolean => fields.some((field) => field.name === name);
    return has('idx') && (has('vars') || has('ops'));
  },
  inspect(source, context): Inspection {
    const wire = openWire(source, PADDLE, context, 'paddle');
    const reported = new Set<string>();
    let operators = 0;
    const judge = (operator: string, offset: number): void => {
      operators += 1;
      if (INERT.has(operator) || reported.has(operator)) return;
      reported.add(operator);
      const danger = DANGERS.find(([family]) => family.test(operator))?.[1];
      context.report({
        rule: danger === undefined ? 'paddle.unknown-operator' : 'paddle.operator',
        severity: danger === undefined ? 'medium' : 'high',
        message: `an operator of the program ${danger ?? 'is on no list of inert ones'}`,
        offset,
        evidence: printable(operator),
        refs: ['CVE-2022-45908', 'CWE-829', 'AML.T0010'],
      });
    };
    walk(
      wire,
      'ProgramDesc',
      { start: 0, end: source.size },
      {
        OpDesc: (fields, { start }) => judge(text(wire, fields, 'type'), start),
      },
    );
    return { format: 'paddle', content: 'inert', coverage: coverageOf(wire), details: { operators } };
  },
};
