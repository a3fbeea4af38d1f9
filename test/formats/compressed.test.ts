import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { fromBytes } from '../../src/bytes/random-access.ts';
import { sha256Hex } from '../../src/bytes/sha256.ts';
import { crc32, xxh32 } from '../../src/formats/archive/checksum.ts';
import { brotli } from '../../src/formats/brotli/brotli.ts';
import { bzip2 } from '../../src/formats/compressed/bzip2.ts';
import { gzip, zlib } from '../../src/formats/compressed/gzip.ts';
import { lz4 } from '../../src/formats/compressed/lz4.ts';
import { lzma } from '../../src/formats/compressed/lzma.ts';
import { xxh3 } from '../../src/formats/compressed/xxh3.ts';
import { xxh64 } from '../../src/formats/compressed/xxh64.ts';
import { xz } from '../../src/formats/compressed/xz.ts';
import { zstd } from '../../src/formats/compressed/zstd.ts';
import { type Context, complete, type Format } from '../../src/formats/format.ts';
import { lz4Frame, zstdFrame } from '../support/frame-writer.ts';
import { callForms, pickled, text } from '../support/pickle-assembler.ts';
import { bitFlips, passes, reportOf, rules } from '../support/reports.ts';

const ALL: Readonly<Record<string, Format>> = { gzip, zlib, bzip2, xz, lzma, lz4, zstd };
/** A pickle that would make an empty marker file; built from opcodes, never loaded. */
const HOSTILE = pickled(4, callForms['reduce']?.('os', 'system', [text('true')]) ?? '');

type Sample = { name: string; kind: string; variant: string; plain: Buffer; packed: Buffer };

/** Compressed by Python's own modules; one process for all. */
const samples: readonly Sample[] = execFileSync(
  'python3',
  [join(import.meta.dirname, '../support/compressed-samples.py')],
  {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  },
)
  .trim()
  .split('\n')
  .map((line) => {
    const { plain, packed, ...rest } = JSON.parse(line);
    return { ...rest, plain: Buffer.from(plain, 'base64'), packed: Buffer.from(packed, 'base64') };
  });

/** What a format hands on as the decompressed file, and what it finds. */
const decompress = (format: Format, packed: Uint8Array) => {
  const found: string[] = [];
  let plain = Buffer.alloc(0);
  const context: Context = {
    path: [],
    budget: createBudget(),
    provisional: false,
    report: ({ rule, severity }) => found.push(`${rule}:${severity}`),
    nested(source, name) {
      if (name === format.name) plain = Buffer.from(source.read(0, source.size));
      return { format: 'x', content: 'inert', coverage: complete(source.size) };
    },
  };
  const inspection = format.inspect(fromBytes(packed), context);
  return { plain, found, inspection };
};

t.test('what Python compresses comes out as it went in', async (t) => {
  t.equal(samples.length, 42);
  for (const { name, kind, variant, plain, packed } of samples) {
    const format = ALL[kind];
    if (format === undefined) throw new Error(kind);
    const result = decompress(format, packed);
    t.ok(result.plain.equals(plain), `${name} ${variant}`);
    t.match(result.inspection, { content: 'inert', coverage: { state: 'complete' } });
    t.notOk(
      result.found.some((finding) => !finding.endsWith(':info')),
      `${result.found}`,
    );
    const recognised = Object.values(ALL).filter((other) =>
      other.recognise(packed.subarray(0, 4096), fromBytes(packed)),
    );
    t.same(
      recognised.map((other) => other.name),
      [kind],
      `${name} ${variant} is recognised as nothing else`,
    );
  }
});

const lines = Buffer.from(Array.from({ length: 200 }, (_, i) => `epoch ${i}\n`).join(''));

