import fs from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { base64 } from '../merkle/base64.ts';
import { checkpointText, formatNote } from '../merkle/checkpoint.ts';
import { tree } from './digest.ts';
import type { Signer } from './keys.ts';
import { logFiles, type Segment, segmentAt } from './layout.ts';
import type { Recovered } from './recover.ts';

/** Signed checkpoints are kept in the history at most this often, in ms: enough to narrow a change down, small for ever. */
const HISTORY_INTERVAL = 60_000;

/** The calls that write a log; tests make them fail. */
export type LogDisk = Pick<
  typeof fs,
  'openSync' | 'writeSync' | 'fdatasyncSync' | 'fsync' | 'fsyncSync' | 'ftruncateSync' | 'closeSync' | 'renameSync'
>;

/** Appends to a log, synchronously: it runs in a thread of its own. One checkpoint may be under way at a time. */
export type LogWriter = {
  /** Entries in the log. */
  readonly size: number;
  /**
   * Writes lines, each with its line break, durably; returns the index of the first. Throws LOG_UNAVAILABLE, and
   * then nothing of it is in the log; `details.final` is set when that is not sure, and only a restart may go on.
   */
  append(lines: Uint8Array): number;
  /** Takes what `append` wrote into the tree and the leaf hashes. */
  settle(): void;
  /**
   * Signs a checkpoint of what is settled; resolves with the note once it is on the disk, or undefined when there is nothing
   * new. Entries may be appended meanwhile: beside a disk that has much to do they would otherwise wait for it, too.
   */
  checkpoint(): Promise<string | undefined>;
  close(): void;
};

type Open = {
  readonly segment: Segment;
  readonly entries: number;
  readonly hashes: number;
  readonly beganAt: number;
  bytes: number;
};

/** When the next segment begins: bytes of one, and its age in ms, so that what is past its time comes to lie in one that is full. */
export type Rotation = { readonly bytes: number; readonly age: number };

/** A writer that goes on where `recovered` ended. */
export const createLogWriter = (
  directory: string,
  signer: Signer,
  recovered: Recovered,
  rotate: Rotation,
  disk: LogDisk = fs,
): LogWriter => {
  const { frontier } = recovered;
  const files = logFiles(directory);
  let unsettled: Uint8Array[] = [];
  let [signed, keptAt] = [recovered.checkpoint?.size ?? -1, 0];
  let hashesWhole = true;
  let open = recovered.segment && openSegment(disk, recovered.segment, recovered.bytes);

  const startSegment = (): Open => {
    const segment = segmentAt(directory, frontier.size);
    const nodes = frontier.nodes().map((node) => `${base64(node)}\n`);
    writeDurably(disk, segment.frontier, nodes.join(''));
    const started = openSegment(disk, segment, 0);
    syncFolder(disk, directory);
    return started;
  };

  const nextSegment = (): Open => {
    const stays = open !== undefined && open.bytes < rotate.bytes && Date.now() - open.beganAt < rotate.age;
    if (open !== undefined && (stays || open.bytes === 0)) return open;
    const next = startSegment();
    if (open !== undefined) closeSegment(disk, open);
    return next;
  };

  const append = (lines: Uint8Array): number => {
    let target: Open | undefined;
    try {
      target = nextSegment();
      open = target;
      writeAll(disk, target.entries, lines);
    } catch (error) {
      throw unwritten(error, !cutBack(target));
    }
    try {
      disk.fdatasyncSync(target.entries);
    } catch (error) {
      // After a failed sync the system may have dropped the pages: what is on the disk is unknown.
      throw unwritten(error, true);
    }
    target.bytes += lines.length;
    unsettled = split(lines);
    return frontier.size;
  };

  /** Takes half a batch off the file again, so that the next one does not follow a torn line. */
  const cutBack = (target: Open | undefined): boolean => {
    if (target === undefined) return true;
    try {
      disk.ftruncateSync(target.entries, target.bytes);
      return true;
    } catch {
      return false;
    }
  };

  return {
    get size() {
      return frontier.size + unsettled.length;
    },
    append,
    settle() {
      const leaves = unsettled.map(tree.leaf);
      unsettled = [];
      for (const leaf of leaves) frontier.append(leaf);
      if (open === undefined || !hashesWhole) return;
      try {
        writeAll(disk, open.hashes, Buffer.concat(leaves));
      } catch {
        // Derived data: the next start computes it again, the log itself goes on.
        hashesWhole = false;
      }
    },
    async checkpoint() {
      const { size } = frontier;
      if (size === signed) return undefined;
      const text = checkpointText({ origin: signer.key.name, size, root: frontier.root() });
      const note = formatNote(text, signer.key, signer.sign(text));
      await written(disk, `${files.checkpoint}.new`, 'w', note);
      disk.renameSync(`${files.checkpoint}.new`, files.checkpoint);
      await written(disk, directory, 'r');
      signed = size;
      if (Date.now() - keptAt >= HISTORY_INTERVAL) {
        keptAt = Date.now();
        appendTo(disk, files.history, `${JSON.stringify({ time: new Date(keptAt).toISOString(), note })}\n`);
      }
      return note;
    },
    close() {
      if (open !== undefined) closeSegment(disk, open);
      open = undefined;
    },
  };
};

