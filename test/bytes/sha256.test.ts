import { createHash } from 'node:crypto';
import t from 'tap';
import { sha256Hex } from '../../src/bytes/sha256.ts';

t.test('the digest is that of the platform for every length around the ends of blocks', async (t) => {
  const noise = Uint8Array.from({ length: 5000 }, (_, at) => (at * 167 + (at >> 3)) & 0xff);
  const lengths = [...Array.from({ length: 260 }, (_, at) => at), 1000, 4096, 4999];
  const wrong = lengths.filter((length) => {
    const bytes = noise.subarray(1, 1 + length);
    return sha256Hex(bytes) !== createHash('sha256').update(bytes).digest('hex');
  });
  t.same(wrong, []);
});
