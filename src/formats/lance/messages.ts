import { schemaOf } from '../protobuf/schema.ts';

/** Encodings that a page of version 2.1 and later is made of (protos/encodings_v2_1.proto). */
const CURRENT = {
  PageLayout: '1 mini MiniBlock, 2 constant ConstantLayout, 3 zip FullZip, 4 blob Blob',
  MiniBlock: `
    1 repetition Encoding, 2 definition Encoding, 3 values Encoding, 4 dictionary Encoding, 5 entries int, 6* layers int,
    7 buffers int, 8 depth int, 9 items int, 10 large int`,
  FullZip: `
    1 bits_repetition int, 2 bits_definition int, 3 bits_value int, 4 bits_offset int, 5 items int, 6 visible int,
    7 values Encoding, 8* layers int`,
  ConstantLayout: '5* layers int, 6 inline bytes',
  Blob: '1 inner PageLayout, 2* layers int',
  Encoding: `
    1 flat Flat, 2 variable Variable, 3 constant Constant, 4 packed OutOfLine, 5 inline Inline, 6 fsst Fsst,
    7 dictionary Pair, 8 rle Pair, 9 split Wrapped, 10 general General, 11 list List, 12 struct Struct, 13 mixed Nothing`,
  Flat: '1 bits int, 2 compression Compression',
  Inline: '1 bits int, 2 compression Compression',
  OutOfLine: '1 bits int, 3 values Encoding',
  Variable: '1 offsets Encoding, 2 compression Compression',
  Constant: '1 value bytes',
  Fsst: '1 symbols bytes, 2 values Encoding',
  Pair: '1 values Encoding, 2 lengths Encoding',
  Wrapped: '1 values Encoding',
  General: '1 compression Compression, 3 values Encoding',
  List: '1 items int, 2 values Encoding, 3 validity int',
  Struct: '1* bits int, 2 values Encoding',
  Compression: '1 scheme int, 2 level int',
  Nothing: '',
};

/** Encodings of arrays in version 2.0 (protos/encodings_v2_0.proto). */
const EARLIER = {
  Array: `
    1 flat ArrayFlat, 2 nullable ArrayNullable, 3 fixed_list ArrayFixedList, 4 list ArrayList, 5 struct Nothing,
    6 binary ArrayBinary, 7 dictionary ArrayDictionary, 8 fsst ArrayFsst, 9 packed ArrayPacked, 10 bits ArrayBits,
    12 positive ArrayBits`,
  ArrayFlat: '1 bits int, 2 buffer ArrayBuffer, 3 compression ArrayCompression',
  ArrayBuffer: '1 index int, 2 kind int',
  ArrayCompression: '1 scheme text, 2 level int',
  ArrayNullable: '1 none ArrayOnly, 2 some ArraySome, 3 all Nothing',
  ArrayOnly: '1 values Array',
  ArraySome: '1 validity Array, 2 values Array',
  ArrayFixedList: '1 dimension int, 2 items Array, 3 validity int',
  ArrayList: '1 offsets Array, 2 adjustment int, 3 items int',
  ArrayBinary: '1 indices Array, 2 bytes Array, 3 adjustment int',
  ArrayDictionary: '1 indices Array, 2 items Array, 3 entries int',
  ArrayFsst: '1 binary Array, 2 symbols bytes',
  ArrayPacked: '1* inner Array, 2 buffer ArrayBuffer',
  ArrayBits: '1 packed int, 2 bits int, 3 buffer ArrayBuffer, 4 signed int',
};

/** What is asked of the descriptions (protos/file.proto, file2.proto, table.proto); other fields say nothing to a loader. */
export const LANCE = schemaOf({
  FileDescriptor: '1 schema Schema',
  Schema: '1* fields Field',
  Field: '2 name text, 3 id int, 4 parent_id int, 5 logical_type text',
  ColumnMetadata: '1 encoding Place, 2* pages Page, 3* buffer_offsets int, 4* buffer_sizes int',
  Page: '1* buffer_offsets int, 2* buffer_sizes int, 3 length int, 4 encoding Place, 5 priority int',
  Place: '1 indirect Nothing, 2 direct Direct, 3 none Nothing',
  Direct: '1 encoding Any',
  Any: '1 type_url text, 2 value bytes',
  ColumnEncoding: '1 values Nothing, 2 zones Nothing, 3 blob Nothing',
  Manifest: '1* fields Field, 2* fragments Fragment, 12 transaction_file text, 18* base_paths BasePath',
  Fragment: '2* files File',
  File: '1 path text',
  BasePath: '1 id int, 2 name text, 3 is_dataset_root int, 4 path text',
  ...CURRENT,
  ...EARLIER,
});
