import { createCursor } from '../../bytes/cursor.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { escapes } from '../../content/targets.ts';
import { type Context, complete, type Format, type Inspection, incomplete, printable } from '../format.ts';
import { all, look, text } from '../protobuf/walk.ts';
import { byteAt, fieldsIn } from '../protobuf/wire.ts';
import { type Data, described, readData, whole } from './data.ts';
import { LANCE } from './messages.ts';
import { invalid } from './packing.ts';

/** Bytes of the ending of a table's description or an older data file. */
const SHORT = 16;
/** Messages before the description of a table: its last transaction, its indexes. */
const BLOCKS = 8;
/** The last version of data files whose encodings are settled. */
const LAST = 2;

/** Types of columns whose cells hold no text and no file; containers, whose items are columns of their own. */
const NUMBERS =
  /^(?:null|bool|u?int(?:8|16|32|64)|halffloat|float|double|(?:decimal|date|time|timestamp|duration)[\w:/+.-]*(?:\(\w+\))?|fixed_size_list:(?:bool|u?int(?:8|16|32|64)|halffloat|bfloat16|lance\.bfloat16|float|double):\d+|struct|map|(?:large_)?list(?:\.struct)?)$/;
/** Types of columns whose cells are read. */
const TEXTS = /^(?:(?:large_)?(?:string|binary)|dict:(?:large_)?string:u?int(?:8|16|32|64):\w+)$/;

type Ending = { readonly kind: 'data' | 'older'; readonly major: number; readonly minor: number };

/** The last eight bytes: two halves of a version, and the mark. */
const endingOf = (source: RandomAccess): Ending | undefined => {
  if (source.size < SHORT) return undefined;
  const bytes = source.read(source.size - 8, 8);
  if (bytes[4] !== 0x4c || String.fromCharCode(...bytes.subarray(4)) !== 'LANC') return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const [major, minor] = [view.getUint16(0, true), view.getUint16(2, true)];
  return { kind: (major === 0 && minor === 3) || major === 2 ? 'data' : 'older', major, minor };
};

/** Files of Lance tables (LanceDB): data, and the descriptions of a table's versions. */
export const lance: Format = {
  name: 'lance',
  title: 'Lance table (LanceDB)',
  recognisedBy: '`LANC` at the end',
  checks:
    'endings, descriptions, columns and pages inside the file; no pickled extension types of Arrow; files of a table lie in its folder; cells of texts in pages of versions 2.0 to 2.2 against the rules for data, plain, in dictionaries, by symbols (FSST) or compressed; other cells are not read, and the report says so',
  references: ['https://lancedb.github.io/lance/format.html', 'CVE-2023-47248', 'CWE-22'],
  recognise: (_head, source, provisional) => provisional !== true && endingOf(source) !== undefined,
  inspect(source, context): Inspection {
    const ending = endingOf(source) ?? invalid('no ending', 0);
    const { types, unread, rows } =
      ending.kind === 'data' ? judgedData(source, ending, context) : readOlder(source, context);
    return {
      format: 'lance',
      content: 'inert',
      coverage: unread === '' ? complete(source.size) : incomplete('partial', 0, source.size, unread),
      ...(rows === undefined ? {} : { rows }),
      details: { version: `${ending.major}.${ending.minor}`, columns: types.length },
    };
  },
};

/** A data file, and whether every cell of it is a number or was read. */
const judgedData = (source: RandomAccess, ending: Ending, context: Context): Data => {
  const data = readData(source, ending, context);
  // A data file that does not say what its columns are leaves that to the table.
  if (data.types.length === 0) return { ...data, unread: 'it does not say what its columns are' };
  const odd = data.types.find((type) => !NUMBERS.test(type) && !TEXTS.test(type));
  if (odd !== undefined) return { ...data, unread: `cells of the type ${printable(odd, 40)} are not read` };
  if (ending.major === 2 && ending.minor > LAST && data.types.some((type) => TEXTS.test(type)))
    return { ...data, unread: `cells of version ${ending.major}.${ending.minor} are not read: it is not settled` };
  return data.unread === '' ? data : { ...data, unread: `cells are not read: ${data.unread}` };
};

/** What stands before it are messages of their own, each behind its length. */
const expectBlocks = (source: RandomAccess, end: number): void => {
  const cursor = createCursor(source);
  for (let [blocks, fields] = [0, 0]; cursor.position < end; blocks++) {
    const at = cursor.position;
    const length = cursor.u32();
    if (blocks > BLOCKS || length > end - cursor.position) invalid('bytes before the description', at);
    const part = section(source, at + 4, at + 4 + length);
    // Fields are read to the end of the message, or the reader throws.
    for (const _ of fieldsIn(byteAt(part), LANCE, 'Manifest', 0, length)) fields += 1;
    if (fields === 0 && length > 0) invalid('a part that is no message', at);
    cursor.skip(length);
  }
};

/** A description whose length stands before it: of a table, which names files, or of an older data file. */
const readOlder = (source: RandomAccess, context: Context): Data => {
  const cursor = createCursor(source, source.size - SHORT);
  const start = cursor.u64();
  cursor.position = start;
  const length = cursor.u32();
  const wire = described(source, start + 4, length, context);
  const manifest = look(wire, 'Manifest', whole(wire));
  if (start + 4 + length !== source.size - SHORT || all(manifest, 'fields').length === 0)
    return { types: [], unread: 'a data file before version 2' };
  expectBlocks(source, start);
  const say = (path: string): void => {
    if (!escapes(path) && !/^[a-z0-9+]{2,10}:/i.test(path)) return;
    const message = 'a table names a file outside of its folder';
    const refs = ['CWE-22'];
    context.report({ rule: 'lance.path', severity: 'medium', message, offset: start, evidence: printable(path), refs });
  };
  say(text(wire, manifest, 'transaction_file'));
  for (const base of all(manifest, 'base_paths')) say(text(wire, look(wire, 'BasePath', base), 'path'));
  for (const fragment of all(manifest, 'fragments')) {
    context.budget.spend('steps', 1);
    for (const file of all(look(wire, 'Fragment', fragment), 'files'))
      say(text(wire, look(wire, 'File', file), 'path'));
  }
  return { types: [], unread: '' };
};
