import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import t from 'tap';
import { decompressed } from '../../src/formats/arrow/decompress.ts';
import { CODECS } from '../../src/formats/arrow/pages.ts';
import { compress } from '../../src/formats/arrow/rewrite/compress.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/policies.md'));
let seed = 5;
const chance = (below: number): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

/** Noise, few letters, and repetitions of every length and distance, some of them over the ends of blocks. */
const samples = (): Uint8Array[] => {
  const out: Uint8Array[] = [0, 1, 4, 5, 11, 12, 13, 17, 64, 3000].map((length) => new Uint8Array(length));
  for (let round = 0; round < 120; round++) {
    const length = chance(round % 40 === 0 ? 300_000 : 2_000);
    const letters = 1 + chance(round % 3 === 0 ? 256 : 4);
    out.push(Uint8Array.from({ length }, () => chance(letters)));
    const bytes: number[] = [];
    while (bytes.length < length) {
      const distance = 1 + chance(bytes.length + 1);
      const copied = chance(600);
      for (let at = 0; at < copied; at++) bytes.push(chance(90) ? (bytes[bytes.length - distance] ?? 7) : chance(256));
      bytes.push(chance(256));
    }
    out.push(Uint8Array.from(bytes));
  }
  return [...out, text, Buffer.concat([text, text, text, text])];
};

/** The decoder of Node for a codec that it has. */
const others: Readonly<Record<string, ((bytes: Uint8Array) => Uint8Array) | undefined>> = {
  gzip: (bytes) => gunzipSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
};

t.test('what pages are compressed to becomes the same bytes again, for us and for others', async (t) => {
  const all = samples();
  for (const [codec, name] of CODECS) {
    let wrong = 0;
    for (const bytes of all) {
      const packed = compress(codec, bytes);
      if (!Buffer.from(compress(codec, bytes)).equals(packed)) wrong += 1;
      // What became one byte of a thousand is a bomb to our reader; the other says what it is.
      const small = bytes.length > 40 * packed.length;
      if (!small && !Buffer.from(decompressed(name, packed, bytes.length, 0)).equals(bytes)) wrong += 1;
      if (!Buffer.from(others[name]?.(packed) ?? bytes).equals(bytes)) wrong += 1;
      if (packed.length > bytes.length * 1.2 + 64) wrong += 1;
    }
    t.equal(wrong, 0, name);
    if (name !== 'none') t.ok(compress(codec, text).length < text.length / 1.5, `${name} makes text smaller`);
  }
});

t.test('a codec that is not written is refused', async (t) => {
  t.throws(() => compress(4, text), { code: 'LIMIT_EXCEEDED', message: /compression 4 is not written/ });
});
