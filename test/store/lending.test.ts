import { createHash } from 'node:crypto';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { createFileBlobs } from '../../src/store/blobs-files.ts';
import { type Disk, disk } from '../../src/store/disk.ts';
import { layout } from '../../src/store/layout.ts';
import { createSqliteRecords } from '../../src/store/records-sqlite.ts';
import { openStore } from '../../src/store/store.ts';
import type { Blobs, BlobWriter } from '../../src/store/types.ts';

// Memory goes from writer to disk, digest and readers and back into the pool. Whatever the order of events is, nobody may see a
// byte that is not of its own file at its own place.

const MIB = 1024 * 1024;
const SEED = 20_250_823;

/** Numbers from 0 to 1, the same in each run. */
const dice = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
  return seed / 0x80000000;
};

/** Bytes of which each says whose it is and roughly where it stands. */
const contentOf = (id: number, size: number): Buffer => {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + 1, 2_654_435_761) ^ (id << 24) ^ id;
  return Buffer.from(words.buffer, 0, size);
};

/** A disk that is late now and then, so that slabs are busy for long and not in the order in which they came. */
const lateDisk = (random: () => number): Disk => ({
  ...disk,
  async create(path) {
    const file = await disk.create(path);
    return {
      ...file,
      async write(bytes, position) {
        if (random() < 0.3) await sleep(random() * 8);
        await file.write(bytes, position);
        if (random() < 0.2) await sleep(random() * 4);
      },
    };
  },
});

const openLate = async (random: () => number): Promise<Blobs> => {
  const data = t.testdir({});
  await (await openStore({ data, limit: Number.POSITIVE_INFINITY })).close();
  const records = await createSqliteRecords({ path: layout(data).records });
  t.teardown(() => records.close());
  return createFileBlobs({
    root: data,
    limit: Number.POSITIVE_INFINITY,
    records,
    disk: lateDisk(random),
    sealAfter: 0,
  });
};

/** Gives all of `bytes` to the writer, as a socket does (into its memory, a read ahead) or as chunks of its own. */
const fill = async (writer: BlobWriter, bytes: Buffer, random: () => number, until: number): Promise<void> => {
  const asSocket = random() < 0.6;
  let memory = asSocket ? writer.room(0) : new Uint8Array(0);
  for (let at = 0; at < until; ) {
    const length = Math.max(1, Math.min(until - at, Math.floor(random() * (random() < 0.3 ? 700_000 : 70_000))));
    if (asSocket) {
      const part = memory.subarray(0, length);
      part.set(bytes.subarray(at, at + part.length));
      // The place of the next read is asked for before this one is taken.
      memory = writer.room(part.length);
      if (random() < 0.2) await turn();
      await writer.write(part);
      at += part.length;
    } else {
      const part = Buffer.from(bytes.subarray(at, at + length));
      await writer.write(part);
      part.fill(0xee);
      at += length;
    }
  }
};

/** Follows, holding each chunk for a while; says what was wrong, and how many bytes were right. */
const watch = async (
  writer: BlobWriter,
  bytes: Buffer,
  random: () => number,
): Promise<{ wrong: number; right: number; fault?: unknown }> => {
  const start = random() < 0.5 ? 0 : Math.floor(random() * bytes.length);
  const end = random() < 0.5 ? undefined : start + Math.floor(random() * (bytes.length - start));
  const leaves = random() < 0.2;
  const pace = [0, 1, 6][Math.floor(random() * 3)] ?? 0;
  let [at, wrong] = [start, 0];
  try {
    for await (const chunk of writer.follow(start, end)) {
      if (pace === 1) await turn();
      if (pace > 1) await sleep(random() * pace);
      if (!bytes.subarray(at, at + chunk.length).equals(chunk)) wrong += 1;
      at += chunk.length;
      if (leaves && random() < 0.2) return { wrong, right: at - start };
    }
  } catch (fault) {
    return { wrong, right: at - start, fault };
  }
  if (at !== (end ?? bytes.length)) wrong += 1;
  return { wrong, right: at - start };
};

t.test('writers, readers and those who give up share memory, and nobody sees a byte of another file', async (t) => {
  const random = dice(SEED);
  const blobs = await openLate(random);
  const sizes = [1, 100, 70_000, 2 * MIB, 2 * MIB + 1, 4 * MIB, 5 * MIB - 7, 9 * MIB + 3];
  let [ids, followed, aborted, faults] = [0, 0, 0, 0];

  const oneFile = async (): Promise<void> => {
    const id = ++ids;
    const bytes = contentOf(id, sizes[Math.floor(random() * sizes.length)] ?? 1);
    const writer = await blobs.create(random() < 0.8 ? bytes.length : undefined);
    const readers = Array.from({ length: 1 + Math.floor(random() * 5) }, () => watch(writer, bytes, random));
    const gives = random() < 0.25;
    await fill(writer, bytes, random, gives ? Math.floor(random() * bytes.length) : bytes.length);
    readers.push(watch(writer, bytes, random));
    const given = new Error('given up');
    if (gives) {
      await writer.abort(given);
      aborted += 1;
    } else {
      const { sha256 } = await writer.digests();
      t.equal(sha256, createHash('sha256').update(bytes).digest('hex'), `file ${id}: its own digest`);
      readers.push(watch(writer, bytes, random));
      await writer.commit();
      const handle = await blobs.open(sha256);
      t.ok(Buffer.from(await handle!.read(0, bytes.length)).equals(bytes), `file ${id}: its own bytes on the disk`);
      await handle!.close();
    }
    for (const { wrong, right, fault } of await Promise.all(readers)) {
      if (wrong > 0) t.fail(`file ${id}: ${wrong} chunks of other bytes`);
      if (fault !== undefined && !(gives && fault === given))
        t.fail(`file ${id}: ${fault instanceof Error ? fault.message : 'a fault that is no error'}`);
      if (fault !== undefined) faults += 1;
      followed += right;
    }
  };

  const line = async (): Promise<void> => {
    for (let count = 0; count < 12; count += 1) await oneFile();
  };
  await Promise.all(Array.from({ length: 6 }, line));
  t.ok(followed > 100 * MIB, `${Math.round(followed / MIB)} MiB were followed`);
  t.ok(aborted > 5 && faults > 5, `${aborted} writers gave up, ${faults} readers heard of it`);
  await blobs.close();
});
