/**
 * Tree hashing of RFC 6962 section 2.1 (the same in RFC 9162): a leaf is SHA-256(0x00 ‖ entry), an inner node
 * SHA-256(0x01 ‖ left ‖ right), the empty tree SHA-256 of nothing. The prefixes keep a node from passing as an entry.
 */
export type TreeHash = {
  leaf(entry: Uint8Array): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
  empty(): Uint8Array;
};

/** Bytes of one digest. */
export const DIGEST_BYTES = 32;

/** Tree hashing over an injected SHA-256, since pure rooms import no crypto. `sha256` must return a fresh array. */
export const createTreeHash = (sha256: (bytes: Uint8Array) => Uint8Array): TreeHash => {
  // One buffer for all nodes: an append costs about two digests and no allocation of its own.
  const pair = new Uint8Array(1 + 2 * DIGEST_BYTES);
  pair[0] = 1;
  let scratch = new Uint8Array(1024);
  return {
    leaf(entry) {
      if (entry.length + 1 > scratch.length) scratch = new Uint8Array(2 * (entry.length + 1));
      scratch[0] = 0;
      scratch.set(entry, 1);
      return sha256(scratch.subarray(0, entry.length + 1));
    },
    node(left, right) {
      pair.set(left, 1);
      pair.set(right, 1 + DIGEST_BYTES);
      return sha256(pair);
    },
    empty: () => sha256(new Uint8Array(0)),
  };
};

/** Whether two digests are the same. */
export const sameDigest = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);
