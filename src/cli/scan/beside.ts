import { type FileHandle, opendir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Folder, Index } from '../../gateway/explain.ts';
import { placeOf } from '../../gateway/explain-grid.ts';
import { namesIn } from '../../gateway/explained.ts';
import { createMemo } from '../../gateway/memo.ts';
import type { RepoAt } from '../../gateway/types.ts';
import { readExactly } from '../local-file.ts';

/** Indexes whose reports are kept for the other files that they lie beside. */
const MAX_INDEXES = 200;
/** Entries of a folder in which an index is looked for. */
const MAX_ENTRIES = 100_000;

/** Has `weigh` inspect an index, once for all files of a scan that it lies beside. */
export type Indexes = (key: string, weigh: () => Promise<Index>) => Promise<Index>;

/** Remembers the indexes of one scan; one that could not be read is tried again for the next file. */
export const createIndexes = (): Indexes => {
  const known = createMemo<Promise<Index>>(MAX_INDEXES);
  return (key, weigh) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const now = weigh();
    known.set(key, now);
    now.catch(() => known.delete(key));
    return now;
  };
};

/** What lies beside a file of this machine, which is open. */
export const folderOnDisk = (path: string, file: FileHandle, weigh: (path: string) => Promise<Index>): Folder => {
  const name = basename(path);
  const folder = path.slice(0, path.length - name.length);
  const at = (other: string): string => join(folder === '' ? '.' : folder, other);
  return {
    path: folder,
    names: () => entriesOf(resolve(folder)).catch(() => []),
    size: (other) =>
      stat(at(other)).then(
        (found) => (found.isFile() ? found.size : undefined),
        () => undefined,
      ),
    // What cannot be read explains nothing; whoever scans it by itself is told.
    weigh: (other) => weigh(at(other)).catch(() => undefined),
    check: (_, look) => look((offset, length) => readExactly(file, offset, length)),
  };
};

const entriesOf = async (folder: string): Promise<readonly string[]> => {
  const names: string[] = [];
  for await (const entry of await opendir(folder)) {
    if (names.length === MAX_ENTRIES) break;
    names.push(entry.name);
  }
  return names;
};

/** What lies beside a file of a repo, which was fetched. */
export const folderInRepo = (
  repo: RepoAt,
  path: string,
  file: FileHandle,
  weigh: (path: string) => Promise<Index>,
): Folder => {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  return {
    path: folder,
    names: async () => namesIn(repo, folder),
    size: async (name) => repo.files.get(placeOf(folder, name))?.size,
    weigh: (name) => weigh(placeOf(folder, name)),
    check: (_, look) => look((offset, length) => readExactly(file, offset, length)),
  };
};
