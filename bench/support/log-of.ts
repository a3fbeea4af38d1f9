import { join } from 'node:path';
import { createAccessLog } from '../../src/audit/access-log.ts';
import type { Entry } from '../../src/audit/types.ts';

/** What the entries of a made-up log name. */
export const REPOS = 2000;
const FILES = 10;
const ACTORS = 500;
/** Entries between two that are waited for, so that the queue never fills. */
const BURST = 10_000;

/** A digest that follows from a number. */
export const digestOf = (of: number): string =>
  ((of * 2_654_435_761) % 4_294_967_296).toString(16).padStart(8, '0').repeat(8);
export const repoOf = (number: number): string => `models/organisation-${number % 97}/model-${number}`;
export const actorOf = (number: number): string => `p_${digestOf(number).slice(0, 24)}`;

/** Writes a log of `count` entries, decisions and their outcomes, in `folder`/log. Resolves with its verifier key. */
export const writeLog = async (folder: string, count: number): Promise<string> => {
  const log = await createAccessLog({ directory: join(folder, 'log'), origin: 'bench/log' });
  let seed = 1;
  const any = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let index = 0; index + 2 <= count; index += 2) {
    const [repo, file] = [any(REPOS), any(FILES)];
    const number = repo * FILES + file;
    const denied = number % 50 === 0;
    const entry: Entry = {
      kind: 'artefact.decision',
      request: { id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, method: 'GET', route: '/resolve' },
      actor: actorOf(any(ACTORS)),
      team: `team-${any(20)}`,
      client: { name: 'hf_hub', version: `2.${any(5)}.0` },
      artefact: {
        ecosystem: 'huggingface',
        repo: repoOf(repo),
        commit: digestOf(repo).slice(0, 40),
        path: `folder/file-${file}.safetensors`,
        sha256: digestOf(number),
        size: 123_456,
        format: 'safetensors',
      },
      decision: {
        action: denied ? 'deny' : 'allow',
        rule: denied ? 'default/code' : 'default/inert',
        reason: 'what was found in it',
      },
      evidence: { policySet: digestOf(1), ruleset: digestOf(2).slice(0, 32), facts: digestOf(number + 7) },
    };
    const served = { status: 200, bytes: 123_456, release: 'cached', complete: true } as const;
    if (index % BURST === 0) await log.append(entry);
    else log.enqueue(entry);
    log.enqueue({ ...entry, kind: 'artefact.outcome', served, ms: 12 });
  }
  await log.close();
  return log.key;
};
