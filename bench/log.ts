import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findImpact } from '../src/audit/impact.ts';
import { openLogIndex } from '../src/audit/log-index.ts';
import type { Query } from '../src/audit/query.ts';
import { verifyLog } from '../src/audit/verify.ts';
import { type Bench, median, type Row } from './support/bench.ts';
import { cacheFolder } from './support/files.ts';
import { actorOf, digestOf, repoOf, writeLog } from './support/log-of.ts';

const ENTRIES = 1_000_000;
const ROUNDS = 5;
const PAGE = 50;

/** Of each kind the search that has most to do: half of all entries, nothing, one in a million, a glob over all names. */
const searches: Readonly<Record<string, Query>> = {
  'search by digest': { digest: digestOf(4321) },
  'search by artefact': { artefact: `${repoOf(77)}/folder/file-3.safetensors` },
  'search by a glob over all artefacts': { artefact: '**/file-3.*' },
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
};

export const bench: Bench = {
  name: 'log',
  title: 'A log of a million entries: searches, impact, and verifying all of it',
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

    const verifying = await timed(async () => {
      const { ok, signed } = await verifyLog({ path: directory, key });
      if (!ok || signed < ENTRIES) throw new Error(`the log does not verify, or has only ${signed} signed entries`);
    });
    rows.push({ what: 'verify of all entries', ours: verifying / 1000, unit: 's', aim: 'under 10 s' });
    return rows;
  },
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};
