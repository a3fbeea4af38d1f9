import { crc32 } from '../../formats/archive/checksum.ts';
import { inspect } from '../../formats/index.ts';
import { overRanges } from './ranges.ts';

const text = (characters: string): Uint8Array => Uint8Array.from(characters, (unit) => unit.charCodeAt(0));

/** A little-endian number of `bytes` bytes as characters. */
const number = (value: number, bytes: number): string =>
  String.fromCharCode(...Array.from({ length: bytes }, (_, at) => Math.floor(value / 2 ** (8 * at)) & 0xff));

const sized = (json: string): string => `${number(json.length, 8)}${json}`;

/** A zip of stored members, as `torch.save` writes it but for its alignment. */
const zip = (members: readonly (readonly [name: string, data: string])[]): string => {
  let [body, directory] = ['', ''];
  for (const [name, data] of members) {
    const sizes = `${number(crc32(text(data)), 4)}${number(data.length, 4)}${number(data.length, 4)}`;
    const common = `${number(0, 8)}${sizes}${number(name.length, 2)}${number(0, 2)}`;
    directory += `PK\x01\x02${number(0, 2)}${number(0, 2)}${common}${number(0, 10)}${number(body.length, 4)}${name}`;
    body += `PK\x03\x04${number(0, 2)}${common}${name}${data}`;
  }
  const counts = `${number(members.length, 2)}${number(members.length, 2)}`;
  return `${body}${directory}PK\x05\x06${number(0, 4)}${counts}${number(directory.length, 4)}${number(body.length, 4)}${number(0, 2)}`;
};

/** A member of a tar archive (POSIX ustar). */
const tarred = (name: string, data: string): string => {
  const field = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  const before = `${name.padEnd(100, '\0')}${field(0o644, 8)}${field(0, 8)}${field(0, 8)}${field(data.length, 12)}${field(0, 12)}`;
  const after = `0${'\0'.repeat(100)}ustar\x0000${'\0'.repeat(247)}`;
  const sum = text(`${before}        ${after}`).reduce((total, byte) => total + byte, 0);
  return `${before}${sum.toString(8).padStart(6, '0')}\0 ${after}${data.padEnd(512, '\0')}`;
};

/** gzip of one stored block. */
const gzipped = (data: string): string => {
  const length = `${number(data.length, 2)}${number(0xffff - data.length, 2)}`;
  return `\x1f\x8b\x08${number(0, 6)}\xff\x01${length}${data}${number(crc32(text(data)), 4)}${number(data.length, 4)}`;
};

const PICKLE =
  '\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02]q\x03(G?\xf0\x00\x00\x00\x00\x00\x00Neu.';

/** One element of float32 as torch pickles a tensor; the class of empty dictionaries is memo 0. */
const tensor = (name: string, view = ''): string =>
  `X\x01\x00\x00\x00${name}ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n` +
  'X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01' +
  `${view}tQK\x00K\x01\x85K\x01\x85\x89h\x00)RtR`;
const state = (view = ''): string =>
  `\x80\x02ccollections\nOrderedDict\nq\x00)R(${tensor('w', view)}${tensor('v', view)}u.`;
const CHECKPOINT = zip([
  ['a/data.pkl', state()],
  ['a/byteorder', 'little'],
  ['a/data/0', number(0, 4)],
  ['a/version', '3\n'],
]);
/** Five pickles, then the storages: what `torch.save` wrote before 1.6. */
const LEGACY =
  '\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.' +
  '\x80\x02}(X\x10\x00\x00\x00protocol_versionM\xe9\x03X\r\x00\x00\x00little_endian\x88X\n\x00\x00\x00type_sizes}' +
  '(X\x05\x00\x00\x00shortK\x02X\x03\x00\x00\x00intK\x04X\x04\x00\x00\x00longK\x04uu.' +
  `${state('N')}\x80\x02]X\x01\x00\x00\x000a.${number(1, 8)}${number(0, 4)}`;
const CALL = '\x80\x02cos\nsystem\nq\x00X\x01\x00\x00\x00aq\x01\x85q\x02Rq\x03.';
const NPY = `\x93NUMPY\x01\x00${number(118, 2)}${"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }".padEnd(117)}\n${number(0, 4)}`;

/** The commonest kinds of file, as small as they come. */
const SAMPLES: readonly string[] = [
  sized('{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + number(0, 4),
  `GGUF${number(3, 4)}${number(0, 8)}${number(1, 8)}${sized('a.b')}${number(8, 4)}${sized('text')}`,
  PICKLE,
  CALL,
  '\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94\x8c\x03set\x94\x93\x94)R\x94.',
  CHECKPOINT,
  LEGACY,
  zip([['a/data.pkl', CALL]]),
  zip([['a.npy', NPY]]),
  `${tarred('a.txt', 'a\n')}${'\0'.repeat(1024)}`,
  gzipped(PICKLE),
  NPY,
  // A graph of one node in ONNX.
  '\x08\x08:\x11\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gB\x02\x10\x0d',
  '{"text":"a"}\n{"text":"b"}\n',
  '{"architectures":["BertModel"],"hidden_size":8,"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}',
  'import os\n\n\ndef main(path: str) -> None:\n    print(os.path.join(path, "a"))\n',
  '# Model card\n\nSome text, with a [link](https://example.org) and `code`.\n',
  'a,b\n1,2\n3,4\n',
];

/** Runs the parsers once over small files, so that the snapshot holds them compiled: 2 ms less for every file. */
export const warmUp = (): void => {
  for (const sample of SAMPLES) {
    const bytes = text(sample);
    inspect(overRanges(bytes.length, (offset, length) => bytes.subarray(offset, offset + length)));
  }
};
