import { join, sep } from 'node:path';

/**
 * Where everything lies in the data folder; docs/store.md draws it. A change that an older program would misread raises
 * LAYOUT_VERSION; the records have a version of their own (schema.ts).
 */
export const LAYOUT_VERSION = 1;

export type Layout = {
  /** Holds LAYOUT_VERSION as a decimal number. */
  readonly version: string;
  readonly lock: string;
  readonly records: string;
  readonly blobs: string;
  /** Blobs on their way in; emptied at every start. On the file system of `blobs`, since they are linked over. */
  readonly temporary: string;
  readonly log: string;
  readonly keys: string;
};

/** The paths inside the data folder `root`. */
export const layout = (root: string): Layout => ({
  version: join(root, 'version'),
  lock: join(root, 'lock'),
  records: join(root, 'records.sqlite'),
  blobs: join(root, 'blobs', 'sha256'),
  temporary: join(root, 'tmp'),
  log: join(root, 'log'),
  keys: join(root, 'keys'),
});

/** True for what names a blob: 64 lower-case hex digits. Checked before any path is made of it. */
export const isSha256 = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** The folders above a blob, inside `blobs`, outermost first. Two levels keep folders small at millions of blobs. */
export const blobFolders = (blobs: string, sha256: string): readonly [string, string] => {
  const outer = join(blobs, sha256.slice(0, 2));
  return [outer, join(outer, sha256.slice(2, 4))];
};

/** The file of a blob, inside `blobs`. */
export const blobPath = (blobs: string, sha256: string): string =>
  `${blobs}${sep}${sha256.slice(0, 2)}${sep}${sha256.slice(2, 4)}${sep}${sha256}`;
