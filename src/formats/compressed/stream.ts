import { type Budget, exceeded } from '../../bytes/limits.ts';
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
  type Plan,
  worseContent,
} from '../format.ts';

/** Streams of one file, one after the other. Block compressors write one for each 64 KiB. */
const STREAM_LIMIT = 1_000_000;

/** A compression: how it is recognised, and how one stream of it is decompressed. */
export type Compression = Pick<Format, 'name' | 'title' | 'recognisedBy' | 'checks' | 'references' | 'begins'> & {
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
export const compressedFormat = (compression: Compression): CompressedFormat => ({
  name: compression.name,
  title: compression.title,
  recognisedBy: compression.recognisedBy,
  checks: compression.checks,
  references: compression.references,
  ...(compression.begins === undefined ? {} : { begins: compression.begins }),
  recognise: (head) => compression.recognise(head),
  inspect: (source, context) => inspectStreams(compression, source, context),
  decompress(source, budget) {
    const sink = createSink(source.size, budget);
    decodeStreams(compression, createByteReader(source), sink, budget, () => undefined);
    return sink.bytes.subarray(0, sink.length);
  },
});

export type CompressedFormat = Format & {
  /** What `inspect` inspects, of a file without fault. Throws as the decoder does, LIMIT_EXCEEDED when it is too much. */
  decompress(source: RandomAccess, budget: Budget): Uint8Array;
};

const inspectStreams = (compression: Compression, source: RandomAccess, context: Context): Inspection => {
  const input = createByteReader(source);
  const sink = createSink(source.size, context.budget);
  const fault = decodeAll(compression, input, sink, context);
  const trailing = fault === undefined ? judgeTrailing(compression, source, input.position, context) : undefined;
  const plain = fromBytes(sink.bytes.subarray(0, sink.length));
  const child = context.nested(plain, compression.name);
  const details = { size: plain.size, ...(child.format === 'unknown' ? {} : { holds: child.format }) };
  const { content, coverage } = together(child, trailing, source.size);
  const planned = planOf(compression, child, trailing, plain.size);
  if (fault === undefined) return { format: compression.name, content, coverage, details, ...planned };
  return {
    format: compression.name,
    content: worseContent(content, 'unknown'),
    coverage: incomplete('partial', 0, source.size, fault.message),
    details,
  };
};

/** The plan of what is inside, whose places are then those of the decompressed bytes, or why there is none. */
const planOf = (
  { name, title }: Compression,
  { plan, notConvertible, coverage }: Inspection,
  trailing: Inspection | undefined,
  size: number,
): { readonly plan: Plan } | { readonly notConvertible?: string } => {
  if (plan === undefined) return notConvertible === undefined ? {} : { notConvertible };
  if (trailing !== undefined) return { notConvertible: `bytes follow the checkpoint wrapped in ${title}` };
  if (coverage.state !== 'complete') return { notConvertible: `wrapped in ${title}: ${coverage.reason}` };
  const { by, size: inner } = plan.wrapped ?? { by: [], size };
  return { plan: { ...plan, wrapped: { by: [name, ...by], size: inner } } };
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

/** Every stream of the file into the sink. */
const decodeStreams = (
  compression: Compression,
  input: ByteReader,
  sink: Sink,
  budget: Budget,
  note: (message: string) => void,
): void => {
  for (let streams = 1; ; streams += 1) {
    compression.decode(input, sink, note);
    budget.spend('steps', 1);
    if (streams > STREAM_LIMIT) exceeded('compressed streams', STREAM_LIMIT);
    if (!compression.another(input)) break;
  }
  sink.finish();
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
    decodeStreams(compression, input, sink, context.budget, note);
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
