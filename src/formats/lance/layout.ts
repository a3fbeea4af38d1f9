import { all, look, one, type Wire } from '../protobuf/walk.ts';
import { type Field, latinOf } from '../protobuf/wire.ts';
import { invalid, type Packing, symbolsOf } from './packing.ts';

/** Encodings inside each other: writers need four. */
const DEPTH = 8;
/** Bytes of the widest number; a constant of more may be a text. */
const WIDEST = 16;
/** Bytes of a table of symbols: 255 of eight bytes. */
const TABLE = 4096;
/** How buffers are compressed. */
const CODECS = { 1: 'lz4', 2: 'zstd' } as const;

type Range = { readonly start: number; readonly end: number };

/** What the values of a page are: numbers, in which no text can be; texts; or in words what is not read. */
export type Values = 'numbers' | Packing | { readonly unread: string };
/** How a page lays out its texts. */
export type Layout =
  | { readonly kind: 'numbers' }
  | { readonly kind: 'unread'; readonly why: string }
  | { readonly kind: 'constant' }
  | { readonly kind: 'dictionary'; readonly packing: Packing; readonly entries: number }
  | {
      readonly kind: 'mini';
      readonly packing: Packing;
      readonly levels: number;
      readonly large: boolean;
      readonly items: number;
    }
  | {
      readonly kind: 'zip';
      readonly packing: Packing;
      readonly repetition: number;
      readonly definition: number;
      readonly items: number;
    };

export const countOf = (fields: ReturnType<typeof look>, name: string): number => {
  const value = Number(one(fields, name)?.value ?? 0);
  return Number.isSafeInteger(value) && value >= 0 ? value : invalid(`${name} is no count`, 0);
};

/** How a page of version 2.1 and later is laid out. */
export const layoutOf = (wire: Wire, range: Range): Layout => {
  const fields = look(wire, 'PageLayout', range);
  const [mini, zip, constant] = [one(fields, 'mini'), one(fields, 'zip'), one(fields, 'constant')];
  if ([...fields.values()].flat().length !== 1) return { kind: 'unread', why: 'a page of two layouts or none' };
  if (mini !== undefined) return miniOf(wire, mini);
  if (zip !== undefined) return zipOf(wire, zip);
  if (constant !== undefined) return constantOf(wire, constant);
  return { kind: 'unread', why: 'values that lie outside of the columns' };
};

const miniOf = (wire: Wire, range: Range): Layout => {
  const fields = look(wire, 'MiniBlock', range);
  const values = valuesOf(wire, one(fields, 'values'), 0);
  const dictionary = one(fields, 'dictionary');
  if (typeof values === 'object' && 'unread' in values) return { kind: 'unread', why: values.unread };
  if (dictionary !== undefined) {
    const packing = valuesOf(wire, dictionary, 0);
    if (values !== 'numbers') return { kind: 'unread', why: 'a dictionary without numbers' };
    if (packing === 'numbers') return { kind: 'numbers' };
    if ('unread' in packing) return { kind: 'unread', why: packing.unread };
    return { kind: 'dictionary', packing, entries: countOf(fields, 'entries') };
  }
  if (values === 'numbers') return { kind: 'numbers' };
  if (countOf(fields, 'buffers') !== 1) return { kind: 'unread', why: 'texts in more than one buffer' };
  const levels = all(fields, 'repetition').length + all(fields, 'definition').length;
  return {
    kind: 'mini',
    packing: values,
    levels,
    large: countOf(fields, 'large') === 1,
    items: countOf(fields, 'items'),
  };
};

const zipOf = (wire: Wire, range: Range): Layout => {
  const fields = look(wire, 'FullZip', range);
  const values = valuesOf(wire, one(fields, 'values'), 0);
  if (values === 'numbers') return { kind: 'numbers' };
  if ('unread' in values) return { kind: 'unread', why: values.unread };
  const [repetition, definition] = [countOf(fields, 'bits_repetition'), countOf(fields, 'bits_definition')];
  if (countOf(fields, 'bits_offset') !== values.width * 8 || repetition > 16 || definition > 16)
    return { kind: 'unread', why: 'texts with lengths of another width' };
  return { kind: 'zip', packing: values, repetition, definition, items: countOf(fields, 'items') };
};

