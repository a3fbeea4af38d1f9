import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAccessLog } from '../../src/audit/access-log.ts';
import type { Entry } from '../../src/audit/types.ts';
import { openStore } from '../../src/store/store.ts';
import { createUpstream } from '../../src/upstream/upstream.ts';
import { percentile } from './bench.ts';

/**
 * Fills a store from `URL` and writes the log meanwhile: `log-load.ts FOLDER URL SIZE RATE`, RATE being entries a second or
 * `Infinity`. Prints what came of it as JSON (bench/log-writer.ts, `LogLoad`).
 */
const [parent = '', url = '', size = '0', rate = '0'] = process.argv.slice(2);
const CONCURRENT = 64;
/** ms between two bursts of a steady load: requests come in small groups, as from a socket. */
const TICK = 2;

const folder = mkdtempSync(join(parent, 'log-'));
const remember = (): void => undefined;
const log = await createAccessLog({ directory: join(folder, 'log'), origin: 'bench/log', remember });
const store = await openStore({ data: folder, limit: Number.POSITIVE_INFINITY });
const { origin, pathname } = new URL(url);
const upstream = createUpstream({ origin: { url: origin }, allowPrivate: true });

const actor = log.pseudonym('someone');
const entry = (index: number): Entry => ({
  kind: 'artefact.decision',
  request: { id: `0199-${index}`, method: 'GET', route: '/hf/:repo/resolve' },
  actor,
  client: { name: 'hf_hub', version: '2.4.0' },
  artefact: {
    ecosystem: 'huggingface',
    repo: 'models/some-organisation/some-model',
    commit: '0123456789abcdef0123456789abcdef01234567',
    path: `folder/file-${index}.safetensors`,
    sha256: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    size: 123_456_789,
    format: 'safetensors',
  },
  decision: { action: 'allow', rule: 'default/inert', reason: `folder/file-${index}.safetensors: inert data` },
  evidence: {
    policySet: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    ruleset: '0123456789abcdef0123456789abcdef',
    facts: '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  },
});

let filled = 0;
let filling = true;
const fill = async (): Promise<void> => {
  while (filling) {
    const writer = await store.blobs.create(Number(size));
    const range = { start: 0, end: Number(size), size: Number(size) };
    for await (const chunk of upstream.download(pathname, {}, range)) {
      await writer.write(chunk);
      filled += chunk.length;
      if (!filling) return writer.abort(new Error('the bench is over'));
    }
    const { sha256 } = await writer.commit();
    await store.blobs.remove(sha256);
  }
};

const waits: number[] = [];
let entries = 0;
const request = async (): Promise<void> => {
  const index = entries;
  entries += 2;
  const began = performance.now();
  await log.append(entry(index));
  waits.push(performance.now() - began);
  log.enqueue({
    ...entry(index),
    kind: 'artefact.outcome',
    served: { status: 200, bytes: 1, release: 'cached', complete: true },
    ms: 1,
  });
};

const steady = async (perSecond: number, until: number): Promise<void> => {
  const began = performance.now();
  const open = new Set<Promise<void>>();
  while (performance.now() < until) {
    const due = ((performance.now() - began) / 1000) * perSecond;
    while (entries < due) {
      const one = request().finally(() => open.delete(one));
      open.add(one);
    }
    await sleep(TICK);
  }
  await Promise.all(open);
};

const lane = async (until: number): Promise<void> => {
  while (performance.now() < until) await request();
};

const load = (until: number): Promise<unknown> =>
  Number.isFinite(Number(rate))
    ? steady(Number(rate), until)
    : Promise.all(Array.from({ length: CONCURRENT }, () => lane(until)));

const fills = fill();
await load(performance.now() + 2000);
waits.length = 0;
entries = 0;
filled = 0;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const began = performance.now();
await load(began + 10_000);
const seconds = (performance.now() - began) / 1000;
delay.disable();
const fillMBs = filled / seconds / 1e6;
filling = false;
await fills;
await Promise.all([log.close(), store.close(), upstream.close()]);
await rm(folder, { recursive: true, force: true });
// The monitor counts its own interval of 1 ms into every delay.
const delay99 = Math.max(0, delay.percentile(99) / 1e6 - 1);
process.stdout.write(
  JSON.stringify({ perSecond: entries / seconds, wait99: percentile(waits, 0.99), delay99, fillMBs }),
);
process.exit(0);
