import type { RandomAccess } from '../../bytes/random-access.ts';
import { peek } from '../protobuf/walk.ts';
import { type Field, textOf } from '../protobuf/wire.ts';
import { DANGERS, FILE_CONTENTS, INERT } from './names.ts';
import { MEDIAPIPE } from './schema.ts';

/** Bytes of the longest name that is looked at. */
const NAME = 200;

const named = (source: RandomAccess, { start, end }: Field): string => {
  const node = peek(source, MEDIAPIPE, 'Node', { start, end });
  const calculator = node.fields.find(({ name }) => name === 'calculator');
  if (!node.fits || calculator === undefined || calculator.end - calculator.start > NAME) return '';
  const bytes = source.read(calculator.start, calculator.end - calculator.start);
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f) ? textOf(source, calculator) : '';
};

const isOwn = (name: string): boolean =>
  INERT.has(name) || name === FILE_CONTENTS || (name.endsWith('Calculator') && DANGERS.some(([own]) => own.test(name)));

/**
 * True when the file is a graph of MediaPipe: all its first fields are those of CalculatorGraphConfig, those of its nodes
 * fit too, and one of them is a calculator of MediaPipe's own. TensorFlow, whose graphs are written alike, has no such
 * operator and no such fields beside the nodes, and loads no graph with an operator that it does not have.
 */
export const isMediaPipe = (source: RandomAccess): boolean => {
  const { fields, fits } = peek(source, MEDIAPIPE, 'CalculatorGraphConfig');
  if (!fits) return false;
  const names = fields.filter(({ name }) => name === 'node').map((field) => named(source, field));
  return names.every((name) => name !== '') && names.some(isOwn);
};
