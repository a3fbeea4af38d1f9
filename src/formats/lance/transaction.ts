import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { escapes } from '../../content/targets.ts';
import { WeighbridgeError } from '../../errors.ts';
import { unpickles } from '../arrow/extension.ts';
import { type Context, type Format, type Inspection, printable } from '../format.ts';
import { schemaOf } from '../protobuf/schema.ts';
import { all, coverageOf, openWire, text, type Wire, walk } from '../protobuf/walk.ts';

/** Bytes of one transaction: it lists the files of a commit. */
const BYTES = 64 * MIB;
/** The version that was read, unless it is zero, and the beginning of an identity. */
const BEGINNING = /^(?:\x08[\x80-\xff]{0,9}[\x01-\x7f])?\x12\x24[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
/** Bytes in which that stands. */
const HEAD = 64;

/**
 * Transactions that change rows, columns, indexes or settings (protos/transaction.proto, table.proto, file.proto). Of the
 * operations that are missing here, and of later fields, nothing is known: the report then is not complete.
 */
const TRANSACTION = schemaOf({
  Transaction: `
    1 read_version int, 2 uuid text, 3 tag text, 4* transaction_properties Metadata, 100 append Append,
    101 delete Delete, 102 overwrite Overwrite, 103 create_index CreateIndex, 104 rewrite Rewrite, 105 merge Merge,
    106 restore Restore, 107 reserve_fragments ReserveFragments, 108 update Update, 109 project Project,
    110 update_config UpdateConfig, 111 data_replacement DataReplacement, 114 update_bases UpdateBases`,
  Append: '1* fragments Fragment',
  Delete: '1* updated_fragments Fragment, 2* deleted_fragment_ids int, 3 predicate text',
  Overwrite: `
    1* fragments Fragment, 2* schema Field, 3* schema_metadata Metadata, 4* config_upsert_values Metadata,
    5* initial_bases BasePath`,
  CreateIndex: '1* new_indices Index, 2* removed_indices Index',
  Rewrite: `
    1* old_fragments Fragment, 2* new_fragments Fragment, 3* groups RewriteGroup, 4* rewritten_indices RewrittenIndex`,
  RewriteGroup: '1* old_fragments Fragment, 2* new_fragments Fragment',
  RewrittenIndex: `
    1 old_id Identity, 2 new_id Identity, 3 new_index_details Details, 4 new_index_version int,
    5* new_index_files IndexFile`,
  Merge: '1* fragments Fragment, 2* schema Field, 3* schema_metadata Metadata, 4 preserves_nullability int',
  Restore: '1 version int',
  ReserveFragments: '1 num_fragments int',
  Update: `
    1* removed_fragment_ids int, 2* updated_fragments Fragment, 3* new_fragments Fragment, 4* fields_modified int,
    6* fields_for_preserving_frag_bitmap int, 7 update_mode int, 8 inserted_rows KeyFilter,
    10* updated_fragment_offset_bitmaps NumberedBytes`,
  KeyFilter: '1* field_ids int, 2 exact KeySet, 3 bloom Bloom',
  KeySet: '1* key_hashes int',
  Bloom: '1 bitmap bytes, 2 num_bits int, 3 number_of_items int, 4 probability f64',
  NumberedBytes: '1 key int, 2 value bytes',
  Project: '1* schema Field, 2 preserves_nullability int',
  UpdateConfig: `
    1* upsert_values Metadata, 2* delete_keys text, 3* schema_metadata Metadata, 4* field_metadata FieldMetadata,
    6 config_updates UpdateMap, 7 table_metadata_updates UpdateMap, 8 schema_metadata_updates UpdateMap,
    9* field_metadata_updates FieldUpdates`,
  FieldMetadata: '1 key int, 2 value FieldMetadataUpdate',
  FieldMetadataUpdate: '5* metadata Metadata',
  FieldUpdates: '1 key int, 2 value UpdateMap',
  UpdateMap: '1* update_entries Metadata, 2 replace int',
  DataReplacement: '1* replacements Replacement',
  Replacement: '1 fragment_id int, 2 new_file File',
  UpdateBases: '1* new_bases BasePath',
  BasePath: '1 id int, 2 name text, 3 is_dataset_root int, 4 path text',
  Index: `
    1 uuid Identity, 2* fields int, 3 name text, 4 dataset_version int, 5 fragment_bitmap bytes, 6 index_details Details,
    7 index_version int, 8 created_at int, 9 base_id int, 10* files IndexFile`,
  Identity: '1 uuid bytes',
  Details: '1 type_url text, 2 value bytes',
  IndexFile: '1 path text, 2 size_bytes int',
  Fragment: `
    1 id int, 2* files File, 3 deletion_file Deletion, 4 physical_rows int, 5 inline_row_ids bytes,
    7 inline_last_updated_at_versions bytes, 9 inline_created_at_versions bytes`,
  File: `
    1 path text, 2* fields int, 3* column_indices int, 4 file_major_version int, 5 file_minor_version int,
    6 file_size_bytes int, 7 base_id int`,
  Deletion: '1 file_type int, 2 read_version int, 3 id int, 4 num_deleted_rows int, 7 base_id int',
  Field: `
    1 type int, 2 name text, 3 id int, 4 parent_id int, 5 logical_type text, 6 nullable int, 7 encoding int,
    10* metadata Metadata`,
  Metadata: '1 key text, 2 value bytes',
});
/** What a transaction may be; it is one of them. */
const OPERATIONS = [...(TRANSACTION.get('Transaction')?.values() ?? [])]
  .filter(({ kind, repeated }) => kind === 'message' && !repeated)
  .map(({ name }) => name);

/** What a Lance table (LanceDB) keeps of each change: which files it brought. */
export const lanceTransaction: Format = {
  name: 'lance-transaction',
  title: 'Lance transaction (LanceDB)',
  begins: [0x08, 0x12],
  recognisedBy: 'a message that begins with a version and the identity of a transaction',
  checks:
    'every field of transactions that change rows, columns, indexes or settings; files of a table lie in its folder; no pickled extension types of Arrow; other operations are not read, and the report says so',
  references: ['https://lancedb.github.io/lance/format.html', 'CVE-2023-47248', 'CWE-22'],
  recognise: (head) => BEGINNING.test(String.fromCharCode(...head.subarray(0, HEAD))),
  inspect(source: RandomAccess, context: Context): Inspection {
    const bytes = source.read(0, within('Lance transaction bytes', source.size, BYTES));
    const pickled = unpickles(bytes, 0, context);
    const wire = openWire(source, TRANSACTION, context, 'lance');
    let [files, operations] = [0, 0];
    walk(
      wire,
      'Transaction',
      { start: 0, end: source.size },
      {
        Transaction: (fields) => {
          for (const name of OPERATIONS) operations += all(fields, name).length;
        },
        File: (fields, { start }) => {
          files += 1;
          checkPath(wire, text(wire, fields, 'path'), start);
        },
        IndexFile: (fields, { start }) => checkPath(wire, text(wire, fields, 'path'), start),
        BasePath: (fields, { start }) => checkPath(wire, text(wire, fields, 'path'), start),
      },
    );
    if (operations !== 1 && wire.unknown.count === 0)
      throw new WeighbridgeError('FORMAT_INVALID', 'Lance: not one operation', { offset: 0 });
    return {
      format: 'lance-transaction',
      content: pickled ? 'active' : 'inert',
      coverage: coverageOf(wire),
      details: { files },
    };
  },
};

const checkPath = ({ context }: Wire, path: string, offset: number): void => {
  if (!escapes(path) && !/^[a-z0-9+]{2,10}:/i.test(path)) return;
  const message = 'a table names a file outside of its folder';
  context.report({
    rule: 'lance.path',
    severity: 'medium',
    message,
    offset,
    evidence: printable(path),
    refs: ['CWE-22'],
  });
};
