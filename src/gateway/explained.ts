import { OBSERVE_RULE } from '../policy/observe.ts';
import type { Blobs } from '../store/types.ts';
import { explain, type Folder, indexesFor, leansOnOthers } from './explain.ts';
import { gridIndexesFor, placeOf } from './explain-grid.ts';
import { artefactKey, type Intakes, isRefusal, type Stored } from './intake.ts';
import { type Judge, refuses } from './judge.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import { openStored } from './release.ts';
import type { ListedFile, RepoAt, Requester } from './types.ts';
import type { Scales, Weighed } from './weigh.ts';

/** True when there is an index in the listing that may explain what the report does not recognise. */
export const mayBeExplained = (repo: RepoAt, file: ListedFile, { report }: Weighed): boolean => {
  const path = folderPath(file);
  if (report.parts !== undefined) return report.parts.length > 0;
  if (!leansOnOthers(report)) return false;
  if (gridIndexesFor(file.path).some((index) => repo.files.has(placeOf(path, index)))) return true;
  return indexesFor(file.path.slice(path.length), namesIn(repo, path)).length > 0;
};

const folderPath = ({ path }: ListedFile): string => path.slice(0, path.lastIndexOf('/') + 1);

/** Names of the files in a folder, without those below it. */
export const namesIn = function* ({ files }: RepoAt, folder: string): Generator<string> {
  for (const path of files.keys())
    if (path.startsWith(folder) && !path.includes('/', folder.length)) yield path.slice(folder.length);
};

type Parts = { readonly blobs: Blobs; readonly intakes: Intakes; readonly scales: Scales };

/** Files whose padding was read and is as their index says; they never change. */
const MAX_READ = 10_000;

/**
 * Judges like `judge`, but looks beside bytes that nothing recognises for the index that lays them out, at the same commit.
 * The index takes the way of any file that is asked for: fetched once for all, inspected, judged for the same caller.
 */
export const createExplainingJudge = (judge: Judge, { blobs, intakes, scales }: Parts): Judge => {
  const padded = createMemo<boolean>(MAX_READ);
  const once = createSingleFlight<Stored>(isRefusal);

  const weigh = async (repo: RepoAt, index: ListedFile, who: Requester) => {
    const early = await judge(repo, index, who, {});
    if (refuses(early.decision)) return undefined;
    const key = artefactKey(repo, index.path);
    const { sha256 } = await once(key, async () => (await intakes.known(repo, index)) ?? intakes.fetched(repo, index));
    const report = await scales.stored(sha256);
    const { decision } = await judge(repo, index, who, { sha256, report });
    // Where nothing is enforced, the file is judged as if it were.
    const allowed = decision.action === 'allow' && decision.rule !== OBSERVE_RULE;
    return { sha256, report, allowed };
  };

  const folderOf = (repo: RepoAt, file: ListedFile, sha256: string, who: Requester): Folder => {
    const path = folderPath(file);
    return {
      path,
      names: async () => namesIn(repo, path),
      size: async (name) => repo.files.get(placeOf(path, name))?.size,
      async weigh(name) {
        const index = repo.files.get(placeOf(path, name));
        return index === undefined ? undefined : weigh(repo, index, who);
      },
      async check(layout, look) {
        const key = `${sha256}/${layout}`;
        const before = padded.get(key);
        if (before !== undefined) return before;
        if (!(await blobs.has(sha256))) await intakes.fetched(repo, file);
        const blob = await openStored(blobs, sha256);
        try {
          const answer = await look((offset, length) => blob.read(offset, length));
          padded.set(key, answer);
          return answer;
        } finally {
          await blob.close();
        }
      },
    };
  };

  return async (repo, file, who, known) => {
    const { report, sha256 } = known;
    if (report === undefined || sha256 === undefined || !leansOnOthers(report)) return judge(repo, file, who, known);
    const name = file.path.slice(folderPath(file).length);
    const explainedBy = await explain(name, report, folderOf(repo, file, sha256, who));
    return judge(repo, file, who, explainedBy === undefined ? known : { ...known, explainedBy });
  };
};
