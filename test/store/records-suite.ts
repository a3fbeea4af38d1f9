import type { Test } from 'tap';
import type { Records } from '../../src/store/types.ts';

const at = (size: number) => ({ size, servedAt: 1 });

/** What every backend of `Records` does. `open` gives records that are empty; `reopen` the same ones after a restart. */
export const recordsSuite = async (
  t: Test,
  open: () => Promise<{ records: Records; reopen(): Promise<Records> }>,
): Promise<void> => {
  await t.test('a value is read as it was written, at once, and per table', async (t) => {
    const { records } = await open();
    const value = { status: 200, headers: { 'x-ü': '"\u2028\u{1f600}' }, body: '\0', at: 1.5 };
    await records.put('metadata', 'hub/a/b', value);
    t.same(await records.get('metadata', 'hub/a/b'), value);
    t.equal(await records.get('revision', 'hub/a/b'), undefined);
    await records.put('metadata', 'hub/a/b', { ...value, status: 404 }, true);
    t.match(await records.get('metadata', 'hub/a/b'), { status: 404 });
    await records.delete('metadata', 'hub/a/b');
    t.equal(await records.get('metadata', 'hub/a/b'), undefined);
    await records.delete('metadata', 'never there');
    await records.close();
  });

  await t.test('of many concurrent adds exactly one wins, and all are told what it was', async (t) => {
    const { records } = await open();
    const told = await Promise.all(Array.from({ length: 50 }, (_, size) => records.add('blob', 'same', at(size))));
    const won = await records.get('blob', 'same');
    t.ok(told.every((value) => value.size === won?.size));
    await records.delete('blob', 'same');
    t.same(await records.add('blob', 'same', at(99)), at(99), 'a deleted key can be added again');
    await records.close();
  });

  await t.test('a list has the keys of a prefix in order, page by page, with what was written just now', async (t) => {
    const { records, reopen } = await open();
    const keys = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a/\u{ffff}', 'a/\u{1f600}', 'a/\u{10ffff}', 'a0', 'b'];
    for (const key of [...keys].reverse()) await records.put('blob', key, at(1));
    const listed = async (from: Records, limit: number, after?: string): Promise<string[]> =>
      (await from.list('blob', 'a/', limit, after)).map(({ key }) => key);
    const expected = keys.slice(1, 8);
    t.same(await listed(records, 100), expected);
    await records.put('blob', 'flush', at(1), true);
    t.same(await listed(records, 100), expected);
    await records.delete('blob', 'a/10');
    await records.put('blob', 'a/11', at(7));
    t.same(await listed(records, 3), ['a/', 'a/1', 'a/11']);
    t.same(await listed(records, 3, 'a/11'), ['a/2', 'a/\u{ffff}', 'a/\u{1f600}']);
    t.equal((await records.list('blob', '', 100)).length, 11);
    t.same(await listed(records, 0), []);
    await records.close();
    const again = await reopen();
    t.same(await listed(again, 2, 'a/1'), ['a/11', 'a/2'], 'the same after a restart');
    await again.close();
  });

  await t.test('ten thousand writes at once are all there after a restart', async (t) => {
    const { records, reopen } = await open();
    await Promise.all(Array.from({ length: 10_000 }, (_, index) => records.put('blob', `k${index}`, at(index))));
    await records.close();
    const again = await reopen();
    t.equal((await again.list('blob', 'k', 10_000)).length, 10_000);
    t.same(await again.get('blob', 'k9999'), at(9999));
    await again.close();
  });

  await t.test('a key that could not come back as it went in is refused', async (t) => {
    const { records } = await open();
    for (const key of ['a\0b', '\ud800', 'x'.repeat(9000)]) {
      await t.rejects(records.put('blob', key, at(1)), { code: 'REQUEST_INVALID' });
      await t.rejects(records.get('blob', key), { code: 'REQUEST_INVALID' });
    }
    await records.close();
  });
};
