import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Folders inside folders; a deeper tree is a loop or an attack on the scanner. */
const DEPTH = 64;

/** The files that the arguments name: `-` stands for the lines of `stdin`, a folder for every file below it. */
export async function* filesOf(args: readonly string[], stdin: NodeJS.ReadableStream): AsyncGenerator<string> {
  for (const argument of args) {
    if (argument !== '-') yield* filesAt(argument);
    else for await (const line of createInterface({ input: stdin })) if (line !== '') yield* filesAt(line);
  }
}

/** The path itself unless it is a folder: what cannot be read is told by whoever opens it. */
async function* filesAt(path: string): AsyncGenerator<string> {
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (folder) yield* filesBelow(path, 1);
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
