import { parentPort } from 'node:worker_threads';
import { createDigest, type Digest, type Digests } from './digest.ts';

/** What the pool asks. Bytes lie in shared memory, so that none are copied; they stay as they are until the answer. */
export type DigestRequest =
  | { readonly kind: 'start'; readonly id: number; readonly gitSize?: number }
  | { readonly kind: 'update'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'finish'; readonly id: number }
  | { readonly kind: 'drop'; readonly id: number };
/** The answer to each `update` and `finish`, in order. */
export type DigestAnswer = { readonly id: number; readonly digests?: Digests };

const serve = (port: NonNullable<typeof parentPort>): void => {
  const running = new Map<number, Digest>();
  const answer = (message: DigestAnswer): void => port.postMessage(message);
  port.on('message', (request: DigestRequest) => {
    const { id, kind } = request;
    const digest = running.get(id);
    if (kind === 'start') running.set(id, createDigest(request.gitSize));
    if (kind === 'update') {
      digest?.update(request.bytes);
      answer({ id });
    }
    if (kind === 'finish' && digest !== undefined) answer({ id, digests: digest.finish() });
    if (kind === 'finish' || kind === 'drop') running.delete(id);
  });
};

if (parentPort !== null) serve(parentPort);
