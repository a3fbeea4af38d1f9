import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createFileBlobs } from '../../src/store/blobs-files.ts';
import { type Disk, disk, temporary } from '../../src/store/disk.ts';
import { blobPath, layout } from '../../src/store/layout.ts';
import { createSqliteRecords } from '../../src/store/records-sqlite.ts';
import { openStore } from '../../src/store/store.ts';
import type { Blobs } from '../../src/store/types.ts';
import { textOf } from '../support/project.ts';
import { blobsSuite, collect, sha256, store } from './blobs-suite.ts';

const MIB = 1024 * 1024;
const everything = Number.POSITIVE_INFINITY;

let folders = 0;
const root = t.testdir({});
const fresh = (): string => join(root, `store${folders++}`);

const opened = async (limit: number, faulty?: Disk): Promise<{ blobs: Blobs; data: string }> => {
  const data = fresh();
  await (await openStore({ data, limit })).close();
  const records = await createSqliteRecords({ path: layout(data).records });
  t.teardown(() => records.close());
  return {
    blobs: await createFileBlobs({ root: data, limit, records, sealAfter: 0, ...(faulty && { disk: faulty }) }),
    data,
  };
};

/** Waits for what happens a little later; the suite's time-out ends it. */
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

await blobsSuite(t, async (limit) => (await opened(limit)).blobs);

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

t.test('a blob lies read-only where the layout says, and a restart knows it and what was served last', async (t) => {
  const data = fresh();
  const first = await openStore({ data, limit: 2 * MIB, sealAfter: 0 });
  const [a, b] = [randomBytes(MIB), randomBytes(MIB)];
  const nameA = await store(first.blobs, a);
  const nameB = await store(first.blobs, b);
  const file = join(data, 'blobs', 'sha256', nameA.slice(0, 2), nameA.slice(2, 4), nameA);
  t.ok(readFileSync(file).equals(a));
  await until(() => (statSync(file).mode & 0o777) === 0o444);
  t.equal(statSync(data).mode & 0o777, 0o700);
  t.same(readdirSync(join(data, 'tmp')), []);
  await first.records.put('blob', nameA, { size: MIB, servedAt: Date.now() + 1000 });
  await first.records.put('blob', 'f'.repeat(64), { size: 1, servedAt: 1 }, true);
  await first.close();
  const second = await openStore({ data, limit: 2 * MIB });
  t.same(await second.blobs.usage(), { bytes: 2 * MIB, limit: 2 * MIB, blobs: 2 });
  t.equal(await second.records.get('blob', 'f'.repeat(64)), undefined, 'what has no file is forgotten');
  await store(second.blobs, randomBytes(1));
  t.same(await Promise.all([second.blobs.has(nameA), second.blobs.has(nameB)]), [true, false]);
  await second.close();
  const third = await openStore({ data, limit: everything });
  t.match(await third.blobs.usage(), { blobs: 2, bytes: MIB + 1 });
  await third.close();
});

t.test('a blob that was cut or removed behind our back is unknown, and can be stored again', async (t) => {
  const { blobs, data } = await opened(everything);
  const bytes = randomBytes(2 * MIB);
  const name = await store(blobs, bytes);
  const file = blobPath(layout(data).blobs, name);
  chmodSync(file, 0o600);
  truncateSync(file, 10);
  t.equal(await blobs.open(name), undefined);
  t.notOk(await blobs.has(name));
  t.equal(await store(blobs, bytes), name);
  const handle = await blobs.open(name);
  t.ok((await collect(handle!.stream(0, handle!.size))).equals(bytes));
  await handle!.close();
  await blobs.close();
});

