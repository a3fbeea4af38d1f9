import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { createMetrics } from '../../src/http/metrics.ts';
import { pushMetrics } from '../../src/http/otlp/push.ts';
import { createExporter } from '../../src/http/tracing/exporter.ts';
import { createSpans } from '../../src/http/tracing/spans.ts';
import { type Collector, type SentPoint, type SentSpan, startCollector } from '../support/collector.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { startWorld } from '../support/world.ts';

const weights = safetensors({ a: { dtype: 'F32', shape: [1], data: float32(1) } }, { metadata: { format: 'pt' } });
const repos = [{ name: 'acme/m', files: { 'model.safetensors': weights, 'odd.bin': Buffer.from('what is this') } }];
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const asked = (flags: string) => ({ headers: { traceparent: `00-${TRACE}-${CALLER}-${flags}` } });

const until = async (holds: () => boolean): Promise<void> => {
  for (const end = Date.now() + 20_000; !holds() && Date.now() < end; ) await new Promise((go) => setTimeout(go, 50));
};

const collecting = async (t: { teardown(end: () => unknown): void }): Promise<Collector> => {
  const collector = await startCollector();
  t.teardown(() => collector.close());
  return collector;
};

t.test('a download is a trace: the caller’s, with what was done below it', async (t) => {
  const collector = await collecting(t);
  const settings = { TELEMETRY_OTLP: collector.url, TELEMETRY_TOKEN: 'token-of-the-collector' };
  const world = await startWorld(t, repos, { settings });
  const answer = await world.fetch('acme/m/resolve/main/model.safetensors?x=secret-query', asked('01'));
  t.equal((await answer.arrayBuffer()).byteLength, weights.length);
  t.equal((await world.fetch('acme/m/resolve/main/odd.bin', asked('00'))).status, 200, 'not recorded by its caller');
  t.equal((await world.fetch('acme/none/resolve/main/x')).status, 401, 'a trace of its own');
  await until(() => collector.spans().filter(({ kind }) => kind === 2).length >= 2);
  const spans = collector.spans();
  const mine = spans.filter(({ traceId }) => traceId === TRACE);
  const named = (name: string): SentSpan => {
    const found = mine.find((span) => span.name === name);
    if (found === undefined) throw new Error(`no ${name} among ${mine.map((span) => span.name).join(', ')}`);
    return found;
  };
  const request = mine.filter(({ kind }) => kind === 2);
  t.equal(request.length, 1, 'one request was to be recorded');
  const [whole] = request;
  t.match(whole, {
    parentId: CALLER,
    failed: false,
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'weighbridge.decision': /^allow; rule=/,
      'weighbridge.request_id': answer.headers.get('x-request-id'),
    },
  });
  const admit = named('admit');
  t.match(admit, {
    parentId: whole?.spanId,
    attributes: { 'weighbridge.repo': 'models/acme/m', 'weighbridge.path': 'model.safetensors' },
  });
  t.match(named('inspect').attributes, { 'weighbridge.format': 'safetensors', 'weighbridge.coverage': 'complete' });
  t.match(named('decide'), { parentId: admit.spanId, attributes: { 'weighbridge.action': 'allow' } });
  t.equal(named('log append').parentId, admit.spanId, 'the decision is entered before the first byte leaves');
  t.match(named('GET upstream'), { kind: 3, attributes: { 'server.address': new URL(world.hub.url).host } });
  const ids = new Set(mine.map(({ spanId }) => spanId));
  t.same(
    mine.filter(({ parentId }) => parentId !== CALLER && !ids.has(parentId)),
    [],
    'each part hangs below another',
  );
  const others = spans.filter(({ kind, traceId }) => kind === 2 && traceId !== TRACE);
  t.match(others, [{ parentId: '', attributes: { 'http.response.status_code': 401 } }]);
  t.equal(collector.headers[0]?.['authorization'], 'Bearer token-of-the-collector');
  t.notMatch(Buffer.concat(collector.bodies).toString('latin1'), /secret-query|token-of-the-collector/);
  t.notOk(
    world.hub.log.some(({ headers }) => headers['traceparent'] !== undefined),
    'upstream is told of no trace',
  );
});

t.test('upstream is told which trace it is a part of where the settings say so', async (t) => {
  const collector = await collecting(t);
  const settings = { TELEMETRY_OTLP: collector.url, TELEMETRY_PROPAGATE: 'true' };
  const world = await startWorld(t, repos, { settings });
  const answer = await world.fetch('acme/m/resolve/main/model.safetensors', asked('01'));
  await answer.arrayBuffer();
  const told = world.hub.log.flatMap(({ headers }) => headers['traceparent'] ?? []);
  t.ok(told.length >= 1);
  await until(() => collector.spans().some(({ kind }) => kind === 2));
  const clients = collector.spans().filter(({ kind }) => kind === 3);
  for (const one of told) {
    const [version, traceId, spanId, flags] = String(one).split('-');
    t.match([version, traceId, flags], ['00', TRACE, '01']);
    t.ok(
      clients.some((span) => span.spanId === spanId),
      'the span that the collector knows',
    );
  }
});

