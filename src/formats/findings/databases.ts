import { toFindings } from './types.ts';
import {
  ASK,
  BOUNDS,
  CLEAN,
  CODE,
  DELETE,
  FOREIGN_CODE,
  HIDDEN,
  INJECTION,
  NOT_WRITTEN,
  OBEYED,
  OPAQUE,
  OVERREAD,
  READ,
  RUNS,
  UNKNOWN_RUNS,
  UNPICKLING,
} from './words.ts';

/** Databases, checkpoints and the objects of Torch7. */
export const databaseFindings = toFindings({
  'config.checkpoint-handler': [
    'A checkpoint names the class or function that restores it.',
    'A reader that honours it imports and calls what the file names.',
    ASK,
    FOREIGN_CODE,
  ],
  'flax.odd-key': ['A key by which Python builds objects stands among the parameters.', UNKNOWN_RUNS, ASK, UNPICKLING],
  'lance.path': [
    'A table names a file outside of its folder.',
    'Whoever opens the table opens that file.',
    ASK,
    ['CWE-22', ...FOREIGN_CODE],
  ],
  'lance.pickled-cells': [
    'The cells of a column are pickles.',
    'Code that reads the table unpickles them.',
    ASK,
    UNPICKLING,
  ],
  'ocdbt.disguised-data': [
    'The numbers of an array begin like another kind of file.',
    'No reader of the store takes them for it; whoever cuts them out may.',
    ASK,
    [...HIDDEN, 'CWE-434'],
  ],
  'ocdbt.disguised-file': [
    'A data file of a store begins with a compressed pickle, executable or archive.',
    'Whoever decompresses the file, as some loaders do unasked, gets that and may run it.',
    DELETE,
    [...HIDDEN, 'CWE-434'],
  ],
  'ocdbt.path': [
    'A store names a file outside of its folder.',
    'Whoever opens the store opens that file.',
    ASK,
    ['CWE-22', ...FOREIGN_CODE],
  ],
  'skops.tree': ['A tree has indices that lead out of it.', OVERREAD, DELETE, BOUNDS],
  'sqlite.injection': [
    'A text in the database orders a language model to drop its instructions.',
    OBEYED,
    CLEAN,
    INJECTION,
  ],
  'sqlite.reaching': [
    'The schema calls a function that loads code or touches files.',
    'It runs as soon as somebody queries the view or changes the table, where the application has switched it on.',
    DELETE,
    CODE,
  ],
  'sqlite.schema': ['The schema has an entry of a kind that does not exist.', NOT_WRITTEN, ASK, OPAQUE],
  'sqlite.trigger': [
    'The database has a trigger.',
    'It runs SQL whenever a row changes.',
    READ,
    ['CWE-89', ...FOREIGN_CODE],
  ],
  'sqlite.virtual-table': [
    'A table belongs to a module that SQLite does not bring.',
    'The module decides what is read when the table is queried: files, other databases, the network.',
    ASK,
    FOREIGN_CODE,
  ],
  'torch7.class-unknown': ['The file holds an object of a class that is on no list.', UNKNOWN_RUNS, ASK, UNPICKLING],
  'torch7.function': ['The file holds byte code of Lua.', RUNS, DELETE, UNPICKLING],
});
