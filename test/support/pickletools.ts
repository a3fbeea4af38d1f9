import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Bytes of a digest, and of a length. */
const DIGEST = 16;
const LENGTH = 4;
const DETAILS = 2 ** 31;
const FLUSH = 2 ** 32 - 1;
/** Milliseconds that any answer may take. */
const PATIENCE = 120_000;

/** CPython's pickletools in a process of its own, which lives as long as it is asked. */
export type Pickletools = {
  /** A digest for each stream, in order. */
  digests(streams: readonly Uint8Array[]): Promise<readonly string[]>;
  /** All that it read of one stream, line by line. */
  lines(stream: Uint8Array): Promise<readonly string[]>;
  close(): Promise<void>;
};

/** Starts the process with `folder` as its working directory. */
export const startPickletools = (folder: string): Pickletools => {
  const child = spawn('python3', ['-I', join(import.meta.dirname, 'pickletools.py')], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let held: Buffer = Buffer.alloc(0);
  let wake = (): void => undefined;
  let ended = false;
  child.stdout.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    wake();
  });
  const gone = new Promise<void>((resolve) =>
    child.once('close', () => {
      ended = true;
      wake();
      resolve();
    }),
  );
  child.stdin.on('error', () => undefined);

  const take = async (count: number): Promise<Buffer> => {
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    try {
      while (held.length < count) {
        if (ended) throw new Error('pickletools ended early');
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      clearTimeout(late);
    }
    const taken = held.subarray(0, count);
    held = held.subarray(count);
    return taken;
  };
  const frame = (stream: Uint8Array, flag = 0): readonly Uint8Array[] => {
    const head = Buffer.alloc(LENGTH);
    head.writeUInt32LE(stream.length + flag);
    return [head, stream];
  };
  const flush = Buffer.alloc(LENGTH);
  flush.writeUInt32LE(FLUSH);

  return {
    async digests(streams) {
      child.stdin.write(Buffer.concat([...streams.flatMap((stream) => frame(stream)), flush]));
      const answer = await take(streams.length * DIGEST);
      return streams.map((_, index) => answer.toString('hex', index * DIGEST, (index + 1) * DIGEST));
    },
    async lines(stream) {
      child.stdin.write(Buffer.concat([...frame(stream, DETAILS), flush]));
      const length = (await take(LENGTH)).readUInt32LE();
      return (await take(length)).toString('latin1').split('\n');
    },
    async close() {
      child.stdin.end();
      await gone;
    },
  };
};
