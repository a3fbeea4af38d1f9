import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The folder of package.json. */
export const root = join(import.meta.dirname, '../..');

/** Folders that are made, fetched or grown, never written by hand. */
const SKIPPED = new Set(['node_modules', '.git', '.tap', '.cache', 'build', 'data', '__pycache__', '.venv']);

/** Paths of all files of the project below `folder`, relative to the root, in order. */
export const filesBelow = (folder: string): readonly string[] =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesBelow(path);
      return entry.isFile() ? [relative('.', path)] : [];
    })
    .sort();

/** The text of a file of the project. */
export const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