t.test('a full disk is STORE_FULL for the writer and its readers, and leaves nothing behind', async (t) => {
  for (const bytes of [randomBytes(100), randomBytes(9 * MIB)]) {
    // The kernel's own ENOSPC: every write to this device fails with it.
    const full: Disk = { ...disk, create: async () => temporary(await open('/dev/full', 'r+')) };
    const { blobs } = await opened(everything, full);
    const writer = await blobs.create(bytes.length);
    const reader = t.rejects(collect(writer.follow(bytes.length - 1)), { code: 'STORE_FULL' });
    const failed = (async () => {
      for (let at = 0; at < bytes.length; at += 1000) await writer.write(bytes.subarray(at, at + 1000));
      await writer.commit();
    })();
    await t.rejects(failed, { code: 'STORE_FULL' });
    if (bytes.length > MIB) await reader;
    else await writer.abort(new Error('over'));
    t.match(await blobs.usage(), { bytes: 0, blobs: 0 });
    await blobs.close();
  }
});

t.test('who reads what a full disk did not take is told so before the writer is', async (t) => {
  const bytes = randomBytes(20 * MIB);
  const create: Disk['create'] = async (path) => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    return { ...(await disk.create(path)), write: () => Promise.reject(full) };
  };
  const { blobs } = await opened(everything, { ...disk, create });
  const writer = await blobs.create(bytes.length);
  // As much as goes to the disk at once: the writer goes on, and hears of it at its next chunk.
  await writer.write(bytes.subarray(0, 2 * MIB));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await t.rejects(writer.read(0, 100), { code: 'STORE_FULL' });
  await t.rejects(collect(writer.follow(0, MIB)), { code: 'STORE_FULL' });
  await writer.abort(new Error('over'));
  await blobs.close();
});

t.test('a disk that fails at any call makes no blob, or the right one, and frees what was promised', async (t) => {
  const bytes = randomBytes(MIB + 1);
  const calls = ['create', 'folder', 'link', 'write'];
  for (const failing of calls) {
    const { blobs, data } = await opened(
      everything,
      interrupted(failing, () => Promise.reject(new Error('EIO'))),
    );
    await t.rejects(store(blobs, bytes), { code: 'STORE_CORRUPT' }, failing);
    t.match(await blobs.usage(), { bytes: 0, blobs: 0 }, failing);
    t.same(readdirSync(layout(data).temporary), [], failing);
    for (const file of filesIn(layout(data).blobs)) t.ok(readFileSync(file).equals(bytes), failing);
    await blobs.close();
  }
});

t.test('kill -9 before or after any step leaves no wrong blob, and the next start cleans up', async (t) => {
  const here = (path: string): string => new URL(path, import.meta.url).href;
  const bytes = Buffer.alloc(2 * MIB + 5, 'weigh');
  const steps = ['create', 'write', 'folder', 'link', 'remove', 'seal', 'syncFolder'];
  const program = join(t.testdir({}), 'child.mjs');
  writeFileSync(
    program,
    `const [data, step, when] = process.argv.slice(2);
     const { createFileBlobs } = await import(${JSON.stringify(here('../../src/store/blobs-files.ts'))});
     const { createSqliteRecords } = await import(${JSON.stringify(here('../../src/store/records-sqlite.ts'))});
     const { disk } = await import(${JSON.stringify(here('../../src/store/disk.ts'))});
     const die = () => process.kill(process.pid, 'SIGKILL');
     const around = (object) => {
       if (object[step] === undefined) return object;
       const call = object[step];
       return { ...object, [step]: async (...a) => { if (when === 'before') die(); const r = await call(...a); die(); return r; } };
     };
     const killer = { ...around(disk), create: async (path) => around(await around(disk).create(path)) };
     const records = await createSqliteRecords({ path: data + '/records.sqlite' });
     const blobs = await createFileBlobs({ root: data, limit: Infinity, records, disk: killer, sealAfter: 0 });
     const writer = await blobs.create(${bytes.length});
     const bytes = Buffer.alloc(${bytes.length}, 'weigh');
     for (let at = 0; at < bytes.length; at += 100000) await writer.write(bytes.subarray(at, at + 100000));
     await writer.commit();
     setInterval(() => undefined, 1000);`,
  );
  let after = 0;
  await Promise.all(
    ['before', 'after'].map(async (when) => {
      for (const step of steps) {
        const data = fresh();
        await (await openStore({ data, limit: everything })).close();
        const [, signal] = await once(
          spawn(process.execPath, [program, data, step, when], { stdio: 'inherit' }),
          'exit',
        );
        t.equal(signal, 'SIGKILL', `${when} ${step}`);
        const { blobs, close } = await openStore({ data, limit: everything });
        t.same(readdirSync(layout(data).temporary), [], `${when} ${step}`);
        for (const file of filesIn(layout(data).blobs)) {
          after += 1;
          t.ok(file.endsWith(sha256(readFileSync(file))), `${when} ${step}: the name is the digest`);
        }
        t.equal(await store(blobs, bytes), sha256(bytes), `${when} ${step}: stored again`);
        t.match(await blobs.usage(), { blobs: 1, bytes: bytes.length });
        await close();
      }
    }),
  );
  t.equal(after, 7, 'killed at any step after the link: the blob was there');
});

