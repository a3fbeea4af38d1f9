import { MIB, within } from '../bytes/limits.ts';
import type { RandomAccess } from '../bytes/random-access.ts';
import { escapes } from '../content/targets.ts';
import { WeighbridgeError } from '../errors.ts';
import { unpickles } from './arrow/extension.ts';
import { type Context, type Format, type Inspection, printable } from './format.ts';
import { schemaOf } from './protobuf/schema.ts';
import { all, coverageOf, openWire, text, type Wire, walk } from './protobuf/walk.ts';

/** Bytes of one transaction: it lists the files of a commit. */
const BYTES = 64 * MIB;
/** The version that was read, unless it is zero, and the beginning of an identity. */
const BEGINNING = /^(?:\x08[\x80-\xff]{0,9}[\x01-\x7f])?\x12\x24[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
/** Bytes in which that stands. */
const HEAD = 64;

/**
 * Transactions that add, delete or replace rows (protos/transaction.proto, table.proto, file.proto). Of other operations,
 * and of later fields, nothing is known: the report then is not complete.
 */
const TRANSACTION = schemaOf({
  Transaction:
    '1 read_version int, 2 uuid text, 3 tag text, 100 append Append, 101 delete Delete, 102 overwrite Overwrite',
  Append: '1* fragments Fragment',
  Delete: '1* updated_fragments Fragment, 2* deleted_fragment_ids int, 3 predicate text',
  Overwrite: '1* fragments Fragment, 2* schema Field, 3* schema_metadata Metadata, 4* config_upsert_values Metadata',
  Fragment: '1 id int, 2* files File, 3 deletion_file Deletion, 4 physical_rows int, 5 inline_row_ids bytes',
  File: `
    1 path text, 2* fields int, 3* column_indices int, 4 file_major_version int, 5 file_minor_version int,
    6 file_size_bytes int`,
  Deletion: '1 file_type int, 2 read_version int, 3 id int, 4 num_deleted_rows int',
  Field: `
    1 type int, 2 name text, 3 id int, 4 parent_id int, 5 logical_type text, 6 nullable int, 7 encoding int,
    10* metadata Metadata`,
  Metadata: '1 key text, 2 value bytes',
});

/** What a Lance table (LanceDB) keeps of each change: which files it brought. */
export const lanceTransaction: Format = {
  name: 'lance-transaction',
  title: 'Lance transaction (LanceDB)',
  recognisedBy: 'a message that begins with a version and the identity of a transaction',
  checks:
    'every field of transactions that add, delete or replace rows; files of a table lie in its folder; no pickled extension types of Arrow; other operations are not read, and the report says so',
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
          for (const name of ['append', 'delete', 'overwrite']) operations += all(fields, name).length;
        },
        File: (fields, { start }) => {
          files += 1;
          checkPath(wire, text(wire, fields, 'path'), start);
        },
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
