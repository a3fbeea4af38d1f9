import { glob, lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders inside folders; a deeper tree is a loop or an attack on the scanner. */
const DEPTH = 64;

/**
 * The files that a path names: itself, every file below a folder, or whatever a pattern (`*`, `**`, `?`, `[...]`,
 * `{a,b}`) fits when no file has that name. What cannot be read is told by whoever opens it, and so is a pattern that fits nothing.
 */
export async function* filesAt(path: string): AsyncGenerator<string> {
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined || !/[*?[{]/.test(path)) {
    yield* filesOf(path);
    return;
  }
  const fitting = [];
  for await (const match of glob(path)) fitting.push(match);
  if (fitting.length === 0) yield path;
  for (const match of fitting.sort()) yield* filesOf(match);
}

async function* filesOf(path: string): AsyncGenerator<string> {
  if (await isFolder(path)) yield* filesBelow(path, 1);
  else yield path;
}

/** Every file below a folder in the order of names. Links to files are followed (model caches are made of them), to folders not. */
async function* filesBelow(folder: string, depth: number): AsyncGenerator<string> {
  const entries = [];
  try {
    for await (const entry of await opendir(folder)) entries.push(entry);
  } catch {
    // Not readable: whoever opens it as a file says so, and the scan does not end as clean.
    yield folder;
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) {
      if (!entry.isSymbolicLink() || !(await isFolder(path))) yield path;
    } else if (depth >= DEPTH) yield path;
    else yield* filesBelow(path, depth + 1);
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