t.test('checksums are those of their specifications', async (t) => {
  const abc = Buffer.from('abc');
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  t.equal(xxh32(abc), 0x32d153ff);
  t.equal(xxh64(abc), 0x44bc2cf5ad770999n);
  t.equal(xxh3(abc), 0x78af5f94892f3950n);
  // Every length up to 699, and around the ends of stripes and blocks, as the `xxhash` package 4.1.0 for Python has them.
  const data = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i * 7 + i * 13 + (i >> 8) * 31) & 255);
  const others = [1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 2049, 2112, 2113, 4096, 65535, 65536, 65537, 70_000];
  const lengths = [...Array.from({ length: 700 }, (_, length) => length), ...others];
  const all = lengths.map((length) => xxh3(data.subarray(0, length)).toString(16).padStart(16, '0')).join('');
  t.equal(sha256Hex(Buffer.from(all)), 'f043b40acee5c18e5fbb30d8dacde59dbd3a31d34e79d58986a938ddbc7979aa');
});

t.test('what Node compresses with Brotli comes out as it went in', async (t) => {
  const numbers = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * i * 7 + (i >> 3)) & 255));
  const prose = Buffer.from(`${'The quick brown fox was in the house of the people. '.repeat(9)} Ausführung, ПРИВЕТ`);
  for (const plain of [lines, numbers, prose, await readFile(import.meta.filename)]) {
    for (const quality of [0, 1, 4, 5, 9, 11]) {
      for (const [window, mode] of [
        [22, constants.BROTLI_MODE_GENERIC],
        [10, constants.BROTLI_MODE_TEXT],
        [16, constants.BROTLI_MODE_FONT],
      ] as const) {
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: quality,
          [constants.BROTLI_PARAM_LGWIN]: window,
          [constants.BROTLI_PARAM_MODE]: mode,
        };
        const packed = brotliCompressSync(plain, { params });
        const what = `${plain.length} bytes, quality ${quality}, window ${window}`;
        t.ok(brotli.recognise(packed.subarray(0, 4096), fromBytes(packed)), what);
        t.ok(decompress(brotli, packed).plain.equals(plain), what);
        const behind = Buffer.concat([packed, Buffer.from([0])]);
        t.notOk(brotli.recognise(behind, fromBytes(behind)), `${what}, and a byte behind`);
      }
    }
  }
});

t.test('numbers without a mark are not taken for Brotli', async (t) => {
  const seed = Buffer.from(Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 11) & 255));
  const taken = [...bitFlips(seed, 500, 3)].filter((bytes) => brotli.recognise(bytes, fromBytes(bytes)));
  t.equal(taken.length, 0);
  t.equal(reportOf(seed).format, 'unknown');
});

/** Sixty lines, compressed by lz4 1.9.4 -9 and zstd 1.5.4 -19. */
const sixty = Buffer.from(Array.from({ length: 60 }, (_, i) => `epoch ${i} loss 0.${(i * 7) % 100}\n`).join(''));
const TOOL_FRAMES = {
  lz4: [
    'BCJNGGRAp+cBAADyAmVwb2NoIDAgbG9zcyAwLjAKEQAUMREAEzcRABQyEQAjMTQSABQzEgAjMjESABU0EgATOBIAFDUSACMzNRIA',
    'FDYSACM0MhIAFTcSABM5EgAUOBIAIzU2EgAUORIAJDYzoQAFswAVN7QABrUABLYAFTG3ABQ4twAVMbgAFDm4ABUxuQAUObkAFTG6',
    'AAS5ABUxugAUMboAFTG7ABQxuwAVMbwAFDK8ABUxvQAUM70AFTK9ABQ0vQAVMr0AFTRzAQW9ABQ1vQAVMr0AFDa9ABUyvQAUNr0A',
    'FTK9ABQ3vgAVMr4AFDi+ABUyvgAUOL4AFTK+ABQ5vgAWMr4ABPgBBb0AFDG9ABUzvQAUMb0AFTO9ABUyMQIFvQAUM70AFTO9ABQz',
    'vQAVM70AFDS9ABUzvQAUNb0AFTO9ABQ1vQAVM70AFDa9ABUzvQAUN74AFTS+ABQ4vgAVNL4AFDi+ABU0vgAUOb4AFTS+AAXvAgW9',
    'AAS8ABU0vAAUMbwAFTS8ABQyvAAVNLwAFDK8ABU0vAAUM7wAFTS8ABQ0vAAVNbwAFDW8ABU1vAAUNbwAFTW8ABQ2vAAVNbwAFDe9',
    'ABU1vQAVN60DBb4AFDi+ABU1vgAUOb4AFTW+ABQ5vgAWNXoBBBIAA70AUDAuMTMKAAAAAGY+nsM=',
  ],
  zstd: [
    'KLUv/WRjAzUFACIMHBKwqQMAIqKSOCillCnJtOud4EDA8Mjuqke3W5k1ptZZXj4+GrtWS+fNHF/LWKx46ojsXj3dtzFn3BZZWGaO',
    'zs6qRq8bmTR+yywunTmqHauk3868sbWKpQqHjm7nqulzq9kxWwSKUIIkOYygBMVwIER2qBEQ+v0z4K0GEBTlAwCz/5/W97qVvLZf',
    '/3uDWr//t757Q87/b1rC/cz7JSu39kogVQEUENDo',
  ],
};

