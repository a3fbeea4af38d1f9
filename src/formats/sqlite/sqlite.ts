import { fromBytes } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { reportAll } from '../../content/remark.ts';
import { createSecretCells } from '../../content/secret-cells.ts';
import { isFault } from '../../errors.ts';
import { type GatheredRows, notDroppable } from '../dataset-rows.ts';
import {
  type Content,
  type Context,
  complete,
  type Format,
  type Inspection,
  printable,
  worseContent,
} from '../format.ts';
import { type Column, type Pages, readPages, rowsOf } from './pages.ts';

const MAGIC = 'SQLite format 3\0';
/** Values shorter than this are no file of another format. */
const FILE = 4;
/** Functions of SQL that reach out of the database, when the application has switched them on. */
const REACHING = /\b(?:load_extension|readfile|writefile|edit|fts3_tokenizer|zipfile|fsdir)\s*\(/i;
/** Modules of virtual tables that read only the database itself. */
const MODULES = /^(?:fts[345](?:aux|vocab|tokenize)?|rtree(?:_i32)?|geopoly|vec0|json_each|json_tree|dbstat)$/i;

/** SQLite databases: datasets, vector stores (Chroma), caches. */
export const sqlite: Format = {
  name: 'sqlite',
  title: 'SQLite database',
  begins: [0x53],
  recognisedBy: '`SQLite format 3` and a NUL at the start',
  checks:
    'header, the tree of the schema and of every table, no page used twice; triggers, views and virtual tables, functions that reach out; every blob is inspected as a file; plain prompt injection in texts',
  references: ['https://www.sqlite.org/fileformat2.html', 'https://www.sqlite.org/security.html', 'CWE-89'],
  recognise: (head) => String.fromCharCode(...head.subarray(0, 16)) === MAGIC,
  inspect(source, context): Inspection {
    const pages = readPages(source);
    const seen = new Set<number>();
    const tables: number[] = [];
    let content: Content = 'inert';
    for (const { columns, offset } of rowsOf(pages, 1, context.budget, seen)) {
      const [type, name, , root, sql] = columns;
      const statement = textOf(sql, pages);
      content = worseContent(content, judgeEntry(textOf(type, pages), textOf(name, pages), statement, offset, context));
      if (textOf(type, pages) === 'table' && typeof root === 'number' && root > 0) tables.push(root);
    }
    let rows = 0;
    const dataset = createDataset(context);
    const secrets = createSecretCells();
    for (const [table, root] of tables.entries())
      for (const { columns, offset } of rowsOf(pages, root, context.budget, seen)) {
        rows += 1;
        for (const [index, column] of columns.entries()) {
          content = worseContent(content, judgeValue(column, offset, context));
          if (column === null || typeof column === 'number' || column.kind === 'blob') continue;
          const [name, text] = [`table ${table + 1}, column ${index + 1}`, textOrNothing(column.bytes)];
          dataset.cell(name, text, offset);
          secrets.cell(name, text, offset);
        }
        dataset.endRow();
      }
    const { remarks, flagged } = dataset.finish();
    reportAll(
      context,
      [...remarks, ...secrets.finish()].map((remark) =>
        remark.rule === 'text.injection' ? { ...remark, rule: 'sqlite.injection' } : remark,
      ),
      0,
    );
    return {
      format: 'sqlite',
      content,
      coverage: complete(source.size),
      rows: notDroppable(renamed(flagged), 'rows of a database lie in pages that name each other'),
      details: { tables: tables.length, rows },
    };
  },
};

/** Rows of a database have a rule of their own. */
const renamed = (flagged: GatheredRows): GatheredRows => {
  const rename = <T extends { readonly rule: string }>(part: T): T =>
    part.rule === 'text.injection' ? { ...part, rule: 'sqlite.injection' } : part;
  return { ...flagged, rules: flagged.rules.map(rename), shown: flagged.shown.map(rename) };
};

/** Text of the schema; SQL of databases in UTF-16 loses its NUL bytes, which its key words never have. */
const textOf = (column: Column | undefined, { encoding }: Pages): string => {
  if (column === null || column === undefined || typeof column === 'number') return '';
  if (encoding === 1) return decodeUtf8(column.bytes);
  return String.fromCharCode(...column.bytes.filter((byte) => byte !== 0).subarray(0, 20_000));
};

const judgeEntry = (type: string, name: string, sql: string, offset: number, context: Context): Content => {
  const say = (rule: string, severity: 'low' | 'medium' | 'high', message: string): void =>
    context.report({
      rule: `sqlite.${rule}`,
      severity,
      message,
      offset,
      evidence: printable(sql || name),
      refs: ['CWE-89', 'CWE-829'],
    });
  if (REACHING.test(sql)) {
    say('reaching', 'high', 'the schema calls a function that loads code or touches files');
    return 'active';
  }
  const module = /^\s*create\s+virtual\s+table\s[^;]{0,400}?\busing\s+"?([\w]{1,60})/i.exec(sql)?.[1];
  if (module !== undefined && !MODULES.test(module))
    say('virtual-table', 'medium', 'a virtual table of a module of others');
  if (type === 'trigger') say('trigger', 'low', 'a trigger runs SQL when a row changes');
  else if (!['table', 'index', 'view'].includes(type)) say('schema', 'medium', 'an entry of the schema that is none');
  return 'inert';
};

/** A blob is somebody's file when some format recognises it: a pickle in a cache is loaded like any other. */
const judgeValue = (column: Column, offset: number, context: Context): Content => {
  if (column === null || typeof column === 'number' || column.bytes.length < FILE) return 'inert';
  if (column.kind !== 'blob') return 'inert';
  const inner = context.nested(fromBytes(column.bytes), `row at ${offset}`);
  return inner.format === 'unknown' ? 'inert' : inner.content;
};

const textOrNothing = (bytes: Uint8Array): string => {
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    if (isFault(error)) return '';
    throw error;
  }
};
