import { createBudget, MIB } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { createSink } from '../archive/sink.ts';
import { compressedFormat } from '../compressed/stream.ts';
import type { Format } from '../format.ts';
import { decodeBrotli } from './decoder.ts';

/** Bytes of the largest file that is tried, and of what the smallest holds: anything decompresses to nothing. */
const TRIED = 64 * MIB;
const LEAST = 16;

/** There is no magic number: what decompresses whole, to its last byte, is Brotli; a bomb is one too. */
const decompresses = (source: RandomAccess): boolean => {
  if (source.size > TRIED) return false;
  const input = createByteReader(source);
  const sink = createSink(source.size, createBudget());
  try {
    decodeBrotli(input, sink);
    return input.position === source.size && sink.length >= LEAST;
  } catch (error) {
    if (!isFault(error)) throw error;
    return error.code === 'LIMIT_EXCEEDED';
  }
};

const stream = compressedFormat({
  name: 'brotli',
  title: 'Brotli',
  recognisedBy: 'a file that nothing else recognises, and that decompresses whole, to its last byte',
  checks: 'codes, lengths and distances, padding, nothing that decoders leave out; the content is inspected',
  references: ['RFC 7932'],
  recognise: (head) => decompresses(fromBytes(head)),
  decode: decodeBrotli,
  another: () => false,
  padding: false,
});

export const brotli: Format = {
  ...stream,
  lastResort: true,
  recognise: (_head, source, provisional) => provisional !== true && decompresses(source),
};
