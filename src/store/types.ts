import type { Table, Tables } from './tables.ts';

/** A stored blob, open for reading. It cannot be evicted before `close`. */
export type BlobHandle = {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; throws STORE_CORRUPT when the file is shorter. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * The bytes from `start` to `end` (exclusive) in chunks. A chunk may be overwritten as soon as the next one is asked
   * for: copy what is kept. Leaving the loop early is fine.
   */
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
};

/** A blob on its way in. Bytes are readable as soon as they are written; many readers may follow one writer. */
export type BlobWriter = {
  /** Bytes written so far. */
  readonly size: number;
  /**
   * Copies the chunk. Waits while the disk or the digest is behind. Rejects with STORE_FULL when the limit or the disk is reached; the writer is aborted then.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Memory for the bytes that come `ahead` bytes after those written. Whoever reads into it, and then writes just these
   * bytes, saves a copy. Only for the one who writes, before the digests are asked for.
   */
  room(ahead: number): Uint8Array;
  /** Exactly `length` bytes from `offset`; waits until they have been written; rejects with the fault given to `abort`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * The bytes from `start` to `end` (exclusive, or the final end when left out), as they arrive. Goes on after
   * `commit`; rejects with the fault given to `abort`. A chunk may be overwritten as soon as the next one is asked for.
   */
  follow(start: number, end?: number): AsyncIterable<Uint8Array>;
  /** Digests of everything written; no `write` may follow. `gitSha1` (of the git blob) only when `create` was asked for it. */
  digests(): Promise<{ readonly sha256: string; readonly gitSha1?: string }>;
  /** Makes it a blob under its sha256: only after this does `Blobs.open` know it. When it is durable is the store's affair. */
  commit(): Promise<{ sha256: string; size: number }>;
  /** Throws away what was written; readers get `fault`. Does nothing after `commit`. */
  abort(fault: Error): Promise<void>;
};

/** Content-addressed storage: a folder now, an S3-compatible store later. */
export type Blobs = {
  has(sha256: string): Promise<boolean>;
  open(sha256: string): Promise<BlobHandle | undefined>;
  /**
   * `size` (bytes, when known) lets STORE_FULL be said early, and `commit` refuse a blob of another size.
   * `gitSha1` (needs `size`) computes the git digest as well; it costs as much again as the sha256.
   */
  create(size?: number, options?: { readonly gitSha1?: boolean }): Promise<BlobWriter>;
  remove(sha256: string): Promise<void>;
  /** Bytes in use and allowed. */
  usage(): Promise<{ bytes: number; limit: number; blobs: number }>;
  close(): Promise<void>;
};

/** JSON values by table and key. The tables and what they hold are listed in `store/tables.ts`. */
export type Records = {
  get<T extends Table>(table: T, key: string): Promise<Tables[T] | undefined>;
  /** Resolves when the value is visible to `get`; `durable` waits for the disk as well. */
  put<T extends Table>(table: T, key: string, value: Tables[T], durable?: boolean): Promise<void>;
  /** Writes only where nothing is stored yet; resolves to what is stored afterwards. */
  add<T extends Table>(table: T, key: string, value: Tables[T]): Promise<Tables[T]>;
  delete(table: Table, key: string): Promise<void>;
  /** Entries whose key begins with `prefix`, in key order, after `after`, at most `limit`. */
  list<T extends Table>(
    table: T,
    prefix: string,
    limit: number,
    after?: string,
  ): Promise<{ key: string; value: Tables[T] }[]>;
  close(): Promise<void>;
};
