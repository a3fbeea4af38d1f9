import { zstdCompressSync } from 'node:zlib';
import { crc32c } from '../../../src/formats/archive/checksum.ts';
import { u32, u64 } from '../../support/little-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const [MANIFEST, KEYS] = [bytes([0x0c, 0xdb, 0x3a, 0x2a]), bytes([0x0c, 0xdb, 0x20, 0xde])];

/** A part that is not compressed, with its length before it and its checksum behind. */
const part = (magic: Uint8Array, content: Uint8Array, off = 0): Uint8Array => {
  const whole = bytes(magic, u64(content.length + 18), [0, 0], content);
  return bytes(whole, u32((crc32c(whole) + off) >>> 0));
};
const varint = (value: number): Uint8Array =>
  value < 128 ? bytes([value]) : bytes([(value & 127) | 128], varint(Math.floor(value / 128)));
const varints = (values: readonly number[]): Uint8Array => bytes(...values.map(varint));
/** Names that share nothing; `between` stands before the texts. */
const names = (texts: readonly string[], between: Uint8Array): Uint8Array =>
  bytes(varints(texts.slice(1).map(() => 0)), varints(texts.map((text) => text.length)), between, ...texts);
const files = (paths: readonly string[]): Uint8Array =>
  bytes(varint(paths.length), names(paths, varints(paths.map(() => 0))));

type Value = { readonly key: string; readonly start: number; readonly length: number };
const leaf = (
  file: string,
  values: readonly Value[],
  inline: readonly (readonly [string, string | Uint8Array])[] = [],
): Uint8Array =>
  bytes(
    [0],
    files([file]),
    varint(values.length + inline.length),
    names([...values.map(({ key }) => key), ...inline.map(([key]) => key)], bytes()),
    varints([...values.map(({ length }) => length), ...inline.map(([, text]) => text.length)]),
    varints([...values.map(() => 1), ...inline.map(() => 0)]),
    varints(values.map(() => 0)),
    varints(values.map(({ start }) => start)),
    ...inline.map(([, text]) => text),
  );

const ARRAY = '{"shape":[4],"chunks":[4],"dtype":"<f4","compressor":null,"filters":null,"order":"C","zarr_format":2}';
const NUMBERS = new Uint8Array(16).fill(0x3f);
type Data = {
  readonly chunk?: Uint8Array;
  readonly hidden?: Uint8Array;
  readonly file?: string;
  readonly shift?: number;
  readonly off?: number;
  readonly inline?: readonly (readonly [string, string | Uint8Array])[];
};
/** The data file of a store of one array: its numbers, its description, a node. */
const data = ({
  chunk = NUMBERS,
  hidden = bytes(),
  file = 'd/00',
  shift = 0,
  off = 0,
  inline,
}: Data = {}): Uint8Array => {
  const values = [
    { key: 'w/0', start: 0, length: chunk.length },
    { key: 'w/.zarray', start: chunk.length + hidden.length + shift, length: ARRAY.length },
  ];
  return bytes(chunk, hidden, ARRAY, part(KEYS, leaf(file, values, inline), off));
};
const manifest = ({ file = 'd/00', behind = bytes(), compression = 1 } = {}): Uint8Array => {
  const settings = bytes(new Uint8Array(16), varints([0, 100, 1 << 23]), [4, compression], u32(0));
  const version = bytes([1, 1, 0], varints([0, 134, 90, 2, 90, 134]), u64(1));
  return part(MANIFEST, bytes(settings, files([file]), version, [0], behind));
};

/** Key-value stores of arrays. */
export const storeSamples: readonly Samples[] = [
  {
    format: 'ocdbt',
    accept: {
      'a manifest': () => manifest(),
      'numbers and their description': () => data(),
      'a value in its node': () => data({ inline: [['w/.zattrs', '{}']] }),
      'an array that a node of another file names': () => data({ hidden: bytes(ARRAY) }),
    },
    reject: {
      'a file outside of the folder': () => manifest({ file: '../../etc/passwd' }),
      'bytes behind a manifest': () => manifest({ behind: hostilePickle }),
      'a compression that is not known': () => manifest({ compression: 7 }),
      'a data file outside of the folder': () => data({ file: '/etc/passwd' }),
      'a wrong checksum': () => data({ off: 1 }),
      'values that overlap': () => data({ shift: -1 }),
      'numbers that decompress to a pickle': () => data({ chunk: zstdCompressSync(hostilePickle) }),
      'bytes that no node names': () => data({ hidden: hostilePickle }),
      'a value that is a pickle': () => data({ inline: [['w/weights.pkl', hostilePickle]] }),
    },
  },
];
