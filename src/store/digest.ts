import { createHash, type Hash } from 'node:crypto';

export type Digests = { readonly sha256: string; readonly gitSha1?: string };

/** The digests of a blob: sha256, and with its size the sha1 that git names it by. */
export type Digest = { update(bytes: Uint8Array): void; finish(): Digests };

/** A digest of nothing yet. `gitSize` asks for the git digest; git hashes `blob <size> NUL` first. */
export const createDigest = (gitSize?: number): Digest => {
  const sha256 = createHash('sha256');
  const gitSha1: Hash | undefined = gitSize === undefined ? undefined : createHash('sha1').update(`blob ${gitSize}\0`);
  return {
    update(bytes) {
      sha256.update(bytes);
      gitSha1?.update(bytes);
    },
    finish: () => ({ sha256: sha256.digest('hex'), ...(gitSha1 && { gitSha1: gitSha1.digest('hex') }) }),
  };
};
