import { WeighbridgeError } from '../../errors.ts';
import { createLayouts, type Layouts, withLayouts } from '../companions.ts';
import { type Format, type Inspection, printable } from '../format.ts';
import { schemaOf } from '../protobuf/schema.ts';
import { all, coverageOf, type Fields, look, one, openWire, type Wire, walk } from '../protobuf/walk.ts';
import { entriesOf, isTable } from './table.ts';

/** The messages of the index (tensorflow/core/protobuf/tensor_bundle.proto). */
const BUNDLE = schemaOf({
  BundleHeaderProto: '1 num_shards int, 2 endianness int, 3 version VersionDef',
  BundleEntryProto: `
    1 dtype int, 2 shape TensorShapeProto, 3 shard_id int, 4 offset int, 5 size int, 6 crc32c f32,
    7* slices TensorSliceProto`,
  VersionDef: '1 producer int, 2 min_consumer int, 3* bad_consumers int',
  TensorShapeProto: '2* dim TensorShapeProtoDim, 3 unknown_rank int',
  TensorShapeProtoDim: '1 size int, 2 name text',
  TensorSliceProto: '1* extent TensorSliceProtoExtent',
  TensorSliceProtoExtent: '1 start int, 2 length int',
});

/** Bytes of one element by DataType (types.proto), where it is fixed. */
const BYTES: ReadonlyMap<number, number> = new Map([
  ...[4, 6, 10, 11, 12].map((type) => [type, 1] as const),
  ...[5, 14, 15, 16, 17, 19].map((type) => [type, 2] as const),
  ...[1, 3, 13, 22].map((type) => [type, 4] as const),
  ...[2, 8, 9, 23].map((type) => [type, 8] as const),
  [18, 16],
]);

/** DT_STRING: lengths, a checksum and the texts; what reads them makes nothing but texts of them. */
const STRING = 7;
/** Characters of the numbers in the name of a shard (`tensor_bundle/naming.cc`, DataFilename). */
const DIGITS = 5;

/**
 * The index of a TensorFlow checkpoint (`variables.index`): a table of LevelDB from the names of variables to where their
 * bytes are in the shards beside it. The first key is empty and says how many shards there are. Restoring reads numbers
 * from the shards; nothing in the index names a file: a shard has the name of the index with its number.
 */
export const checkpointIndex: Format = {
  name: 'tf-checkpoint-index',
  title: 'Index of a TensorFlow checkpoint',
  recognisedBy: 'the magic number of a LevelDB table at its end',
  checks:
    'blocks follow each other without gap; every entry is a known message with a shard that exists and the size of its shape',
  references: ['tensorflow/core/protobuf/tensor_bundle.proto', 'leveldb/doc/table_format.md', 'CWE-125'],
  recognise: (_head, source, provisional) => provisional !== true && isTable(source),
  inspect(source, context): Inspection {
    const wire = openWire(source, BUNDLE, context, 'tensorflow');
    const facts = { variables: 0, shards: 0 };
    const layouts = createLayouts({ sameStem: true });
    for (const { key, start, end } of entriesOf(source, context)) {
      if (key === '') {
        const header = look(wire, 'BundleHeaderProto', { start, end });
        facts.shards = Number(one(header, 'num_shards')?.value ?? 0);
        walk(wire, 'BundleHeaderProto', { start, end }, {});
        continue;
      }
      if (facts.shards < 1)
        throw new WeighbridgeError('FORMAT_INVALID', 'the table is no checkpoint', { offset: start });
      facts.variables += 1;
      walk(
        wire,
        'BundleEntryProto',
        { start, end },
        {
          BundleEntryProto: (fields) => {
            checkEntry(wire, fields, key, start, facts.shards);
            layOutEntry(layouts, fields, facts.shards);
          },
        },
      );
    }
    return {
      format: 'tf-checkpoint-index',
      content: 'inert',
      coverage: coverageOf(wire),
      ...withLayouts(facts, layouts),
    };
  },
};

const checkEntry = (wire: Wire, fields: Fields, key: string, offset: number, shards: number): void => {
  const number = (name: string): number => Number(one(fields, name)?.value ?? 0);
  const wrong = (message: string): void =>
    wire.context.report({
      rule: 'tensorflow.tensor-size',
      severity: 'high',
      message,
      offset,
      evidence: printable(key),
      refs: ['CWE-125'],
    });
  if (number('shard_id') < 0 || number('shard_id') >= shards) wrong('a variable stands in a shard that does not exist');
  if (number('offset') < 0 || number('size') < 0) wrong('a variable stands before its shard');
  const width = BYTES.get(number('dtype'));
  const shape = one(fields, 'shape');
  if (width === undefined || all(fields, 'slices').length > 0) return;
  const dims = shape === undefined ? [] : all(look(wire, 'TensorShapeProto', shape), 'dim');
  const elements = dims.reduce((product, dim) => {
    const size = one(look(wire, 'TensorShapeProtoDim', dim), 'size')?.value ?? 0;
    return product * BigInt(size);
  }, 1n);
  if (elements * BigInt(width) !== BigInt(number('size'))) wrong('a variable has another size than its shape needs');
};

/** Where the bytes of a variable are. One that is kept in slices has none itself: its slices are entries of their own. */
const layOutEntry = (layouts: Layouts, fields: Fields, shards: number): void => {
  const number = (name: string): number => Number(one(fields, name)?.value ?? 0);
  if (all(fields, 'slices').length > 0) return;
  const digits = (value: number): string => String(value).padStart(DIGITS, '0');
  const name = `.data-${digits(number('shard_id'))}-of-${digits(shards)}`;
  const type = number('dtype');
  // A variant is decoded by whatever wrote it: of an iterator it is a graph that runs.
  if (!BYTES.has(type) && type !== STRING) layouts.refuse(name, 'a variable is more than numbers or texts');
  else layouts.place(name, number('offset'), number('offset') + number('size'));
};