const constantOf = (wire: Wire, range: Range): Layout => {
  const inline = one(look(wire, 'ConstantLayout', range), 'inline');
  if (inline === undefined) return { kind: 'constant' };
  return inline.end - inline.start > WIDEST ? { kind: 'unread', why: 'a long constant' } : { kind: 'numbers' };
};

/** What an encoding makes of its buffers. */
const valuesOf = (wire: Wire, range: Range | undefined, depth: number): Values => {
  if (range === undefined || depth > DEPTH) return { unread: 'an encoding that is missing or too deep' };
  const fields = look(wire, 'Encoding', range);
  const [found, ...more] = [...fields.values()].flat();
  if (found === undefined || more.length > 0) return { unread: 'an encoding that is not known' };
  const own = found.spec === undefined ? new Map() : look(wire, found.spec.message, found);
  const within = (name: string): Values => valuesOf(wire, one(own, name), depth + 1);
  switch (found.name) {
    case 'flat':
    case 'inline':
      return 'numbers';
    case 'constant': {
      const value = one(own, 'value');
      return value !== undefined && value.end - value.start > WIDEST ? { unread: 'a long constant' } : 'numbers';
    }
    case 'packed':
    case 'split':
    case 'list':
    case 'struct':
      return onlyNumbers(within('values'), found.name);
    case 'rle':
      return onlyNumbers(within('lengths') === 'numbers' ? within('values') : { unread: 'runs' }, found.name);
    case 'variable':
      return variableOf(wire, own, depth);
    case 'fsst':
      return fsstOf(wire, one(own, 'symbols'), within('values'));
    case 'general':
      return generalOf(wire, own, within('values'));
    default:
      return { unread: `the encoding ${found.name}` };
  }
};

const onlyNumbers = (values: Values, name: string): Values =>
  values === 'numbers' ? values : { unread: `texts in the encoding ${name}` };

const variableOf = (wire: Wire, own: ReturnType<typeof look>, depth: number): Values => {
  const offsets = one(own, 'offsets');
  const flat = offsets === undefined ? undefined : one(look(wire, 'Encoding', offsets), 'flat');
  if (flat === undefined || depth > DEPTH || one(own, 'compression') !== undefined) return { unread: 'packed offsets' };
  const fields = look(wire, 'Flat', flat);
  const bits = countOf(fields, 'bits');
  if ((bits !== 32 && bits !== 64) || one(fields, 'compression') !== undefined) return { unread: 'packed offsets' };
  return { width: bits / 8 };
};

const fsstOf = (wire: Wire, field: Field | undefined, values: Values): Values => {
  if (field === undefined || typeof values !== 'object' || 'unread' in values || values.symbols !== undefined)
    return typeof values === 'object' && 'unread' in values ? values : { unread: 'symbols of numbers' };
  if (field.end - field.start > TABLE) return invalid('a table of symbols is too long', field.start);
  const symbols = symbolsOf(wire.source.read(field.start, field.end - field.start), field.start);
  return symbols === undefined ? values : { ...values, symbols };
};

const generalOf = (wire: Wire, own: ReturnType<typeof look>, values: Values): Values => {
  if (typeof values !== 'object' || 'unread' in values) return values;
  const compression = one(own, 'compression');
  const scheme = compression === undefined ? 0 : countOf(look(wire, 'Compression', compression), 'scheme');
  if ((scheme !== 1 && scheme !== 2) || values.codec !== undefined)
    return { unread: 'a compression that is not known' };
  return { ...values, codec: CODECS[scheme] };
};

/** Name of the message that an encoding holds, without that of its package. */
export const kindOf = (wire: Wire, any: ReturnType<typeof look>): string => {
  const url = latinOf(wire.source, one(any, 'type_url'), 100);
  return url.slice(url.lastIndexOf('.') + 1);
};
