import { pino } from 'pino';
import t from 'tap';
import type { Entry } from '../../src/audit/types.ts';
import { loadConfig } from '../../src/config.ts';
import type { Ecosystem } from '../../src/ecosystems/types.ts';
import { WeighbridgeError } from '../../src/errors.ts';
import type { Report } from '../../src/formats/format.ts';
import { createApp } from '../../src/http/app.ts';
import { measured } from '../../src/http/measured.ts';
import { counted, createMetrics } from '../../src/http/metrics.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { textOf } from '../support/project.ts';
import { startWorld } from '../support/world.ts';

const REPORT: Report = {
  format: 'safetensors',
  content: 'inert',
  coverage: { state: 'complete', bytesInspected: 1, bytesTotal: 1, reason: '' },
  findings: [],
};
const source = { size: 1, read: async () => new Uint8Array(1) };
const sandboxOf = (inspect: Sandbox['inspect']): Sandbox =>
  ({
    ruleset: 'r',
    inspect,
    withoutRows: async () => undefined,
    walls: () => [],
    stats: () => ({ workers: 2, idle: 1, restarts: 0 }),
    close: async () => undefined,
  }) as unknown as Sandbox;

t.test(
  'inspections are timed by format, faults counted by code, and labels stay bounded whatever a worker says',
  async (t) => {
    const { registry } = createMetrics();
    const reports: Report[] = [REPORT, { ...REPORT, format: 'unknown', details: { sandbox: 'SANDBOX_TIMEOUT' } }];
    for (let lie = 0; lie < 500; lie += 1) reports.push({ ...REPORT, format: `lie-${lie}` });
    const sandbox = measured(
      sandboxOf(async () => reports.shift() ?? REPORT),
      registry,
    );
    while (reports.length > 0) await sandbox.inspect(source);
    const text = await registry.metrics();
    t.match(text, 'weighbridge_inspection_seconds_count{format="safetensors"} 1');
    t.match(text, 'weighbridge_sandbox_faults_total{code="SANDBOX_TIMEOUT"} 1');
    const lost = createMetrics().registry;
    const away = new WeighbridgeError('SANDBOX_UNAVAILABLE', 'no worker');
    await t.rejects(
      measured(
        sandboxOf(() => Promise.reject(away)),
        lost,
      ).inspect(source),
      away,
    );
    t.match(await lost.metrics(), 'weighbridge_sandbox_faults_total{code="SANDBOX_UNAVAILABLE"} 1');
    t.match(text, /weighbridge_inspection_seconds_count\{format="other"\} 30\d/);
    t.ok([...text.matchAll(/seconds_count\{format=/g)].length <= 201);
  },
);

t.test('the files that wait are those that no worker has yet, also when one is given up', async (t) => {
  const { registry } = createMetrics();
  const open: PromiseWithResolvers<Report>[] = [];
  const inspect = (): Promise<Report> => {
    const one = Promise.withResolvers<Report>();
    open.push(one);
    return one.promise;
  };
  const sandbox = measured(sandboxOf(inspect), registry);
  const all = [sandbox.inspect(source), sandbox.inspect(source), sandbox.inspect(source)];
  t.match(await registry.metrics(), /weighbridge_inspections_waiting 2\n/);
  open[0]?.reject(new Error('gone'));
  open[1]?.resolve(REPORT);
  open[2]?.resolve(REPORT);
  await Promise.allSettled(all);
  t.match(await registry.metrics(), /weighbridge_inspections_waiting 0\n/);
  t.match(await registry.metrics(), /weighbridge_sandbox_workers 2\n/);
});

t.test('the age of what the log has not written is told, and falls when it is', async (t) => {
  const metrics = createMetrics();
  const disk = Promise.withResolvers<number>();
  const slow = { append: () => disk.promise, enqueue: () => undefined } as unknown as Parameters<typeof counted>[0];
  const entry: Entry = { kind: 'log.read' };
  const appended = counted(slow, metrics).append(entry);
  await new Promise((done) => setTimeout(done, 30));
  const lag = async (): Promise<number> =>
    Number(/^weighbridge_log_lag_seconds (\S+)/m.exec(await metrics.registry.metrics())?.[1]);
  t.ok((await lag()) >= 0.02, `${await lag()} s`);
  disk.resolve(3);
  t.equal(await appended, 3);
  t.equal(await lag(), 0);
  t.match(await metrics.registry.metrics(), 'weighbridge_log_wait_seconds_count 1');
});

const speaking: Ecosystem = {
  name: 'speaking',
  mount: '/m',
  setting: () => '',
  async plugin(app) {
    app.get('/x', async (request, reply) => {
      request.log.warn('a remark');
      return reply.header('x-weighbridge-decision', 'deny; rule=default/active').code(403).send('');
    });
  },
};

t.test(
  'a line of the program says request and trace, the caller’s trace where it has one, and what was decided',
  async (t) => {
    const lines: string[] = [];
    const logger = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(line) });
    const parts = {
      config: loadConfig({ env: { WEIGHBRIDGE_PORT: '0' } }),
      ecosystems: [{ ecosystem: speaking, deps: {}, mount: '/m' }],
      metrics: createMetrics(),
      health: async () => [],
      lookups: {},
      logger,
    } as unknown as Parameters<typeof createApp>[0];
    const { server } = await createApp(parts);
    t.teardown(() => server.close());
    const url = await server.listen({ host: '127.0.0.1', port: 0 });
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const said = async (traceparent?: string) => {
      lines.length = 0;
      const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
      const answer = await fetch(`${url}/m/x`, { headers });
      await answer.text();
      await new Promise((done) => setTimeout(done, 50));
      const parsed = lines.map((line) => JSON.parse(line)).filter(({ requestId }) => requestId !== undefined);
      return { id: answer.headers.get('x-request-id'), lines: parsed };
    };
    const told = await said(`00-${traceId}-b7ad6b7169203331-01`);
    t.match(told.lines, [
      { msg: 'a remark', requestId: told.id, traceId, spanId: /^[0-9a-f]{16}$/ },
      {
        msg: 'answered',
        requestId: told.id,
        traceId,
        status: 403,
        decision: 'deny; rule=default/active',
        route: '/m/x',
      },
    ]);
    t.not(told.lines[0].spanId, 'b7ad6b7169203331', 'in a span of its own');
    const zeros = '0'.repeat(32);
    for (const wrong of [
      undefined,
      'x',
      `00-${zeros}-b7ad6b7169203331-01`,
      `ff-${traceId}-b7ad6b7169203331-01`,
      `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
      `00-${traceId}-${zeros.slice(16)}-01`,
      `00-${traceId}-b7ad6b7169203331-01-more`,
    ]) {
      const fresh = (await said(wrong)).lines;
      t.match(fresh[0], { traceId: /^[0-9a-f]{32}$/ }, `${wrong}`);
      t.not(fresh[0].traceId, traceId, `${wrong} is no trace of a caller`);
    }
    t.equal((await said(`01-${traceId}-b7ad6b7169203331-01-more`)).lines[0].traceId, traceId, 'a later version');
  },
);

t.test('docs/operations.md lists the metrics that a running gateway has', async (t) => {
  const { url } = await startWorld(t, []);
  const text = await (await fetch(`${url}/metrics`)).text();
  const served = [...text.matchAll(/^# TYPE (weighbridge_\w+) (\w+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
  const rows = [...textOf('docs/operations.md').matchAll(/^\| `(weighbridge_\w+)` \| (\w+) \|/gm)];
  t.same(rows.map(([, name, kind]) => `${name} ${kind}`).sort(), served.sort());
});
