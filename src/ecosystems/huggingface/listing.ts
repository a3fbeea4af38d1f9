import { createHash } from 'node:crypto';
import type { ListedFile, View, ViewFile } from '../../gateway/types.ts';

export type Json = Record<string, unknown>;

export const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a view changes in a listing. */
export type Changes = {
  /** Paths that are not listed. */
  readonly gone: ReadonlySet<string>;
  /** What stands in the place of a path. */
  readonly instead: ReadonlyMap<string, ViewFile>;
};

export const changesOf = (view: View): Changes => {
  const converted = view.files.flatMap((file) =>
    file.convertedFrom === undefined ? [] : ([[file.convertedFrom, file]] as const),
  );
  return { gone: new Set(view.replaced.keys()), instead: new Map(converted) };
};

/** A listing with each replaced entry's successor in its place, so that it stays on the same page and in the same folder. */
export const rewrite = (
  entries: readonly unknown[],
  changes: Changes,
  key: 'path' | 'rfilename',
  make: (file: ViewFile, source: Json) => Json,
): unknown[] =>
  entries.flatMap((entry) => {
    if (!isJson(entry)) return [entry];
    const { xetHash: _, ...kept } = entry;
    const path = String(entry[key]);
    if (!changes.gone.has(path)) return [kept];
    const successor = changes.instead.get(path);
    return successor === undefined ? [] : [make(successor, entry)];
  });

/** The git pointer that stands for a file in LFS. */
export const pointerOf = (sha256: string, size: number): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;

/** An id of 40 digits for a file whose ETag may be a sha256: then that of its pointer, as git has it. */
const oidOf = ({ etag, size }: ViewFile): string => {
  if (etag.length === 40) return etag;
  const pointer = pointerOf(etag, size);
  return createHash('sha1').update(`blob ${pointer.length}\0${pointer}`).digest('hex');
};

/** The `lfs` key of an entry: only with a true sha256. */
const lfsOf = ({ sha256, size }: Pick<ListedFile, 'sha256' | 'size'>, key: 'oid' | 'sha256'): Json =>
  sha256 === undefined ? {} : { lfs: { [key]: sha256, size, pointerSize: pointerOf(sha256, size).length } };

/** An entry of `siblings`; sizes and digests only when they were asked for. */
export const siblingOf = (file: ViewFile, blobs: boolean): Json =>
  blobs
    ? { rfilename: file.path, size: file.size, blobId: oidOf(file), ...lfsOf(file, 'sha256') }
    : { rfilename: file.path };

/** An entry of a tree or of paths-info for a file that upstream does not have. */
export const entryOf = (file: ViewFile, source: Json): Json => ({
  type: 'file',
  oid: oidOf(file),
  size: file.size,
  path: file.path,
  ...lfsOf(file, 'oid'),
  ...(source['lastCommit'] === undefined ? {} : { lastCommit: source['lastCommit'] }),
});

const listedEntry = (file: ListedFile): Json => ({
  type: 'file',
  oid: file.oid,
  size: file.size,
  path: file.path,
  ...lfsOf(file, 'oid'),
});

/** Files and folders as the Hub lists them, from what is known of the repo: for when the Hub is away. */
export const entriesOf = (files: ReadonlyMap<string, ListedFile>): Map<string, Json> => {
  const entries = new Map<string, Json>();
  for (const file of files.values()) {
    const parts = file.path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join('/');
      const oid = createHash('sha1').update(`folder ${path}`).digest('hex');
      if (!entries.has(path)) entries.set(path, { type: 'directory', oid, size: 0, path });
    }
    entries.set(file.path, listedEntry(file));
  }
  return entries;
};