t.test(
  'bytes that may not have reached the disk when the machine stopped are hashed before they are served',
  async (t) => {
    const data = fresh();
    const first = await openStore({ data, limit: everything });
    const [good, lost] = [randomBytes(2 * MIB + 5), randomBytes(3 * MIB)];
    const [nameGood, nameLost] = [await store(first.blobs, good), await store(first.blobs, lost)];
    await first.close();
    const paths = [nameGood, nameLost].map((name) => blobPath(layout(data).blobs, name));
    t.same(
      paths.map((path) => statSync(path).mode & 0o777),
      [0o600, 0o600],
      'closed before their time',
    );
    // What a power failure leaves of a file whose length was written before its bytes.
    writeFileSync(paths[1]!, Buffer.concat([lost.subarray(0, MIB), Buffer.alloc(2 * MIB)]));
    const second = await openStore({ data, limit: everything, sealAfter: 0 });
    const both = await Promise.all([second.blobs.open(nameGood), second.blobs.open(nameGood)]);
    for (const blob of both) {
      t.ok(Buffer.from(await blob!.read(0, good.length)).equals(good));
      await blob!.close();
    }
    await until(() => (statSync(paths[0]!).mode & 0o777) === 0o444);
    t.equal(await second.blobs.open(nameLost), undefined);
    t.equal(await second.blobs.has(nameLost), false);
    t.notOk(existsSync(paths[1]!));
    t.equal(await store(second.blobs, lost), nameLost, 'it can be stored again');
    await second.close();
  },
);

t.test('bytes that may not have reached the disk give way to the same ones that come again', async (t) => {
  const data = fresh();
  const first = await openStore({ data, limit: everything });
  const bytes = randomBytes(2 * MIB + 5);
  const name = await store(first.blobs, bytes);
  await first.close();
  const path = blobPath(layout(data).blobs, name);
  writeFileSync(path, Buffer.alloc(bytes.length));
  const second = await openStore({ data, limit: everything, sealAfter: 0 });
  t.equal(await store(second.blobs, bytes), name);
  await until(() => (statSync(path).mode & 0o777) === 0o444);
  await second.close();
  // From here on they are believed.
  const third = await openStore({ data, limit: everything });
  const blob = await third.blobs.open(name);
  t.ok(Buffer.from(await blob!.read(0, bytes.length)).equals(bytes));
  await blob!.close();
  await third.close();
});

t.test('a blob that the disk would not keep is gone, and can be stored again', async (t) => {
  for (const failing of ['seal', 'syncFolder']) {
    const { blobs } = await opened(
      everything,
      interrupted(failing, () => Promise.reject(new Error('EIO'))),
    );
    const bytes = randomBytes(MIB + 1);
    const name = await store(blobs, bytes);
    while (await blobs.has(name)) await new Promise((resolve) => setTimeout(resolve, 5));
    t.match(await blobs.usage(), { bytes: 0, blobs: 0 }, failing);
    t.equal(await store(blobs, bytes), name);
    await blobs.close();
  }
});

