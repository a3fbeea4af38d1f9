import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Blobs, BlobWriter } from '../../src/store/types.ts';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The bytes of a stream. */
export const collect = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
};

/** Writes `bytes` in pieces of `step` bytes. */
export const pour = async (writer: BlobWriter, bytes: Uint8Array, step = 65_537): Promise<void> => {
  for (let at = 0; at < bytes.length; at += step) await writer.write(bytes.subarray(at, at + step));
};

/** Stores `bytes` and returns their name. */
export const store = async (blobs: Blobs, bytes: Uint8Array): Promise<string> => {
  const writer = await blobs.create(bytes.length);
  await pour(writer, bytes);
  return (await writer.commit()).sha256;
};

const MIB = 1024 * 1024;

/** What every backend of `Blobs` does. `open` gives an empty one that allows `limit` bytes. */
export const blobsSuite = async (t: Test, open: (limit: number) => Promise<Blobs>): Promise<void> => {
  const large = randomBytes(5 * MIB + 12_345);

  await t.test('bytes come back as they went in, whole and in ranges, under their sha256', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    for (const bytes of [Buffer.alloc(0), randomBytes(1), randomBytes(MIB), randomBytes(MIB + 1), large]) {
      for (const size of [bytes.length, undefined]) {
        const writer = await blobs.create(size, { gitSha1: true });
        await pour(writer, bytes);
        const digests = await writer.digests();
        t.equal(digests.sha256, sha256(bytes));
        const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
        t.equal(digests.gitSha1, size === undefined ? undefined : git);
        t.notOk(size !== undefined && (await blobs.has(digests.sha256)), 'not there before commit');
        t.same(await writer.commit(), { sha256: digests.sha256, size: bytes.length });
        await writer.abort(new Error('too late'));
        t.ok(await blobs.has(digests.sha256));
        const handle = await blobs.open(digests.sha256);
        t.equal(handle?.size, bytes.length);
        t.ok((await collect(handle!.stream(0, bytes.length))).equals(bytes));
        const [from, to] = [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2)];
        t.ok(Buffer.from(await handle!.read(from, to - from)).equals(bytes.subarray(from, to)));
        t.ok((await collect(handle!.stream(from, to))).equals(bytes.subarray(from, to)));
        for await (const _ of handle!.stream(0, bytes.length)) break;
        await t.rejects(handle!.read(bytes.length, 1), { code: 'STORE_CORRUPT' });
        await handle!.close();
        await handle!.close();
        await t.rejects(handle!.read(0, 0), { code: 'CANCELLED' });
        await blobs.remove(digests.sha256);
        t.equal(await blobs.open(digests.sha256), undefined);
      }
    }
    t.same(await blobs.usage(), { bytes: 0, limit: Number.POSITIVE_INFINITY, blobs: 0 });
    for (const name of ['', '../../etc/passwd', 'A'.repeat(64), sha256(large)]) {
      t.equal(await blobs.open(name), undefined);
      await blobs.remove(name);
    }
    await blobs.close();
  });

  await t.test('a chunk stays as it is until the next one is asked for, beside many other streams too', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    const name = await store(blobs, large);
    const handle = await blobs.open(name);
    const read = async (pause: number): Promise<boolean> => {
      let at = 0;
      for await (const chunk of handle!.stream(0, large.length)) {
        // Whatever is read ahead has come by then.
        await sleep(pause);
        if (!large.subarray(at, at + chunk.length).equals(chunk)) return false;
        at += chunk.length;
      }
      return at === large.length;
    };
    t.same(new Set(await Promise.all(Array.from({ length: 40 }, (_, index) => read(index % 5)))), new Set([true]));
    await handle!.close();
    await blobs.close();
  });

  await t.test('many readers follow one writer, each at its own pace and from its own start', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    const writer = await blobs.create(large.length);
    const slowly = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) {
        chunks.push(Buffer.from(chunk));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return Buffer.concat(chunks);
    };
    const readers = [
      collect(writer.follow(0)),
      collect(writer.follow(0, large.length)),
      slowly(writer.follow(0)),
      slowly(writer.follow(MIB - 1, MIB + 1)),
      collect(writer.follow(3 * MIB + 7)),
      collect(writer.follow(large.length)),
      writer.read(2 * MIB - 5, 10).then(Buffer.from),
      writer.read(large.length - 1, 1).then(Buffer.from),
    ];
    const early = writer.follow(0)[Symbol.asyncIterator]();
    const first = early.next();
    // One piece is larger than everything that is buffered.
    await writer.write(large.subarray(0, 100));
    t.equal((await first).value?.length, 100, 'a reader has a byte as soon as it is written');
    await early.return?.();
    await writer.write(large.subarray(100));
    const unfinished = await Promise.all([readers[1], readers[3], readers[6], readers[7]]);
    t.equal(unfinished.length, 4, 'a bounded reader does not wait for commit');
    await writer.commit();
    const expected = [
      large,
      large,
      large,
      large.subarray(MIB - 1, MIB + 1),
      large.subarray(3 * MIB + 7),
      large.subarray(large.length),
      large.subarray(2 * MIB - 5, 2 * MIB + 5),
      large.subarray(large.length - 1),
    ];
    for (const [index, bytes] of (await Promise.all(readers)).entries())
      t.ok(bytes.equals(expected[index]!), `${index}`);
    t.ok((await collect(writer.follow(5))).equals(large.subarray(5)), 'following begins after commit, too');
    t.ok(Buffer.from(await writer.read(MIB, MIB)).equals(large.subarray(MIB, 2 * MIB)));
    await t.rejects(writer.read(large.length, 1), { code: 'STORE_CORRUPT' });
    await t.rejects(collect(writer.follow(0, large.length + 1)), { code: 'STORE_CORRUPT' });
    await blobs.close();
  });

  await t.test('readers of an aborted writer get its fault, and nothing is stored', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    const writer = await blobs.create(large.length);
    const readers = [collect(writer.follow(0)), collect(writer.follow(large.length - 1)), writer.read(4 * MIB, 1)];
    await pour(writer, large.subarray(0, 2 * MIB));
    const results = Promise.allSettled(readers);
    await writer.abort(new Error('upstream lied'));
    await writer.abort(new Error('again'));
    for (const result of await results) t.match(result, { status: 'rejected', reason: { message: 'upstream lied' } });
    await t.rejects(writer.write(Buffer.of(1)), { message: 'upstream lied' });
    await t.rejects(writer.commit(), { message: 'upstream lied' });
    await t.rejects(collect(writer.follow(0)), { message: 'upstream lied' });
    t.match(await blobs.usage(), { bytes: 0, blobs: 0 });
    await blobs.close();
  });

  await t.test('a blob that is not of the announced size is not stored', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    const short = await blobs.create(10);
    await short.write(Buffer.alloc(9));
    await t.rejects(short.commit(), { code: 'STORE_CORRUPT' });
    const long = await blobs.create(10);
    await t.rejects(long.write(Buffer.alloc(11)), { code: 'STORE_CORRUPT' });
    const closed = await blobs.create(10);
    await pour(closed, Buffer.alloc(10));
    await closed.digests();
    await t.rejects(closed.write(Buffer.alloc(1)), { code: 'STORE_CORRUPT' });
    await closed.abort(new Error('done'));
    t.match(await blobs.usage(), { bytes: 0, blobs: 0 });
    await blobs.close();
  });

  await t.test('the same bytes from several writers are one blob', async (t) => {
    const blobs = await open(Number.POSITIVE_INFINITY);
    const names = await Promise.all(Array.from({ length: 8 }, () => store(blobs, large)));
    t.same(new Set(names), new Set([sha256(large)]));
    t.match(await blobs.usage(), { bytes: large.length, blobs: 1 });
    const [one, two] = await Promise.all([blobs.open(names[0]!), blobs.open(names[0]!)]);
    await one!.close();
    t.ok((await collect(two!.stream(0, two!.size))).equals(large), 'closing one handle leaves the other open');
    await two!.close();
    await blobs.close();
  });

  await t.test('at the limit the blob served longest ago goes, but never one that is read or written', async (t) => {
    const blobs = await open(3 * MIB);
    const bytes = Array.from({ length: 6 }, () => randomBytes(MIB));
    const names: string[] = [];
    for (const one of bytes.slice(0, 3)) names.push(await store(blobs, one));
    const read = await blobs.open(names[0]!);
    names.push(await store(blobs, bytes[3]!));
    t.same(await Promise.all(names.map((name) => blobs.has(name))), [true, false, true, true]);
    await (await blobs.open(names[2]!))?.close();
    names.push(await store(blobs, bytes[4]!));
    t.same(await Promise.all(names.map((name) => blobs.has(name))), [true, false, true, false, true]);
    const writing = await blobs.create(2 * MIB);
    t.same(await Promise.all(names.map((name) => blobs.has(name))), [true, false, false, false, false]);
    await t.rejects(blobs.create(1), { code: 'STORE_FULL' });
    await writing.abort(new Error('given up'));
    const unknown = await blobs.create();
    await pour(unknown, bytes[5]!);
    await unknown.write(Buffer.alloc(MIB));
    await t.rejects(unknown.write(Buffer.of(1)), { code: 'STORE_FULL' });
    await t.rejects(unknown.commit(), { code: 'STORE_FULL' });
    t.ok((await collect(read!.stream(0, MIB))).equals(bytes[0]!));
    await read!.close();
    t.match(await blobs.usage(), { bytes: MIB, blobs: 1 });
    await t.rejects(blobs.create(3 * MIB + 1), { code: 'STORE_FULL' });
    t.match(await blobs.usage(), { bytes: MIB, blobs: 1 }, 'what can never fit evicts nothing');
    await blobs.close();
  });

  await t.test('a blob whose writer is still followed is not evicted', async (t) => {
    const blobs = await open(2 * MIB);
    const bytes = randomBytes(MIB);
    const writer = await blobs.create(MIB);
    const reader = writer.follow(0)[Symbol.asyncIterator]();
    const first = reader.next();
    await pour(writer, bytes, 1000);
    await writer.commit();
    const { sha256: name } = await writer.digests();
    await t.rejects(blobs.create(2 * MIB), { code: 'STORE_FULL' });
    const rest = await collect({ [Symbol.asyncIterator]: () => reader });
    t.ok(Buffer.concat([(await first).value!, rest]).equals(bytes));
    await (await blobs.create(2 * MIB)).abort(new Error('it would fit now'));
    t.notOk(await blobs.has(name));
    await t.rejects(collect(writer.follow(0)), { code: 'STORE_CORRUPT' }, 'evicted: said, not cut short');
    await blobs.close();
  });
};
