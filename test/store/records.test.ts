import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { createSqliteRecords } from '../../src/store/records-sqlite.ts';
import { migrate } from '../../src/store/schema.ts';
import { recordsSuite } from './records-suite.ts';

await recordsSuite(t, async () => {
  const path = join(t.testdir({}), `${process.hrtime.bigint()}.sqlite`);
  return { records: await createSqliteRecords({ path }), reopen: () => createSqliteRecords({ path }) };
});

t.test('an older program refuses the store of a newer one', async (t) => {
  const path = join(t.testdir({}), 'r.sqlite');
  await (await createSqliteRecords({ path })).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 99');
  database.close();
  await t.rejects(createSqliteRecords({ path }), { code: 'STORE_TOO_NEW', details: { found: 99 } });
});

t.test('migrations run once each, forward, and a broken one changes nothing', async (t) => {
  const path = join(t.testdir({}), 'm.sqlite');
  migrate(path, ['CREATE TABLE one (a)']);
  migrate(path, ['CREATE TABLE one (a)', 'CREATE TABLE two (b)']);
  t.throws(() => migrate(path, ['', '', 'CREATE TABLE three (c); CREATE TABLE one (a)']), { code: 'STORE_CORRUPT' });
  const database = new DatabaseSync(path);
  t.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 2);
  t.same(
    database
      .prepare('SELECT name FROM sqlite_schema ORDER BY name')
      .all()
      .map((row) => row['name']),
    ['one', 'two'],
  );
  database.close();
});

t.test('what is no database is said to be corrupt', async (t) => {
  const path = join(t.testdir({}), 'x.sqlite');
  writeFileSync(path, 'not a database, but long enough to be looked at '.repeat(40));
  await t.rejects(createSqliteRecords({ path }), { code: 'STORE_CORRUPT' });
});

t.test('a write that cannot be made is told: to whom waits for it, or by the next write', async (t) => {
  const path = join(t.testdir({}), 'f.sqlite');
  const records = await createSqliteRecords({ path });
  t.teardown(() => records.close());
  const saboteur = new DatabaseSync(path);
  saboteur.exec("CREATE TRIGGER no BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'no'); END");
  saboteur.close();
  await t.rejects(records.put('blob', 'a', { size: 1, servedAt: 1 }, true), { code: 'STORE_CORRUPT' });
  t.equal(await records.get('blob', 'a'), undefined);
  await records.put('blob', 'b', { size: 1, servedAt: 1 });
  await t.rejects(records.put('blob', 'c', { size: 1, servedAt: 1 }, true), { code: 'STORE_CORRUPT' });
  await t.rejects(records.put('blob', 'd', { size: 1, servedAt: 1 }), { code: 'STORE_CORRUPT' });
  await records.delete('blob', 'd');
});

t.test('a durable write outlives kill -9', async (t) => {
  const folder = t.testdir({ data: {} });
  const path = join(folder, 'data', 'k.sqlite');
  const module = new URL('../../src/store/records-sqlite.ts', import.meta.url).href;
  const program = `
    const { createSqliteRecords } = await import(${JSON.stringify(module)});
    const records = await createSqliteRecords({ path: ${JSON.stringify(path)} });
    await records.put('blob', 'kept', { size: 5, servedAt: 1 }, true);
    process.kill(process.pid, 'SIGKILL');`;
  const file = join(folder, 'child.mjs');
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file], { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  t.equal(signal, 'SIGKILL');
  const records = await createSqliteRecords({ path });
  t.same(await records.get('blob', 'kept'), { size: 5, servedAt: 1 });
  await records.close();
});
