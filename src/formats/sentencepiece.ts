import { type Cursor, createCursor } from '../bytes/cursor.ts';
import { MIB, within } from '../bytes/limits.ts';
import { section } from '../bytes/random-access.ts';
import { decodeUtf8 } from '../bytes/utf8.ts';
import { obviousInjection } from '../content/injection.ts';
import { WeighbridgeError } from '../errors.ts';
import { type Context, complete, type Format, type Inspection, printable } from './format.ts';

/** Pieces of a vocabulary; the largest have some 260 thousand. */
const PIECES = 4_000_000;
/** Bytes of one field: the normalizer's table has some hundred thousand. */
const FIELD = 64 * MIB;
/** Fields of ModelProto (sentencepiece_model.proto): pieces, trainer, normalizer, self test, denormalizer. */
const FIELDS = [1, 2, 3, 4, 5];
/** Text shorter than this is a piece, not a sentence. */
const SENTENCE = 20;

/** Wire types of protocol buffers. */
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

/** SentencePiece vocabularies (`tokenizer.model`): a list of pieces with scores, and tables. */
export const sentencepiece: Format = {
  name: 'sentencepiece',
  title: 'SentencePiece vocabulary',
  begins: [0x0a],
  recognisedBy: 'a protocol buffer whose first field is a piece: a string, then a 32-bit score',
  checks:
    'every field of the message walked, only known fields, every piece well formed, plain prompt injection in pieces',
  references: ['https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto'],
  recognise(head) {
    const [tag, length, inner, text] = head;
    if (tag !== 0x0a || inner !== 0x0a || length === undefined || text === undefined) return false;
    return length < 0x80 && text < 0x80 && length >= text + 7 && head[4 + text] === 0x15;
  },
  inspect(source, context): Inspection {
    const cursor = createCursor(source);
    let pieces = 0;
    while (cursor.remaining() > 0) {
      context.budget.spend('steps', 1);
      const at = cursor.position;
      const tag = varint(cursor);
      if ((tag & 7) !== BYTES || !FIELDS.includes(tag >> 3))
        invalid(`field ${tag >> 3} is not one of a vocabulary`, at);
      const length = within('SentencePiece field bytes', varint(cursor), FIELD);
      const start = cursor.position;
      if (length > cursor.remaining())
        throw new WeighbridgeError('FORMAT_TRUNCATED', 'a field ends behind the file', { offset: at });
      if (tag >> 3 === 1) {
        pieces = within('SentencePiece pieces', pieces + 1, PIECES);
        checkPiece(createCursor(section(source, start, start + length)), start, context);
      }
      cursor.skip(length);
    }
    return { format: 'sentencepiece', content: 'inert', coverage: complete(source.size), details: { pieces } };
  },
};

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};

/** A varint of at most 32 bits; longer ones are no length or tag here. */
const varint = (cursor: Cursor): number => {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = cursor.u8();
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  return invalid('a number is too long', cursor.position);
};

const checkPiece = (cursor: Cursor, offset: number, context: Context): void => {
  while (cursor.remaining() > 0) {
    const tag = varint(cursor);
    if (tag === ((1 << 3) | BYTES)) {
      const bytes = cursor.bytes(varint(cursor));
      const injection = bytes.length < SENTENCE ? undefined : obviousInjection(decodeUtf8(bytes, offset));
      if (injection === undefined) continue;
      const message = 'a piece of the vocabulary speaks to a language model';
      const refs = ['LLM01:2025', 'AML.T0051'];
      context.report({
        rule: 'sentencepiece.injection',
        severity: 'low',
        message,
        offset,
        evidence: printable(injection),
        refs,
      });
    } else if (tag === ((2 << 3) | FIXED32)) cursor.bytes(4);
    else if (tag === ((3 << 3) | VARINT)) varint(cursor);
    else invalid(`a piece has the unknown field ${tag >> 3}`, offset);
  }
};
