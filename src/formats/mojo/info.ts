import { WeighbridgeError } from '../../errors.ts';

/** The largest count that is believed; what is told by it has to be in a member of that size. */
const COUNT = 2 ** 31 - 1;

/** What a `model.ini` says (hex/genmodel/ModelMojoReader.java, parseModelInfo). */
export type ModelInfo = {
  /** The pairs of `[info]`. */
  readonly values: ReadonlyMap<string, string>;
  /** Lines of `[columns]`. */
  readonly columns: number;
  /** Lines of `[domains]`: the column, how many categories it has, and the file in `domains/` that lists them. */
  readonly domains: readonly { readonly column: number; readonly count: number; readonly file: string }[];
};

const invalid: (message: string) => never = (message) => {
  throw new WeighbridgeError('FORMAT_INVALID', `model.ini ${message}`, { offset: 0 });
};

/** Lines as `BufferedReader.readLine` ends them. */
const LINES = /\r\n|\r|\n/;
/** What `String.trim` takes away, and `\s` of Java. */
const AROUND = /^[\0-\x20]+|[\0-\x20]+$/g;
const EQUALS = /[ \t\n\v\f\r]*=[ \t\n\v\f\r]*/;
const DOMAIN = /^(\d{1,9}):[ \t]{0,9}(\d{1,9}) ([\w.-]{1,200})$/;

/** Reads a `model.ini` as the library does. Throws FORMAT_INVALID for what it would stumble over, and for a key that stands twice. */
export const parseModelInfo = (text: string): ModelInfo => {
  const values = new Map<string, string>();
  const domains: ModelInfo['domains'][number][] = [];
  let columns = 0;
  let section = '';
  for (const whole of text.split(LINES)) {
    const line = whole.replace(AROUND, '');
    if (line === '' || line.startsWith('#')) continue;
    if (line === '[info]' || line === '[columns]' || line === '[domains]') section = line;
    else if (section === '[info]') addPair(values, line);
    else if (section === '[columns]') columns += 1;
    else if (section === '[domains]') domains.push(domainOf(line));
    else invalid('begins with no section');
  }
  const info = { values, columns, domains };
  if (countOf(info, 'n_columns') !== columns) invalid('counts other columns than it names');
  if (domains.some(({ column }) => column >= columns)) invalid('lists categories of no column');
  if (new Set(domains.map(({ column }) => column)).size !== domains.length) invalid('lists categories twice');
  return info;
};

const addPair = (values: Map<string, string>, line: string): void => {
  const match = EQUALS.exec(line) ?? invalid('has a line that is no pair');
  const key = line.slice(0, match.index);
  if (values.has(key)) invalid('has a key that stands twice');
  values.set(key, line.slice(match.index + match[0].length));
};

const domainOf = (line: string): ModelInfo['domains'][number] => {
  const [, column, count, file] = DOMAIN.exec(line) ?? [];
  if (column === undefined || count === undefined || file === undefined)
    return invalid('has an odd list of categories');
  return { column: Number(column), count: Number(count), file };
};

/** The count that a key has; undefined when it is none. */
export const countOf = ({ values }: ModelInfo, key: string): number | undefined => {
  const value = values.get(key) ?? '';
  if (!/^\d{1,10}$/.test(value)) return undefined;
  const count = Number(value);
  return count <= COUNT ? count : undefined;
};

/** The counts that a key lists, as Java prints arrays; undefined when they are none. */
export const countsOf = ({ values }: ModelInfo, key: string): readonly number[] | undefined => {
  const match = /^\[(\d{1,6}(?:, \d{1,6}){0,9999})\]$/.exec(values.get(key) ?? '');
  return match?.[1]?.split(', ').map(Number);
};
