import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fastify from 'fastify';
import { findImpact } from '../src/audit/impact.ts';
import { openLogIndex } from '../src/audit/log-index.ts';
import { createLogSearch } from '../src/audit/log-search.ts';
import type { Query } from '../src/audit/query.ts';
import { verifyLog } from '../src/audit/verify.ts';
import { serveImpact } from '../src/http/impact.ts';
import { type Bench, median, type Row } from './support/bench.ts';
import { cacheFolder } from './support/files.ts';
import { actorOf, digestOf, repoOf, writeLog } from './support/log-of.ts';
import { repeatLog } from './support/log-times.ts';
import { manyFindings, manyRules } from './support/many-rules.ts';

const ENTRIES = 1_000_000;
const ROUNDS = 5;
/** The same entries so often over are ten million and more. */
const TIMES = 11;
const RULES = 200;
const FINDINGS = 1000;
const PAGE = 50;

const root = join(import.meta.dirname, '..');
const bin = join(root, 'bin', 'weighbridge.mjs');

/** Bytes of a command's output. */
const BYTES = 512 * 1024 * 1024;

/** Of each kind the search that has most to do: half of all entries, nothing, one in a million, a glob over all names. */
const searches: Readonly<Record<string, Query>> = {
  'search by digest': { digest: digestOf(4321) },
  'search by artefact': { artefact: `${repoOf(77)}/folder/file-3.safetensors` },
  'search by a glob over all artefacts': { artefact: '**/file-3.*' },
  'search by a glob that all repos meet': { repo: 'models/**' },
  'search by repos of an organisation': { repo: 'models/organisation-5/*' },
  'search by actor and decision': { actor: actorOf(7), decision: 'deny' },
  'search by team, client and rule': { team: 'team-3', client: 'hf_hub/2.1.0', rule: 'default/code' },
  'search by request': { request: '00000000-0000-4000-8000-000000500000' },
  'search for what nobody did': { actor: 'nobody', decision: 'allow' },
  'search by time and decision': { from: 1, to: Date.now(), decision: 'allow' },
};

const impacts: Readonly<Record<string, Query>> = {
  'impact of a digest': { digest: digestOf(4321) },
  'impact of a repo': { repo: repoOf(77) },
  'impact of an organisation': { repo: 'models/organisation-5/*' },
  'impact of a rule': { rule: 'default/code' },
  'impact of a team': { team: 'team-3' },
};

export const bench: Bench = {
  name: 'log',
  title: 'A log of a million entries, and of ten: searches, impact, verifying all of it; a decision of many rules',
  async run() {
    const folder = cacheFolder('log-million');
    const directory = join(folder, 'log');
    if (!existsSync(join(directory, 'whole'))) {
      await rm(directory, { recursive: true, force: true });
      await writeLog(folder, ENTRIES);
      writeFileSync(join(directory, 'whole'), '');
    }
    const key = readFileSync(join(directory, 'key'), 'utf8').trim();
    const rows: Row[] = [];

    await rm(join(directory, 'index.sqlite'), { force: true });
    const making = await timed(async () => {
      const index = openLogIndex(directory);
      await index.catchUp();
      index.close();
    });
    rows.push({ what: 'making the index anew', ours: ENTRIES / (making / 1000), unit: 'entries/s', aim: '' });
    const opening = await timed(async () => {
      const index = openLogIndex(directory);
      await index.catchUp();
      index.close();
    });
    rows.push({ what: 'opening it, with what is new', ours: opening, unit: 'ms', aim: '' });

    const index = openLogIndex(directory);
    await index.catchUp();
    for (const [what, query] of Object.entries(searches)) {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        times.push(await timed(() => index.search(query, { limit: PAGE })));
      }
      rows.push({ what, ours: median(times), unit: 'ms', aim: 'under 200 ms' });
    }
    for (const [what, query] of Object.entries(impacts)) {
      rows.push({ what, ours: await timed(() => findImpact(index, [query], {})), unit: 'ms', aim: 'under 1000 ms' });
    }
    index.close();
    rows.push(...(await impactByPrograms(directory)));
    rows.push(...(await tenMillion(directory)));
    rows.push(evaluation());

    const verifying = await timed(async () => {
      const { ok, signed } = await verifyLog({ path: directory, key });
      if (!ok || signed < ENTRIES) throw new Error(`the log does not verify, or has only ${signed} signed entries`);
    });
    rows.push({ what: 'verify of all entries', ours: verifying / 1000, unit: 's', aim: 'under 10 s' });
    return rows;
  },
};

/** What an admin waits for: the whole command, its start included, and the answer of a gateway. */
const impactByPrograms = async (directory: string): Promise<readonly Row[]> => {
  const keys = { 'a digest': digestOf(4321), 'a repo': repoOf(77), 'an organisation': 'models/organisation-5/*' };
  const rows: Row[] = [];
  for (const [what, key] of Object.entries(keys)) {
    const ours = await timed(async () => {
      const { status } = spawnSync(bin, ['impact', key, '--log', directory, '--format', 'csv'], { maxBuffer: BYTES });
      if (status !== 1) throw new Error(`impact of ${key} ended with ${status}`);
    });
    rows.push({ what: `impact of ${what}, from the command line`, ours, unit: 'ms', aim: 'under 1000 ms' });
  }
  const search = createLogSearch(directory);
  const app = fastify();
  const log = { append: async () => 0, pseudonym: (name: string) => name };
  serveImpact(app, { log, search, directory } as unknown as Parameters<typeof serveImpact>[1]);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const [what, key] of Object.entries(keys)) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1)
      times.push(
        await timed(async () => {
          const answer = await fetch(`${url}/api/v1/impact?key=${encodeURIComponent(key)}`);
          if (!answer.ok || !(await answer.text()).includes('"extent"')) throw new Error(`${key}: ${answer.status}`);
        }),
      );
    rows.push({ what: `impact of ${what}, over HTTP`, ours: median(times), unit: 'ms', aim: 'under 1000 ms' });
  }
  await app.close();
  await search.close();
  return rows;
};

/** The same searches of eleven times as many entries; nothing here depends on whether they are signed. */
const tenMillion = async (directory: string): Promise<readonly Row[]> => {
  const folder = join(cacheFolder('log-ten-million'), 'log');
  const entries = repeatLog(directory, folder, ENTRIES, TIMES);
  const index = openLogIndex(folder);
  const searched = await index.catchUp();
  if (searched < entries) throw new Error(`only ${searched} of ${entries} entries are searched`);
  const rows: Row[] = [];
  for (const [what, query] of Object.entries(searches)) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) times.push(await timed(() => index.search(query, { limit: PAGE })));
    rows.push({ what: `${what}, of ten million`, ours: median(times), unit: 'ms', aim: 'under 1000 ms' });
  }
  index.close();
  return rows;
};

const evaluation = (): Row => {
  const set = manyRules(RULES);
  const times: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const facts = manyFindings(FINDINGS, round);
    const began = performance.now();
    set.decide(facts, Date.now());
    times.push(performance.now() - began);
  }
  return {
    what: `a decision of ${RULES} rules on ${FINDINGS} findings`,
    ours: median(times),
    unit: 'ms',
    aim: 'under 2 ms',
  };
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};
