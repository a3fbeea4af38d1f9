import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { lz4Frame, zstdFrame } from '../../support/frame-writer.ts';
import { bytes } from '../../support/reports.ts';
import { sevenZipFile } from '../../support/sevenzip-writer.ts';
import { writeTar } from '../../support/tar-writer.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle, hostileZip, rows } from './hostile.ts';
import type { Samples } from './types.ts';

const table = { name: 'rows.csv', data: rows };
const hostile = { name: 'notes.txt', data: hostilePickle };
const plain = Buffer.from(rows);
const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** A table in an archive that 7-Zip made. */
const sevenZip =
  'N3q8ryccAAR8iBs3VwAAAAAAAABOAAAAAAAAACBvu64AMpwKIam4OlpgJZUtQNDgNpXnB5t6ovPvf056T6Dk6rTCJs+BSaaJLTGJA07vmZ8+gIbLzGOoyEpA5pBFZSsz3RzqCUVlZC2awpSYBdXWsOYFsTV/vAABBAYAAQlXAAcLAQABIwMBAQVdABAAAAyCJwAICgGs8fRjAAAFARkFAAAAAAAREwByAG8AdwBzAC4AYwBzAHYAAAAZABUGAQAggKSBAAA=';
/** `rows` as the modules of Python's standard library compress it: no small writer exists for these three. */
const bzip2 = base64('QlpoOTFBWSZTWXoy1JUAAAhZgAAQAAVyAApEyAAgADEAAAagafqTR6jEFShClb9mobbPi7kinChIPRlqSoA=');
const xz = base64(
  '/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQAXZXBvY2gsbG9zcwoxLDAuNQoyLDAuMjUKABdVr5oAASwY00bbCpBCmQ0BAAAAAAFZWg==',
);
const lzma = base64('XQAAgAD//////////wAynAohqbg6WmAlkw0GJTjV//CKAzq/1ZMuoPAH/9kgAAA=');

/** A copy in which the byte at `at` (from the end when negative) is another. */
const changed = (file: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(file);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 0x10;
  return copy;
};

/** What every compressed format must refuse, from its honest file. */
const compressed = (format: string, packed: Uint8Array, wrong = -2): Samples => ({
  format,
  accept: { rows: () => packed },
  reject: {
    'a stream that is cut': () => packed.subarray(0, packed.length - 6),
    'a byte that changed': () => changed(packed, wrong),
    'a pickle behind the stream': () => bytes(packed, hostilePickle),
    'text behind the stream': () => bytes(packed, rows),
  },
});

const containing = (format: string, pack: (content: Uint8Array) => Uint8Array, wrong?: number): Samples => {
  const samples = compressed(format, pack(plain), wrong);
  const inside = {
    'a pickle inside': () => pack(hostilePickle),
    'the same packed twice': () => pack(pack(hostilePickle)),
  };
  return { ...samples, reject: { ...samples.reject, ...inside } };
};

/** A Brotli stream with one block that is not compressed, and an empty last one (RFC 7932, 9.2). */
const stored = (content: Uint8Array): Uint8Array => {
  const header = ((content.length - 1) << 4) | (1 << 20);
  return bytes([header & 255, (header >>> 8) & 255, header >>> 16], content, [3]);
};