t.test('frames of the reference tools', async (t) => {
  for (const [name, lines64] of Object.entries(TOOL_FRAMES)) {
    const packed = Buffer.from(lines64.join(''), 'base64');
    const format = ALL[name];
    const result = format === undefined ? undefined : decompress(format, packed);
    t.ok(result?.plain.equals(sixty), name);
    t.same(result?.found, []);
    for (const flipped of bitFlips(packed, 200, 9)) {
      const again = format?.recognise(flipped, fromBytes(flipped)) ? decompress(format, flipped) : undefined;
      if (again !== undefined && again.found.length === 0 && !again.plain.equals(sixty)) t.fail(`${name}: silent`);
    }
  }
});

t.test('frames with stored blocks, several frames and skippable frames', async (t) => {
  for (const [format, frame] of [
    [lz4, lz4Frame(lines)],
    [zstd, zstdFrame(lines)],
  ] as const) {
    const skip = Buffer.from('502a4d18030000000a0b0c', 'hex');
    t.ok(decompress(format, frame).plain.equals(lines), format.name);
    t.ok(decompress(format, Buffer.concat([frame, skip, frame])).plain.equals(Buffer.concat([lines, lines])));
    const wrong = Buffer.from(frame);
    wrong[wrong.length - 1] = (wrong[wrong.length - 1] ?? 0) ^ 1;
    t.same(decompress(format, wrong).found, [`${format.name}.malformed:medium`]);
  }
  t.same(decompress(zstd, zstdFrame(lines, false)).found, ['zstd.unverified:info']);
});

t.test('a payload is found in every compression, also compressed twice, under any name', async (t) => {
  const gz = samples.find(({ name, kind }) => name === 'one' && kind === 'gzip');
  t.ok(gz, 'there is a sample');
  for (const frame of [
    lz4Frame(Buffer.from(HOSTILE)),
    zstdFrame(Buffer.from(HOSTILE)),
    lz4Frame(zstdFrame(Buffer.from(HOSTILE))),
  ]) {
    t.equal(reportOf(frame).content, 'active');
  }
});

t.test('bytes behind the stream are a finding, and inspected', async (t) => {
  for (const { name, kind, variant, packed } of samples) {
    if (name !== 'text') continue;
    const report = reportOf(Buffer.concat([packed, HOSTILE]));
    t.ok(rules(report).includes(`${kind}.trailing-bytes`), variant);
    t.equal(report.content, 'active', variant);
  }
});

t.test('a stream that breaks never passes, and what came out before is inspected', async (t) => {
  for (const { name, kind, variant, packed } of samples) {
    if (name !== 'text' && name !== 'one') continue;
    const step = Math.max(1, Math.floor(packed.length / 16));
    for (let length = 19; length < packed.length; length += step) {
      const cut = packed.subarray(0, length);
      const whole = (kind === 'gzip' || kind === 'bzip2' || variant === 'xz') && endsBetweenStreams(cut, kind);
      if (passes(reportOf(cut)) && !whole) t.fail(`${name} ${variant} cut at ${length} passes`);
    }
  }
  const broken = lz4Frame(Buffer.from(HOSTILE));
  t.equal(reportOf(broken.subarray(0, broken.length - 2)).content, 'active', 'a payload in a broken frame is seen');
});

