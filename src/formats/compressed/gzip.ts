import { createBudget } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { adler32, crc32 } from '../archive/checksum.ts';
import type { Sink } from '../archive/sink.ts';
import { createSink } from '../archive/sink.ts';
import { inflate } from './inflate.ts';
import { compressedFormat } from './stream.ts';

/** Bytes of a name or comment in a gzip header. */
const TEXT_LIMIT = 4096;

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', message);
};

const skipText = (input: ByteReader): void => {
  for (let length = 0; input.next() !== 0; length += 1)
    if (length > TEXT_LIMIT) invalid('text in the header is too long');
};

/** One gzip member (RFC 1952) from `input` into `sink`, its checksum and size checked. */
export const decodeGzip = (input: ByteReader, sink: Sink): void => {
  const start = input.position;
  if (input.next() !== 0x1f || input.next() !== 0x8b || input.next() !== 8) invalid('no gzip header');
  const flags = input.next();
  if ((flags & 0xe0) !== 0) invalid('reserved flags are set');
  input.bytes(6);
  if ((flags & 4) !== 0) input.bytes(input.next() | (input.next() << 8));
  if ((flags & 8) !== 0) skipText(input);
  if ((flags & 16) !== 0) skipText(input);
  if ((flags & 2) !== 0) {
    const length = input.position - start;
    input.position = start;
    const sum = crc32(input.bytes(length)) & 0xffff;
    if ((input.next() | (input.next() << 8)) !== sum) invalid('the checksum of the header is wrong');
  }
  const begin = sink.length;
  inflate(input, sink);
  const plain = sink.bytes.subarray(begin, sink.length);
  if (input.u32() !== crc32(plain)) invalid('the checksum is wrong');
  if (input.u32() !== plain.length >>> 0) invalid('the size is wrong');
};

export const gzip = compressedFormat({
  name: 'gzip',
  title: 'gzip',
  begins: [0x1f],
  recognisedBy: 'The bytes 1F 8B.',
  checks:
    'Header, every member, checksum and size of each, nothing behind the last but zeros; the content is inspected.',
  references: ['RFC 1952', 'RFC 1951'],
  recognise: (head) => head[0] === 0x1f && head[1] === 0x8b,
  decode: decodeGzip,
  another: (input) => {
    const at = input.position;
    const more = input.poll() === 0x1f && input.poll() === 0x8b;
    input.position = at;
    return more;
  },
  padding: true,
});

/** One stream from `input` into `sink`, its checksum checked. */
export const decodeZlib = (input: ByteReader, sink: Sink): void => {
  if (!isZlibHeader(input.next(), input.next())) invalid('no zlib header');
  const begin = sink.length;
  inflate(input, sink);
  const sum = ((input.next() << 24) | (input.next() << 16) | (input.next() << 8) | input.next()) >>> 0;
  if (sum !== adler32(sink.bytes.subarray(begin, sink.length))) invalid('the checksum is wrong');
};

/** Method 8, window up to 32 KiB, no preset dictionary, header checksum. */
const isZlibHeader = (first = 0, second = 0): boolean =>
  (first & 15) === 8 && first >>> 4 <= 7 && (second & 0x20) === 0 && (first * 256 + second) % 31 === 0;

/** Two bytes are a weak magic (a text pickle that begins with `(S` has it): the beginning must really inflate. */
const reallyInflates = (head: Uint8Array): boolean => {
  const input = createByteReader(fromBytes(head), 2);
  try {
    inflate(input, createSink(head.length, createBudget()));
    return true;
  } catch (error) {
    // Cut by the end of `head` (what the decoder makes of the missing bits is no matter), or a bomb: the inspection tells.
    const cut = isFault(error, 'FORMAT_TRUNCATED') || (isFault(error) && input.position >= head.length);
    return isFault(error, 'LIMIT_EXCEEDED') || (cut && head.length >= 4096);
  }
};

export const zlib = compressedFormat({
  name: 'zlib',
  title: 'zlib stream',
  recognisedBy: 'A zlib header whose data really inflate.',
  checks: 'The stream and its checksum, nothing behind it; the content is inspected.',
  references: ['RFC 1950', 'RFC 1951'],
  recognise: (head) => isZlibHeader(head[0], head[1]) && reallyInflates(head),
  decode: decodeZlib,
  another: () => false,
  padding: false,
});
