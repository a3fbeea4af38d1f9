import type { RandomAccess } from '../../bytes/random-access.ts';
import { head } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { ascii, binary, type Stream } from './stream.ts';
import { walkValue } from './walk.ts';

/** Oldest readers that the two versions of the encoding name: R 2.3.0 and R 3.5.0. */
const OLDEST: readonly number[] = [0x20300, 0x30500];
/** Bytes of the name of an encoding. */
const ENCODING = 64;

type Header = { readonly start: number; readonly kind: 'xdr' | 'ascii' | 'native'; readonly workspace: boolean };

const latin = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Where the stream of an `.rds` or `.rda` begins; nothing when it is neither. */
const headerOf = (bytes: Uint8Array): Header | undefined => {
  const text = latin(bytes.subarray(0, 64));
  const workspace = /^RD([XAB])[23]\n/.exec(text);
  const start = workspace ? 5 : 0;
  const mark = text.slice(start, start + 2);
  if (mark === 'X\n') {
    const [a, b, c, version] = bytes.subarray(start + 2, start + 6);
    const versioned = a === 0 && b === 0 && c === 0 && (version === 2 || version === 3);
    return versioned ? { start: start + 2, kind: 'xdr', workspace: workspace !== null } : undefined;
  }
  if (mark === 'A\n') {
    const oldest = /^A\n[23]\n[0-9]{1,8}\n([0-9]{1,8})\n/.exec(text.slice(start))?.[1];
    if (oldest === undefined || !OLDEST.includes(Number(oldest))) return undefined;
    return { start: start + 2, kind: 'ascii', workspace: workspace !== null };
  }
  const native = workspace !== null || (mark === 'B\n' && isNative(bytes.subarray(start + 2)));
  return native ? { start: start + 2, kind: 'native', workspace: workspace !== null } : undefined;
};

/** Version and oldest reader as a little-endian machine writes them; those of a big-endian one are XDR but for the mark. */
const isNative = (bytes: Uint8Array): boolean => {
  if (bytes.length < 12) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return OLDEST[view.getUint32(0, true) - 2] === view.getUint32(8, true);
};

/** Version, writer, oldest reader and, from 3 on, the encoding of the session. */
const readPreamble = (stream: Stream): number => {
  const version = stream.integer();
  stream.integer();
  stream.integer();
  if (OLDEST[version - 2] === undefined)
    throw new WeighbridgeError('FORMAT_INVALID', 'R: an encoding that is not known', { offset: 0 });
  if (version === 3) {
    const length = stream.integer();
    if (length < 0 || length > ENCODING)
      throw new WeighbridgeError('FORMAT_INVALID', 'R: no encoding has such a name', { offset: stream.position });
    stream.text(length);
  }
  return version;
};

/** R objects (`saveRDS`, `save`); compressed ones come through the compressed formats. */
export const rds: Format = {
  name: 'rds',
  title: 'R object or workspace',
  begins: [0x58, 0x41, 0x42, 0x52],
  recognisedBy:
    '`X`, `A` or `B` and version 2 or 3 in the first lines, with or without `RDX2`, `RDX3`, `RDA2` and the like before',
  checks:
    'one value to the last byte; vectors, lists, attributes and S4 slots are data; promises, calls, functions, environments, byte code and pointers are refused',
  references: ['R Internals 1.8', 'CVE-2024-27322'],
  recognise: (bytes) => headerOf(bytes) !== undefined,
  inspect(source, context): Inspection {
    const header = headerOf(head(source, 64));
    if (header === undefined) throw new WeighbridgeError('FORMAT_INVALID', 'R: no header', { offset: 0 });
    const stream = streamOf(header, source);
    const version = readPreamble(stream);
    const { content, values } = walkValue(stream, context);
    checkEnd(source, stream.position, header.kind);
    return {
      format: 'rds',
      content,
      coverage: complete(source.size),
      details: { version, values, workspace: header.workspace },
    };
  },
};

const streamOf = ({ kind, start }: Header, source: RandomAccess): Stream =>
  kind === 'ascii' ? ascii(source, start) : binary(source, start, kind === 'native');

const checkEnd = (source: RandomAccess, end: number, kind: Header['kind']): void => {
  const rest = source.read(end, Math.min(16, source.size - end));
  const blank = kind === 'ascii' && rest.length < 16 && rest.every((byte) => byte === 0x0a || byte === 0x0d);
  if (rest.length > 0 && !blank)
    throw new WeighbridgeError('FORMAT_INVALID', 'R: bytes follow the value', { offset: end });
};
