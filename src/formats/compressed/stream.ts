import { exceeded } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault, type WeighbridgeError } from '../../errors.ts';
import { type ByteReader, createByteReader } from '../archive/byte-reader.ts';
import { createSink, type Sink } from '../archive/sink.ts';
import {
  type Context,
  type Coverage,
  complete,
  type Format,
  type Inspection,
  incomplete,
  worseContent,
} from '../format.ts';

/** Streams of one file, one after the other. Block compressors write one for each 64 KiB. */
const STREAM_LIMIT = 1_000_000;

/** A compression: how it is recognised, and how one stream of it is decompressed. */
export type Compression = Pick<Format, 'name' | 'title' | 'recognisedBy' | 'checks' | 'references'> & {
  readonly recognise: (head: Uint8Array) => boolean;
  /** Decompresses one stream; the input then stands behind it. `note` records what could not be verified. */
  readonly decode: (input: ByteReader, sink: Sink, note: (message: string) => void) => void;
  /** True when another stream begins at the position of the input. */
  readonly another: (input: ByteReader) => boolean;
  /** Zero bytes behind the last stream are padding that the specification allows. */
  readonly padding: boolean;
};

/**
 * The format of a compressed file: it is decompressed in memory, bounded by the sink, and is what its content is. What a
 * broken stream gave before it broke is inspected too, since loaders read it as it comes.
 */
export const compressedFormat = (compression: Compression): Format => ({
  name: compression.name,
  title: compression.title,
  recognisedBy: compression.recognisedBy,
  checks: compression.checks,
  references: compression.references,
  recognise: (head) => compression.recognise(head),
  inspect: (source, context) => inspectStreams(compression, source, context),
});

const inspectStreams = (compression: Compression, source: RandomAccess, context: Context): Inspection => {
  const input = createByteReader(source);
  const sink = createSink(source.size, context.budget);
  const fault = decodeAll(compression, input, sink, context);
  const trailing = fault === undefined ? judgeTrailing(compression, source, input.position, context) : undefined;
  const plain = fromBytes(sink.bytes.subarray(0, sink.length));
  const child = context.nested(plain, compression.name);
  const details = { size: plain.size, ...(child.format === 'unknown' ? {} : { holds: child.format }) };
  const { content, coverage } = together(child, trailing, source.size);
  const wrapped =
    child.plan === undefined ? {} : { notConvertible: `the checkpoint is wrapped in ${compression.title}` };
  const reason = child.notConvertible === undefined ? wrapped : { notConvertible: child.notConvertible };
  if (fault === undefined) return { format: compression.name, content, coverage, details, ...reason };
  return {
    format: compression.name,
    content: worseContent(content, 'unknown'),
    coverage: incomplete('partial', 0, source.size, fault.message),
    details,
  };
};

const together = (child: Inspection, trailing: Inspection | undefined, size: number) => {
  const worst: Coverage =
    child.coverage.state !== 'complete'
      ? incomplete(child.coverage.state, 0, size, child.coverage.reason)
      : complete(size);
  return {
    content: trailing === undefined ? child.content : worseContent(child.content, trailing.content),
    coverage: worst,
  };
};

const decodeAll = (
  compression: Compression,
  input: ByteReader,
  sink: Sink,
  context: Context,
): WeighbridgeError | undefined => {
  const note = (message: string) =>
    context.report({ rule: `${compression.name}.unverified`, severity: 'info', message, offset: input.position });
  try {
    for (let streams = 1; ; streams += 1) {
      compression.decode(input, sink, note);
      context.budget.spend('steps', 1);
      if (streams > STREAM_LIMIT) exceeded('compressed streams', STREAM_LIMIT);
      if (!compression.another(input)) break;
    }
    sink.finish();
    return undefined;
  } catch (error) {
    if (!isFault(error)) throw error;
    const limit = error.code === 'LIMIT_EXCEEDED';
    context.report({
      rule: `${compression.name}.${limit ? 'limit' : 'malformed'}`,
      severity: 'medium',
      message: `${compression.title}: ${error.message}`,
      offset: Math.min(input.position, input.end),
      refs: limit ? ['CWE-409'] : ['CWE-20'],
    });
    return error;
  }
};

const judgeTrailing = (
  compression: Compression,
  source: RandomAccess,
  position: number,
  context: Context,
): Inspection | undefined => {
  if (position >= source.size) return undefined;
  const rest = section(source, position, source.size);
  if (compression.padding && rest.size <= 64 * 1024 && rest.read(0, rest.size).every((byte) => byte === 0))
    return undefined;
  context.report({
    rule: `${compression.name}.trailing-bytes`,
    severity: 'high',
    message: `${rest.size} bytes follow the compressed stream`,
    offset: position,
    refs: ['CWE-436'],
  });
  return context.nested(rest, 'trailing bytes');
};