t.test('a collector that is away, answers wrongly or says nothing delays nobody and is told of once', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const world = await startWorld(t, repos, { settings: { TELEMETRY_OTLP: `http://127.0.0.1:${port}` } });
  const from = performance.now();
  for (let count = 0; count < 20; count += 1)
    t.equal((await world.fetch('acme/m/resolve/main/model.safetensors', { method: 'HEAD' })).status, 200);
  t.ok(performance.now() - from < 15_000);

  const told: (string | undefined)[] = [];
  let status = 503;
  const request = async () => ({ status, headers: {}, body: new Uint8Array() });
  const spans = await createSpans(await createExporter({ request }, (problem) => told.push(problem)), 1);
  const trace = { traceId: TRACE, parentId: '', spanId: CALLER, sampled: true };
  // Far more than may wait.
  for (let count = 0; count < 5000; count += 1) spans.request(trace, 'x').end();
  await until(() => told.length > 0);
  for (let count = 0; count < 600; count += 1) spans.request(trace, 'x').end();
  await new Promise((go) => setTimeout(go, 300));
  t.same(told, ['the collector answers 503'], 'once, however much is lost');
  status = 200;
  spans.request(trace, 'x').end();
  await spans.close();
  t.same(told, ['the collector answers 503', undefined], 'and once when it takes them again');
});

t.test('what is counted goes to the same collector, under the same names and with the same numbers', async (t) => {
  const collector = await collecting(t);
  const settings = {
    TELEMETRY_OTLP: collector.url,
    TELEMETRY_TOKEN: 'token-of-the-collector',
    TELEMETRY_INTERVAL: '1s',
  };
  const world = await startWorld(t, repos, { settings });
  const from = BigInt(Math.round(performance.timeOrigin)) * 1_000_000n;
  for (let count = 0; count < 3; count += 1)
    await (await world.fetch('acme/m/resolve/main/model.safetensors')).arrayBuffer();
  await (await world.fetch('acme/m/resolve/main/odd.bin')).text();
  const sent = (name: string, labels: object): SentPoint | undefined =>
    collector
      .metrics()
      .at(-1)
      ?.find((point) => point.name === name && JSON.stringify(point.attributes) === JSON.stringify(labels));
  const allowed = { ecosystem: 'huggingface', action: 'allow' };
  const page = await (await fetch(`${world.url}/metrics`)).text();
  const said = (line: string): number =>
    Number(
      page
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.split(' ')[1],
    );
  const arrived = collector.metrics().length;
  await until(() => collector.metrics().length >= arrived + 2);
  const decisions = sent('weighbridge_decisions_total', allowed);
  t.match(decisions, { kind: 'sum', temporality: 2, monotonic: true });
  t.ok(decisions !== undefined && decisions.value >= 3);
  t.equal(decisions?.value, said('weighbridge_decisions_total{ecosystem="huggingface",action="allow"}'));
  t.ok(decisions !== undefined && decisions.start - from < 1_000_000n && decisions.time > decisions.start);
  const bytes = { ecosystem: 'huggingface', release: 'cached' };
  t.equal(
    sent('weighbridge_served_bytes_total', bytes)?.value,
    said('weighbridge_served_bytes_total{ecosystem="huggingface",release="cached"}'),
  );
  t.match(sent('weighbridge_sandbox_workers', {}), { kind: 'gauge', value: 1 });
  const inspected = sent('weighbridge_inspection_seconds', { format: 'safetensors' });
  t.match(inspected, { kind: 'histogram', temporality: 2, count: 1, bounds: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600] });
  t.equal(inspected?.counts.length, 9, 'one count beyond the last bound');
  t.equal(
    inspected?.counts.reduce((a, b) => a + b, 0),
    1,
    'each is counted in one bucket',
  );
  t.equal(inspected?.value, said('weighbridge_inspection_seconds_sum{format="safetensors"}'));
  const names = new Set(
    collector
      .metrics()
      .at(-1)
      ?.map(({ name }) => name),
  );
  for (const [, name = ''] of page.matchAll(/^# TYPE (weighbridge_\w+) /gm))
    if (page.includes(`\n${name}{`) || page.includes(`\n${name} `)) t.ok(names.has(name), name);
  const before = collector.metrics().length;
  await world.restart(async () =>
    t.ok(collector.metrics().length > before, 'what was counted last is sent at the end'),
  );
});

t.test('metrics that do not arrive are told of once, and delay no end', async (t) => {
  const told: (string | undefined)[] = [];
  const registry = createMetrics().registry;
  let sendings = 0;
  const request = async () => {
    sendings += 1;
    if (sendings > 2) return { status: 200, headers: {}, body: new Uint8Array() };
    throw new Error('nobody is there');
  };
  const push = await pushMetrics(registry, { request }, 50, (problem) => told.push(problem));
  await until(() => sendings > 3);
  await push.close();
  t.same(told, ['nobody is there', undefined]);
  const ended = sendings;
  await new Promise((go) => setTimeout(go, 200));
  t.equal(sendings, ended, 'nothing is sent after the end');

  const silent = await pushMetrics(registry, { request: () => new Promise(() => undefined) }, 300, () => undefined);
  const from = performance.now();
  await silent.close();
  t.ok(performance.now() - from < 5000, 'a collector that never answers is not waited for');
});
