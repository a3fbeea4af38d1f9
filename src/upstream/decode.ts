import { Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { WeighbridgeError } from '../errors.ts';

const DECODERS = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);

/** True when a body has been compressed on the way. */
export const isEncoded = (encoding: string | undefined): encoding is string =>
  encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity';

/**
 * The bytes behind a Content-Encoding that nobody asked for. Streams: whoever reads counts, and stops at the limit.
 * Throws UPSTREAM_REFUSED for an encoding that is not known or a chain of them.
 */
export const decoded = (
  body: AsyncIterable<Uint8Array> & { destroy(): unknown },
  encoding: string | undefined,
): AsyncIterable<Uint8Array> => {
  if (!isEncoded(encoding)) return body;
  const create = DECODERS.get(encoding.trim().toLowerCase());
  if (create === undefined || !(body instanceof Readable)) {
    body.destroy();
    throw new WeighbridgeError('UPSTREAM_REFUSED', `the answer has the unknown encoding ${encoding.slice(0, 40)}`);
  }
  const decoder = create();
  body.on('error', (error) => decoder.destroy(error));
  decoder.on('close', () => body.destroy());
  return body.pipe(decoder);
};
