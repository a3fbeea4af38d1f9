import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { createLogSearch } from '../../src/audit/log-search.ts';
import { loadConfig } from '../../src/config.ts';
import { createApp } from '../../src/http/app.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import { decision, lines, openLog } from '../audit/support.ts';

const home = t.testdir({});
const log = await openLog(home);
const search = createLogSearch(join(home, 'log'));
const { server } = await createApp({
  config: loadConfig({ env: { WEIGHBRIDGE_PORT: '0' } }),
  ecosystems: [],
  metrics: createMetrics(),
  health: async () => [],
  lookups: {},
  log: { log, search },
  logger: pino({ level: 'silent' }),
});
t.teardown(async () => {
  await server.close();
  await search.close();
  await log.close();
});
for (let index = 0; index < 30; index += 1) await log.append(decision(index));

const get = async (query: string) => {
  const answer = await server.inject({ method: 'GET', url: `/api/v1/log${query}`, headers: { host: 'localhost' } });
  return { status: answer.statusCode, body: answer.json() };
};

t.test('a wrong query is refused with what can be asked for, and reads nothing', async (t) => {
  const before = log.size;
  for (const query of [
    '?limit=0',
    '?limit=1001',
    '?before=-1',
    '?from=soon',
    '?colour=red',
    '?repo=',
    '?repo=a&repo=b',
  ]) {
    t.match(
      await get(query),
      { status: 400, body: { code: 'REQUEST_INVALID', error: /there are artefact, digest/ } },
      query,
    );
  }
  t.match(await get(`?repo=${'*'.repeat(300)}`), { status: 400, body: { code: 'REQUEST_INVALID' } });
  t.equal(log.size, before);
});

t.test('the log is read a page at a time, newest first, and every read is an entry', async (t) => {
  const { status, body } = await get('?decision=deny&limit=4');
  t.equal(status, 200);
  t.match(body, { total: 10, searched: 30, next: 18 });
  t.same(
    body.entries.map(({ index }: { index: number }) => index),
    [27, 24, 21, 18],
  );
  t.match(body.entries[0].entry, { kind: 'artefact.decision', artefact: { path: 'file-27.bin' } });
  t.match(await get('?decision=deny&limit=400&before=18'), { body: { total: 10, next: null } });
  t.match(await get('?artefact=models/org/name/file-7.bin'), { body: { total: 1, entries: [{ index: 7 }] } });
  t.match(await get('?to=2020-01-01'), { body: { total: 0, entries: [] } });
  const read = JSON.parse(lines(join(home, 'log', 'audit-000000000000.jsonl'))[30] ?? '');
  t.match(read, { kind: 'log.read', actor: /^p_/, detail: { decision: 'deny', limit: 4, found: 10 } });
  t.match(await get('?kind=log.read'), { body: { total: 4 } });
});
