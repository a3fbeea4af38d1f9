import { createCursor } from '../../bytes/cursor.ts';
import type { Budget } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { eachRecord, eachU32 } from '../numbers.ts';
import { readDatabase } from './cqdb.ts';

/** Bytes of the header of the file, of a chunk and of a feature (crf1d_model.c). */
const HEADER = 48;
const CHUNK = 12;
const FEATURE = 20;
/** Kinds of features: of a state, of a transition. */
const STATE = 0;
const TRANSITION = 1;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `CRFsuite: ${message}`, { offset });
};

const markOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

type Header = {
  readonly labels: number;
  readonly attributes: number;
  /** Where features, labels, attributes and the features of each label and attribute begin. */
  readonly places: readonly number[];
};

/** Models of CRFsuite: weights of features, names of labels and attributes, which features each of them has. */
export const crfsuite: Format = {
  name: 'crfsuite',
  title: 'CRFsuite model',
  begins: [0x6c],
  recognisedBy: '`lCRF` at the start and `FOMC` at byte 8',
  checks:
    'parts follow each other up to the end of the file; every label, attribute, feature and offset that is named exists; hash tables in which a search ends',
  references: ['https://github.com/chokkan/crfsuite/blob/master/lib/crf/src/crf1d_model.c', 'CWE-125'],
  recognise: (head) => markOf(head.subarray(0, 4)) === 'lCRF' && markOf(head.subarray(8, 12)) === 'FOMC',
  inspect(source, { budget }): Inspection {
    const { labels, attributes, places } = readHeader(source);
    const [features = 0, ofLabels = 0, ofAttributes = 0, byLabel = 0, byAttribute = 0] = places;
    const read = readFeatures(source, features, { labels, attributes }, budget);
    if (read.end !== ofLabels) invalid('labels do not follow the features', ofLabels);
    const named = readDatabase(source, ofLabels, budget);
    expectPadding(source, named.end, ofAttributes);
    const attributed = readDatabase(source, ofAttributes, budget);
    if (named.strings < labels || attributed.strings < attributes) invalid('a number without its name', ofLabels);
    expectPadding(source, attributed.end, byLabel);
    const between = readReferences(source, byLabel, ['LFRF', labels], read.count, budget);
    expectPadding(source, between, byAttribute);
    const end = readReferences(source, byAttribute, ['AFRF', attributes], read.count, budget);
    expectPadding(source, end, source.size);
    return {
      format: 'crfsuite',
      content: 'inert',
      coverage: complete(source.size),
      details: { features: read.count, labels, attributes },
    };
  },
};

const readHeader = (source: RandomAccess): Header => {
  const cursor = createCursor(source, 4);
  if (cursor.u32() !== source.size) invalid('a file of another size', 4);
  cursor.skip(4);
  if (cursor.u32() !== 100) invalid('a version that is not known', 12);
  cursor.skip(4);
  const [labels, attributes] = [cursor.u32(), cursor.u32()];
  const places = Array.from({ length: 5 }, () => cursor.u32());
  if (places[0] !== HEADER) invalid('features do not follow the header', 28);
  return { labels, attributes, places };
};

/** Up to three zeros put what follows on a multiple of four. */
const expectPadding = (source: RandomAccess, from: number, to: number): void => {
  if (to < from || to - from > 3 || !source.read(from, to - from).every((byte) => byte === 0))
    invalid('parts do not follow each other', from);
};

const readFeatures = (
  source: RandomAccess,
  start: number,
  { labels, attributes }: { readonly labels: number; readonly attributes: number },
  budget: Budget,
): { readonly end: number; readonly count: number } => {
  const cursor = createCursor(source, start);
  if (markOf(cursor.bytes(4)) !== 'FEAT') invalid('no features', start);
  const size = cursor.u32();
  const count = cursor.u32();
  if (size !== CHUNK + FEATURE * count) invalid('another number of features', start);
  eachRecord(source, { offset: cursor.position, count, size: FEATURE }, budget, (view, at) => {
    const kind = view.getUint32(at, true);
    if (kind !== STATE && kind !== TRANSITION) invalid('a kind of feature that is not known', start);
    const sources = kind === STATE ? attributes : labels;
    if (view.getUint32(at + 4, true) >= sources || view.getUint32(at + 8, true) >= labels)
      invalid('a feature of what does not exist', start);
  });
  return { end: start + size, count };
};

/** Offsets of lists of features, then the lists. Writers add two labels that no list belongs to. Returns the end. */
const readReferences = (
  source: RandomAccess,
  start: number,
  [mark, needed]: readonly [string, number],
  features: number,
  budget: Budget,
): number => {
  const cursor = createCursor(source, start);
  if (markOf(cursor.bytes(4)) !== mark) invalid(`no ${mark}`, start);
  const end = start + cursor.u32();
  const count = cursor.u32();
  if (count < needed || count > needed + 2) invalid(`${mark} has another number of lists`, start);
  let next = cursor.position + 4 * count;
  eachU32(source, cursor.position, count, budget, (offset, index) => {
    if (offset === 0 && index >= needed) return;
    if (offset !== next) invalid(`${mark}: lists do not follow each other`, offset);
    const length = createCursor(source, offset).u32();
    eachU32(source, offset + 4, length, budget, (feature) => {
      if (feature >= features) invalid(`${mark} names a feature that does not exist`, offset);
    });
    next = offset + 4 + 4 * length;
  });
  if (next !== end) invalid(`${mark} ends somewhere else`, next);
  return end;
};
