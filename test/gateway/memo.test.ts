import t from 'tap';
import { createMemo, createSingleFlight } from '../../src/gateway/memo.ts';

t.test('a memo is bounded by what its values weigh together, and keeps the newest', async (t) => {
  const memo = createMemo<number>(100, (value) => value);
  for (const [key, value] of Object.entries({ a: 40, b: 40, c: 30 })) memo.set(key, value);
  t.same([memo.get('a'), memo.get('b'), memo.get('c')], [undefined, 40, 30]);
  memo.set('b', 10);
  memo.set('d', 60);
  t.same([memo.get('b'), memo.get('c'), memo.get('d')], [10, 30, 60], 'what is replaced weighs nothing any more');
  memo.set('e', 500);
  t.same([memo.get('b'), memo.get('d'), memo.get('e')], [undefined, undefined, 500]);
  memo.delete('e');
  memo.set('f', 100);
  memo.set('g', 0);
  t.same([memo.get('f'), memo.get('g')], [100, 0], 'what is deleted as well');
});

t.test('the one used longest ago leaves first', async (t) => {
  const memo = createMemo<string>(2);
  memo.set('a', '1');
  memo.set('b', '2');
  memo.get('a');
  memo.set('c', '3');
  t.same([memo.get('a'), memo.get('b'), memo.get('c')], ['1', undefined, '3']);
});

t.test('work runs once for all; a failure of the first caller’s own is not inherited', async (t) => {
  const own = new Error('not you');
  const once = createSingleFlight<number>((error) => error === own);
  let runs = 0;
  const work = (fail?: Error) => async (): Promise<number> => {
    runs += 1;
    await new Promise(setImmediate);
    if (fail !== undefined) throw fail;
    return runs;
  };
  const first = once('key', work(own));
  const others = [once('key', work()), once('key', work())];
  await t.rejects(first, own);
  t.same(await Promise.all(others), [2, 2], 'those who had joined share a second run');
  const broken = new Error('broken');
  const both = [once('key', work(broken)), once('key', work())];
  t.same(
    (await Promise.allSettled(both)).map(({ status }) => status),
    ['rejected', 'rejected'],
    'any other failure is everybody’s',
  );
  t.equal(runs, 3);
  t.equal(await once('key', work()), 4, 'and is not kept');
});
