import { constants, type FileHandle, open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Report } from '../../formats/format.ts';
import { explain, type Index } from '../../gateway/explain.ts';
import { factsOfFile } from '../../gateway/local.ts';
import { version } from '../../package.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import { digest, readExactly } from '../local-file.ts';
import { folderOnDisk } from './beside.ts';
import type { Scale, Target } from './types.ts';

const US = {
  requester: { id: 'local', team: '', environment: '', teamFrom: '' as const },
  client: { name: 'weighbridge', version },
};

/** A file of this machine. */
export const localFile = (path: string): Target => ({
  path,
  weigh: (scale) =>
    opened(path, async (file) => {
      const { report, sha256, size } = await inspectOpen(scale.sandbox, file, scale.begin);
      const folder = folderOnDisk(path, file, (index) => weighIndex(index, scale));
      const explainedBy = await explain(basename(path), report, folder);
      return { report, facts: factsOfFile({ path, size, sha256 }, report, US, explainedBy) };
    }),
});

const weighIndex = (path: string, { sandbox, allows, indexes }: Scale): Promise<Index> =>
  indexes(resolve(path), () =>
    opened(path, async (file) => {
      const { report, sha256, size } = await inspectOpen(sandbox, file, () => undefined);
      return { report, sha256, allowed: allows(factsOfFile({ path, size, sha256 }, report, US)) };
    }),
  );

type Inspected = { readonly report: Report; readonly sha256: string; readonly size: number };

const opened = async <T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> => {
  // Without waiting, or a named pipe would hold the scan for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
};

/** Inspects and hashes a file by one handle, so that both speak of the same bytes. */
export const inspectOpen = async (sandbox: Sandbox, file: FileHandle, begin: () => void): Promise<Inspected> => {
  const before = await file.stat();
  if (!before.isFile()) throw new Error('not a regular file');
  const source = {
    size: before.size,
    read(offset: number, length: number): Promise<Uint8Array> {
      begin();
      return readExactly(file, offset, length);
    },
  };
  const inspecting = sandbox.inspect(source);
  inspecting.catch(() => {});
  const sha256 = await digest(file, before.size);
  const report = await inspecting;
  const after = await file.stat();
  if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw new Error('it changed while it was read');
  return { report, sha256, size: before.size };
};
