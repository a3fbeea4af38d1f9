import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFault } from './disk.ts';
import { blobPath, isSha256 } from './layout.ts';
import type { Records } from './types.ts';

/** Records read at a time. */
const PAGE = 5000;

type Found = {
  readonly sha256: string;
  readonly size: number;
  readonly servedAt: number;
  /** Read-only: it was made so once it was on the disk. */
  readonly sealed: boolean;
};

/**
 * Empties `temporary` and lists the blobs in `folder`, served longest ago first. The folder is the truth; the records
 * add when a blob was served, and lose those that are gone.
 */
export const loadBlobs = async (folder: string, temporary: string, records: Records): Promise<Found[]> => {
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const known = await knownBlobs(records);
    const found: Found[] = [];
    for await (const sha256 of namesIn(folder)) {
      const stat = await lstat(blobPath(folder, sha256));
      if (!stat.isFile()) continue;
      const sealed = (stat.mode & 0o222) === 0;
      found.push({ sha256, size: stat.size, servedAt: known.get(sha256) ?? stat.mtimeMs, sealed });
      known.delete(sha256);
    }
    for (const sha256 of known.keys()) await records.delete('blob', sha256);
    return found.sort((a, b) => a.servedAt - b.servedAt);
  } catch (error) {
    throw diskFault(error, `opening the store in ${folder}`);
  }
};

const knownBlobs = async (records: Records): Promise<Map<string, number>> => {
  const known = new Map<string, number>();
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: { key: string; value: { servedAt: number } }[] = await records.list('blob', '', PAGE, after);
    for (const { key, value } of page) known.set(key, value.servedAt);
    after = page.length < PAGE ? undefined : page.at(-1)?.key;
  }
  return known;
};

async function* namesIn(folder: string): AsyncGenerator<string> {
  for (const outer of await readdir(folder)) {
    for (const inner of await readdir(join(folder, outer))) {
      for (const name of await readdir(join(folder, outer, inner))) {
        if (isSha256(name) && name.startsWith(outer + inner)) yield name;
      }
    }
  }
}
