import t from 'tap';
import { openAccounts } from '../../src/gateway/accounts.ts';
import { hashPassword, isPassword } from '../../src/gateway/passwords.ts';
import { openSessions } from '../../src/gateway/sessions.ts';
import { addressKey, createThrottle } from '../../src/http/throttle.ts';
import { createMemoryRecords } from '../support/memory-records.ts';

const PASSWORD = 'correct horse battery';
const MINUTE = 60_000;

t.test('sessions end when nobody comes, after half a day whoever comes, and for the oldest of too many', async (t) => {
  const records = createMemoryRecords();
  let now = Date.UTC(2026, 10, 23);
  const accounts = await openAccounts(records, () => now);
  const open = () => openSessions(records, accounts, () => now);
  const sessions = await open();
  const person = { name: 'p', role: 'viewer', via: 'oidc' } as const;
  const idle = await sessions.open(person);
  now += 30 * MINUTE - 1;
  t.match(sessions.find(idle), { name: 'p', role: 'viewer', team: '', scopes: ['api'] });
  t.match((await open()).find(idle), { name: 'p' }, 'when a person was last here outlives a restart');
  now += 30 * MINUTE;
  t.equal(sessions.find(idle), undefined);
  const busy = await sessions.open(person);
  for (let minutes = 0; minutes < 12 * 60 - 20; minutes += 20) {
    now += 20 * MINUTE;
    t.ok(sessions.find(busy));
  }
  now += 20 * MINUTE;
  t.equal(sessions.find(busy), undefined, 'twelve hours are over');
  const many: string[] = [];
  for (let count = 0; count < 21; count += 1) many.push(await sessions.open(person));
  t.same(
    many.map((secret) => sessions.find(secret) !== undefined),
    [false, ...Array(20).fill(true)],
  );
  t.equal(records.size(), 20, 'what has ended is forgotten');
  now -= 3_600_000;
  t.equal(sessions.find(many[5] ?? ''), undefined, 'a clock that is put back prolongs nothing');
});

t.test('passwords are kept salted and slow; limits have a bounded memory and know IPv6', async (t) => {
  const [first, second] = [await hashPassword(PASSWORD), await hashPassword(PASSWORD)];
  t.match(first, /^scrypt:32768:8:3:[\w-]{22}:[\w-]{43}$/);
  t.not(first, second);
  t.ok(await isPassword(PASSWORD, first));
  t.notOk(await isPassword(`${PASSWORD} `, first));
  t.notOk(await isPassword('', undefined));
  t.ok(
    await isPassword('caf\u00e9 und mehr davon', await hashPassword('cafe\u0301 und mehr davon')),
    'typed otherwise',
  );
  const crowd = await Promise.allSettled(Array.from({ length: 30 }, () => isPassword(PASSWORD, first)));
  const refused = crowd.filter(({ status }) => status === 'rejected');
  t.equal(refused.length, 8, 'no more wait than there is room for');
  t.match(refused[0], { reason: { code: 'RATE_LIMITED' } });
  let now = 0;
  const throttle = createThrottle({ burst: 3, perSecond: 1, slots: 1 }, () => now);
  t.same([1, 2, 3, 4].map(String).map(throttle.take), [true, true, true, false]);
  now = 1000;
  t.same([throttle.take('x'), throttle.take('x')], [true, false]);
  now = 0;
  t.notOk(throttle.take('x'));
  t.equal(addressKey('2001:db8:1:2:3:4:5:6'), addressKey('2001:db8:1:2::9'));
  t.not(addressKey('2001:db8:1:2::9'), addressKey('2001:db8:1:3::9'));
  t.equal(addressKey('::1'), addressKey('::2'));
  t.equal(addressKey('192.0.2.1'), '192.0.2.1');
});