t.test('a second process is kept out, a dead one is not', async (t) => {
  const data = fresh();
  const store = await openStore({ data, limit: everything });
  await t.rejects(openStore({ data, limit: everything }), { code: 'CONFIG_INVALID' }, 'not even twice in one process');
  const module = new URL('../../src/store/store.ts', import.meta.url).href;
  const program = join(t.testdir({}), 'child.mjs');
  writeFileSync(
    program,
    `const { openStore } = await import(${JSON.stringify(module)});
     try { await openStore({ data: process.argv[2], limit: 1 }); process.kill(process.pid, 'SIGKILL'); }
     catch (error) { process.exit(error.code === 'CONFIG_INVALID' ? 3 : 4); }`,
  );
  const run = async () => once(spawn(process.execPath, [program, data], { stdio: 'inherit' }), 'exit');
  t.same(await run(), [3, null]);
  await store.close();
  t.same(await run(), [null, 'SIGKILL'], 'it held the lock when it was killed');
  await (await openStore({ data, limit: everything })).close();
});

t.test('docs/store.md names everything in the data folder', async (t) => {
  const data = fresh();
  const { blobs, close } = await openStore({ data, limit: everything });
  const name = await store(blobs, randomBytes(10));
  t.equal(layout(data).log, join(data, 'log'));
  t.equal(layout(data).keys, join(data, 'keys'));
  const page = textOf('docs/store.md');
  const names = readdirSync(data).filter((file) => !/-(wal|shm)$/.test(file));
  t.same(names.sort(), ['blobs', 'lock', 'records.sqlite', 'tmp', 'version']);
  for (const file of [...names, 'log', 'keys']) t.match(page, new RegExp(`\\n  ${file}[ /]`), file);
  const [, command = ''] = /cd data\/blobs\/sha256 && (.*)\n/.exec(page) ?? [];
  const check = () => spawnSync('sh', ['-c', command], { cwd: layout(data).blobs, encoding: 'utf8' });
  t.match(check(), { status: 0, stdout: '', stderr: '' });
  const file = blobPath(layout(data).blobs, name);
  chmodSync(file, 0o600);
  writeFileSync(file, 'other');
  t.match(check(), { status: 1, stdout: /FAILED/ });
  await close();
});

t.test('the folder of a newer Weighbridge is refused', async (t) => {
  const data = fresh();
  await (await openStore({ data, limit: everything })).close();
  writeFileSync(layout(data).version, '2\n');
  await t.rejects(openStore({ data, limit: everything }), { code: 'STORE_TOO_NEW' });
  writeFileSync(layout(data).version, '1\n');
  await (await openStore({ data, limit: everything })).close();
});

t.test('memory does not grow with the blob, however slow its readers are', async (t) => {
  const { blobs } = await opened(everything);
  const chunk = randomBytes(MIB);
  const writer = await blobs.create(256 * MIB);
  const stalled = writer.follow(0)[Symbol.asyncIterator]();
  const first = stalled.next();
  const before = process.memoryUsage().rss;
  let peak = 0;
  for (let count = 0; count < 256; count += 1) {
    await writer.write(Buffer.from(chunk));
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  await first;
  await stalled.return?.();
  await writer.abort(new Error('enough'));
  t.ok(peak < 160 * MIB, `${Math.round(peak / MIB)} MiB more`);
  await blobs.close();
});

/** The disk, with one call (of its own or of a file) replaced by `instead`, once. */
function interrupted(name: string, instead: () => Promise<never>): Disk {
  let done = false;
  const around = <T extends object>(object: T): T =>
    new Proxy(object, {
      get(target, key) {
        const call = Reflect.get(target, key);
        if (key !== name || done) return call;
        done = true;
        return instead;
      },
    });
  const outer = around({ ...disk });
  return new Proxy(outer, {
    get: (target, key) =>
      key === 'create' && name !== 'create'
        ? async (path: string) => around(await disk.create(path))
        : Reflect.get(target, key),
  });
}