export const archiveSamples: readonly Samples[] = [
  {
    format: 'zip',
    accept: {
      stored: () => writeZip([table]),
      'a module': () => writeZip([{ name: 'a.py', data: 'import torch\n' }]),
      'deflated, with a data descriptor': () => writeZip([{ ...table, method: 'deflated', descriptor: 16 }]),
    },
    contents: { 'a module': 'code' },
    reject: {
      'a pickle inside, whatever its name': () => writeZip([table, hostile]),
      'a name that leaves the folder': () => writeZip([{ ...table, name: '../rows.csv' }]),
      'headers that disagree': () => writeZip([{ ...table, local: { name: 'other' } }]),
      'another file before the first member': () => writeZip([table], { prefix: hostilePickle }),
      'a link to the outside': () => writeZip([{ name: 'link', data: '/etc/passwd', mode: 0o120777 }]),
    },
  },
  {
    format: 'tar',
    accept: {
      'a module': () => writeTar([{ name: 'a.py', data: 'import torch\n' }]),
      'one file': () => writeTar([table]),
      'a folder': () => writeTar([{ name: 'd/', type: '5' }, table]),
    },
    contents: { 'a module': 'code' },
    reject: {
      'a pickle inside, whatever its name': () => writeTar([table, hostile]),
      'a name that leaves the folder': () => writeTar([{ ...table, name: '../rows.csv' }]),
      'a link to the outside': () => writeTar([{ name: 'link', type: '2', link: '/etc/passwd' }]),
      'a device': () => writeTar([{ name: 'dev', type: '3' }]),
      'a second archive behind the end': () => bytes(writeTar([table]), writeTar([hostile])),
    },
    cuts: 'the zero blocks behind the end are padding',
  },
  {
    format: '7z',
    accept: {
      'a stored table': () => sevenZipFile([{ name: 'rows.csv', data: plain }]),
      'two files': () =>
        sevenZipFile([
          { name: 'rows.csv', data: plain },
          { name: 'b/rows.csv', data: plain },
        ]),
      'packed by LZMA': () => base64(sevenZip),
    },
    reject: {
      'a pickle that calls': () => sevenZipFile([{ name: 'model.txt', data: hostilePickle }]),
      'a name that leads out': () => sevenZipFile([{ name: '../rows.csv', data: plain }]),
      'a name twice': () =>
        sevenZipFile([
          { name: 'a', data: plain },
          { name: 'a', data: plain },
        ]),
      'a symbolic link': () => sevenZipFile([{ name: 'a', data: bytes('/etc/passwd'), mode: 0xa1ff }]),
      'a checksum that is wrong': () => sevenZipFile([{ name: 'a', data: plain }], { digest: 1 }),
      'a size that is wrong': () => sevenZipFile([{ name: 'a', data: plain }], { size: 5 }),
      'bytes of no file': () => sevenZipFile([{ name: 'a', data: plain }], { between: hostilePickle }),
      'bytes behind the header': () => bytes(sevenZipFile([{ name: 'a', data: plain }]), hostilePickle),
      'what is encrypted': () => sevenZipFile([{ name: 'a', data: plain }], { method: [6, 0xf1, 7, 1] }),
      'a method that is not read': () => sevenZipFile([{ name: 'a', data: plain }], { method: [3, 4, 1] }),
    },
  },
  {
    format: 'brotli',
    accept: {
      rows: () => brotliCompressSync(rows.repeat(20)),
      'bytes that are not compressed': () => stored(bytes(rows)),
    },
    reject: {
      'a pickle inside': () => brotliCompressSync(hostilePickle),
      'a pickle that is not compressed': () => stored(hostilePickle),
      'an archive inside': () => brotliCompressSync(hostileZip),
      'the same packed twice': () => brotliCompressSync(brotliCompressSync(hostilePickle)),
      'a bomb': () => brotliCompressSync(new Uint8Array(1 << 20)),
      'bytes behind the stream': () => bytes(brotliCompressSync(rows.repeat(20)), hostilePickle),
      'bytes that decoders leave out': () => bytes([0x2c, 0x02], stored(bytes(rows))),
    },
  },
  {
    format: 'sealed-archive',
    never: 'archives of these kinds are not opened',
    accept: {},
    reject: {
      lzip: () => bytes('LZIP', [1], new Uint8Array(32)),
      RAR: () => bytes('Rar!', [0x1a, 7, 1, 0], new Uint8Array(32)),
      cabinet: () => bytes('MSCF', new Uint8Array(36)),
    },
  },
  containing('gzip', (content) => gzipSync(content)),
  containing('zlib', (content) => deflateSync(content)),
  containing('lz4', lz4Frame),
  containing('zstd', (content) => zstdFrame(content)),
  compressed('bzip2', bzip2, 30),
  compressed('xz', xz, 40),
  compressed('lzma', lzma, 20),
];