/** Several streams in one file: a cut exactly between two of them is a shorter file, not a broken one. */
const endsBetweenStreams = (cut: Uint8Array, kind: string): boolean =>
  decompress(ALL[kind] ?? gzip, cut).found.every((finding) => finding.endsWith(':info'));

t.test('flipped bits do not pass where the format has a checksum', async (t) => {
  for (const { name, kind, variant, plain, packed } of samples) {
    if (name !== 'one' || kind === 'lzma' || variant === 'xz-sha256') continue;
    const format = ALL[kind];
    for (const flipped of bitFlips(packed, 300, 5)) {
      if (format === undefined || !format.recognise(flipped, fromBytes(flipped))) continue;
      const result = decompress(format, flipped);
      const silent = result.found.every((finding) => finding.endsWith(':info'));
      if (silent && !result.plain.equals(plain)) t.fail(`${variant}: other bytes without a finding`);
    }
  }
  t.pass('no flip was silent');
});

t.test('bombs stop at a limit', async (t) => {
  const { gzipSync, deflateSync } = await import('node:zlib');
  for (const packed of [gzipSync(Buffer.alloc(3_000_000)), deflateSync(Buffer.alloc(3_000_000))]) {
    const report = reportOf(packed);
    t.match(report, { content: 'unknown', coverage: { state: 'partial' } });
    t.ok(
      rules(report).some((rule) => rule.endsWith('.limit')),
      `${rules(report)}`,
    );
  }
});

t.test('text that happens to begin like a zlib header is text', async (t) => {
  const report = reportOf("(S'this is a pickle of protocol 0'\np0\n.");
  t.not(report.format, 'zlib');
  t.notOk(reportOf('HK$ 12,50\n'.repeat(20)).format === 'zlib');
});

t.test('archives that are not opened are named', async (t) => {
  const report = reportOf(Buffer.concat([Buffer.from('526172211a070100', 'hex'), Buffer.alloc(64, 7)]));
  t.match(report, { format: 'sealed-archive', content: 'unknown', coverage: { state: 'opaque' } });
  t.same(rules(report), ['sealed-archive.opaque']);
});

t.test('a zlib stream is recognised wherever the beginning that is looked at cuts it', async (t) => {
  const { deflateSync } = await import('node:zlib');
  for (let seed = 1; seed <= 64; seed++) {
    let state = seed;
    const data = Uint8Array.from({ length: 40_000 }, (_, at) => {
      state = (state * 1_103_515_245 + 12_345) >>> 0;
      return at % 3 === 0 ? at >>> 8 : state >>> 27;
    });
    const stream = new Uint8Array(deflateSync(data, { level: 1 + (seed % 9) }));
    const head = stream.subarray(0, 4096);
    t.ok(stream.length > head.length && zlib.recognise(head, fromBytes(stream)), `seed ${seed}`);
  }
});

t.test('a stream of nothing with no stream behind it is none: tables of Lance begin like that', async (t) => {
  const nothing = Uint8Array.from([2, 0, 0, 0, 8, ...Array(13).fill(0)]);
  const packed = Buffer.from('XQAAgAD//////////wAynAohqbg6WmAlkw0GJTjV//CKAzq/1ZMuoPAH/9kgAAA=', 'base64');
  const begins = (...parts: readonly Uint8Array[]): boolean => {
    const whole = Buffer.concat(parts);
    return lzma.recognise(whole.subarray(0, 4096), fromBytes(whole));
  };
  const others = [Buffer.alloc(60), Buffer.alloc(60, 0x48), Buffer.concat([Buffer.alloc(2), Buffer.alloc(60, 0x48)])];
  for (const other of others) t.notOk(begins(nothing, other), 'what stands behind it is no stream');
  const xzHead = Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(20)]);
  for (const next of [packed, xzHead, Buffer.concat([nothing, packed])])
    t.ok(begins(nothing, next), 'readers go on to the next stream');
  t.ok(begins(...Array(300).fill(nothing), packed), 'however often nothing comes first');
  t.ok(begins(nothing), 'it may be all that there is');
});
