import { f64, u32 } from './little-writer.ts';
import { bytes } from './reports.ts';

type Model = {
  /** Kind, source and target of the one feature. */
  readonly feature?: readonly [kind: number, source: number, target: number];
  /** The feature that the lists name. */
  readonly named?: number;
  /** A place that a bucket of the labels names. */
  readonly bucket?: number;
  /** Without it a search for an unknown label does not end. */
  readonly empty?: boolean;
};

const TABLES = 256;

/** A database of one string: header, tables of buckets, the string, buckets, the place of each number. */
const database = (text: string, { bucket, empty = true }: Model): Uint8Array => {
  const record = bytes(u32(0, text.length + 1), text, [0]);
  const first = 24 + 8 * TABLES;
  const table = first + record.length;
  const buckets = bytes(u32(1, bucket ?? first), empty ? u32(0, 0) : new Uint8Array());
  const tables = bytes(u32(table, buckets.length / 8), new Uint8Array(8 * (TABLES - 1)));
  const backward = table + buckets.length;
  const size = backward + 4;
  return bytes('CQDB', u32(size, 0, 0x62445371, 1, backward), tables, record, buckets, u32(first));
};

const padded = (part: Uint8Array): Uint8Array => bytes(part, new Uint8Array((4 - (part.length % 4)) % 4));

/** A model of CRFsuite with one label, one attribute and one feature, as crf1d_model.c writes it. */
export const crfModel = (model: Model = {}): Uint8Array => {
  const [kind, source, target] = model.feature ?? [0, 0, 0];
  const features = bytes('FEAT', u32(12 + 20, 1, kind, source, target), f64(0.5));
  const labels = padded(database('noun', model));
  const attributes = padded(database('w=a', {}));
  const lists = (mark: string, start: number): Uint8Array =>
    bytes(mark, u32(12 + 4 + 8, 1), u32(start + 16, 1, model.named ?? 0));
  const [atLabels, atAttributes] = [48 + features.length, 48 + features.length + labels.length];
  const byLabel = atAttributes + attributes.length;
  const byAttribute = byLabel + 24;
  const size = byAttribute + 24;
  const header = bytes('lCRF', u32(size), 'FOMC', u32(100, 0, 1, 1, 48, atLabels, atAttributes, byLabel, byAttribute));
  return bytes(header, features, labels, attributes, lists('LFRF', byLabel), lists('AFRF', byAttribute));
};