const openSegment = (disk: LogDisk, segment: Segment, bytes: number): Open => ({
  segment,
  entries: disk.openSync(segment.entries, 'a', 0o600),
  hashes: disk.openSync(segment.hashes, 'a', 0o600),
  // Written once, when the segment began.
  beganAt: fs.statSync(segment.frontier, { throwIfNoEntry: false })?.mtimeMs ?? Date.now(),
  bytes,
});

const closeSegment = (disk: LogDisk, { entries, hashes }: Open): void => {
  disk.closeSync(entries);
  disk.closeSync(hashes);
};

const writeAll = (disk: LogDisk, file: number, bytes: Uint8Array): void => {
  for (let done = 0; done < bytes.length; ) done += disk.writeSync(file, bytes, done, bytes.length - done);
};

const writeDurably = (disk: LogDisk, path: string, text: string): void => {
  const file = disk.openSync(path, 'w', 0o600);
  try {
    writeAll(disk, file, Buffer.from(text));
    disk.fsyncSync(file);
  } finally {
    disk.closeSync(file);
  }
};

/** Writes a file, or nothing to a folder, and resolves when what it holds is on the disk. */
const written = async (disk: LogDisk, path: string, flags: 'r' | 'w', text = ''): Promise<void> => {
  const file = disk.openSync(path, flags, 0o600);
  try {
    writeAll(disk, file, Buffer.from(text));
    await new Promise<void>((resolve, reject) =>
      disk.fsync(file, (error) => (error === null ? resolve() : reject(error))),
    );
  } finally {
    disk.closeSync(file);
  }
};

const appendTo = (disk: LogDisk, path: string, text: string): void => {
  const file = disk.openSync(path, 'a', 0o600);
  try {
    writeAll(disk, file, Buffer.from(text));
  } finally {
    disk.closeSync(file);
  }
};

/** Makes new names in a folder durable. */
const syncFolder = (disk: LogDisk, path: string): void => {
  const folder = disk.openSync(path, 'r');
  try {
    disk.fsyncSync(folder);
  } finally {
    disk.closeSync(folder);
  }
};

const split = (lines: Uint8Array): Uint8Array[] => {
  const found: Uint8Array[] = [];
  for (let start = 0, end = lines.indexOf(10); end >= 0; start = end + 1, end = lines.indexOf(10, start)) {
    found.push(lines.subarray(start, end));
  }
  return found;
};

const unwritten = (error: unknown, final: boolean): WeighbridgeError =>
  new WeighbridgeError(
    'LOG_UNAVAILABLE',
    error instanceof Error ? error.message : String(error),
    { final },
    { cause: error },
  );
