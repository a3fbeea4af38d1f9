import { createHash } from 'node:crypto';
import t from 'tap';
import { openTokens } from '../../src/gateway/tokens.ts';
import { checkTerms, type WantedToken } from '../../src/identity/terms.ts';
import { isTokenForm, writeToken } from '../../src/identity/token-form.ts';
import { createMemoryRecords } from '../support/memory-records.ts';

const MOUNTS = { huggingface: '/hf', pypi: '/packages/python' };
const NOW = Date.UTC(2026, 10, 23);
const HOUR = 3_600_000;
const terms = (wanted: WantedToken) => checkTerms({ team: 'speech', ...wanted }, MOUNTS, NOW);

t.test('a token is kept as a digest only, and is what Hub clients can carry', async (t) => {
  const records = createMemoryRecords();
  const tokens = await openTokens(records);
  const { secret, shown } = await tokens.create(terms({ environment: 'training' }), 'admin');
  t.match(secret, /^hf_[A-Za-z0-9]{34,}$/);
  const kept = await records.list('token', '', 10);
  t.same(kept[0]?.value.sha256, createHash('sha256').update(secret).digest('hex'));
  t.notMatch(JSON.stringify([kept, shown, tokens.list()]), secret.slice(8, 30));
  t.notMatch(JSON.stringify([shown, tokens.list()]), 'sha256');
  t.match(tokens.find(secret), {
    state: 'live',
    identity: { name: shown.id, team: 'speech', environment: 'training' },
  });
  for (const wrong of ['', 'x', secret.slice(1), `${secret} `, secret.toLowerCase(), shown.id])
    t.same(tokens.find(wrong), { state: 'unknown' }, wrong);
});

t.test('tokens end when they are said to, and when they are revoked, for good', async (t) => {
  const records = createMemoryRecords();
  let now = NOW;
  const tokens = await openTokens(records, () => now);
  const short = await tokens.create(terms({ expires: '2h' }), 'admin');
  const ever = await tokens.create(terms({ expires: 'never' }), 'admin');
  now += 2 * HOUR - 1;
  t.equal(tokens.find(short.secret).state, 'live');
  now += 1;
  t.equal(tokens.find(short.secret).state, 'expired');
  t.equal(tokens.find(ever.secret).state, 'live');
  t.equal((await tokens.revoke(ever.shown.id))?.revokedAt, now);
  t.equal(tokens.find(ever.secret).state, 'revoked');
  now += HOUR;
  t.equal((await tokens.revoke(ever.shown.id))?.revokedAt, now - HOUR, 'a second time changes nothing');
  t.equal(await tokens.revoke('t-none'), undefined);
  const again = await openTokens(records, () => now);
  t.same(
    [short, ever].map(({ secret }) => again.find(secret).state),
    ['expired', 'revoked'],
  );
});

t.test('a revocation counts although the disk does not take it', async (t) => {
  const records = createMemoryRecords();
  const tokens = await openTokens(records);
  const { secret, shown } = await tokens.create(terms({}), 'admin');
  const broken = await openTokens({ ...records, put: () => Promise.reject(new Error('full')) });
  await t.rejects(broken.revoke(shown.id), /full/);
  t.equal(broken.find(secret).state, 'revoked');
  await t.rejects(broken.create(terms({}), 'admin'), /full/);
  t.equal(broken.list().length, 1, 'and what could not be kept is no token');
});

t.test('terms are checked and say what was expected', async (t) => {
  t.match(terms({}), { role: 'pipeline', scopes: [], environment: '', note: '', expiresAt: NOW + 90 * 24 * HOUR });
  t.same(terms({ mounts: ['hf', '/hf', 'huggingface', 'packages/python', 'api'] }).scopes, [
    'huggingface',
    'pypi',
    'api',
  ]);
  t.notOk('expiresAt' in terms({ expires: 'never' }));
  t.equal(checkTerms({ role: 'admin' }, MOUNTS, NOW).team, '', 'people need no team');
  const wrong: readonly [WantedToken, RegExp][] = [
    [{ team: '' }, /^team: expected/],
    [{ team: 'a/b' }, /^team: expected/],
    [{ team: '..' }, /^team: expected/],
    [{ environment: 'a b' }, /^environment: expected/],
    [{ role: 'root' }, /^role: expected pipeline, viewer/],
    [{ mounts: ['nope'] }, /^mounts: expected any of hf, packages\/python, api/],
    [{ mounts: [''] }, /^mounts: expected/],
    [{ mounts: ['__proto__'] }, /^mounts: expected/],
    [{ note: 'x'.repeat(201) }, /^note: expected/],
    ...['90', '0d', '-1d', '9999d', '1e3d', 'soon', ''].map((expires): [WantedToken, RegExp] => [
      { expires },
      /^expires: expected a time such as 90d/,
    ]),
  ];
  for (const [wanted, message] of wrong)
    t.throws(() => terms(wanted), { code: 'REQUEST_INVALID', message }, JSON.stringify(wanted));
});

t.test('every secret is written in the same length, and the tokens of the Hub are not taken for ours', async (t) => {
  for (const byte of [0, 1, 127, 255]) t.ok(isTokenForm(writeToken(new Uint8Array(32).fill(byte))), String(byte));
  const texts = Array.from({ length: 50 }, (_, at) => writeToken(new Uint8Array(32).fill(at)));
  t.equal(new Set(texts).size, 50);
  for (const other of [
    `hf_${'a'.repeat(34)}`,
    `hf_wb${'a'.repeat(29)}`,
    `hf_wb${'a'.repeat(44)}`,
    `hf_wb${'a'.repeat(42)}-`,
  ])
    t.notOk(isTokenForm(other), other);
});
