import { createHash } from 'node:crypto';
import { GIB, MIB } from '../bytes/limits.ts';
import type { Decision } from '../policy/types.ts';
import type { Blobs } from '../store/types.ts';
import { listCard } from './cards.ts';
import type { Conversion, Conversions } from './conversions.ts';
import type { Derivations } from './derivations.ts';
import { listDerived } from './derived.ts';
import { mayBeExplained } from './explained.ts';
import type { Intakes } from './intake.ts';
import { type Judge, refusalText, refuses } from './judge.ts';
import { convertedIndexPath, convertedPath, isCard, isWeights, mayHoldRows, supersededBy } from './names.ts';
import type { ListedFile, RepoAt, Requester, View, ViewFile } from './types.ts';
import type { Scales } from './weigh.ts';

/** What became of a pickled checkpoint. */
export type Candidate =
  | { readonly state: 'converted'; readonly path: string; readonly conversion: Conversion; readonly decision: Decision }
  | { readonly state: 'superseded'; readonly path: string }
  | { readonly state: 'judged'; readonly decision: Decision };

/** A shard index that is written here, in the place of the one that names pickles. */
export type MintedIndex = {
  readonly path: string;
  /** Path of the index that it replaces. */
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly decision: Decision;
};

export type Views = {
  /** The file whose conversion would have this path, if upstream has none of that name. */
  sourceOf(repo: RepoAt, path: string): ListedFile | undefined;
  /** What stands in the listing in the place of this checkpoint, were it converted. */
  instead(repo: RepoAt, path: string): string | undefined;
  /** Weighs and judges a checkpoint; undefined for a file that is never converted. */
  candidate(repo: RepoAt, file: ListedFile, who: Requester, weigh?: Scales['lightly']): Promise<Candidate | undefined>;
  /** The index minted under this path; undefined when there is none to mint or a shard cannot be converted. */
  index(repo: RepoAt, path: string, who: Requester): Promise<MintedIndex | undefined>;
  /** The shard whose refusal keeps the index of this path from being minted. */
  refusedShard(repo: RepoAt, path: string, who: Requester): Promise<ListedFile | undefined>;
  view(repo: RepoAt, who: Requester, until: (work: Promise<unknown>) => Promise<unknown>): Promise<View>;
};

/** Shards and indexes that a view looks at; a repo with more checkpoints has them judged when they are asked for. */
const MAX_CANDIDATES = 512;
/** Checkpoints weighed at the same time for one listing. */
const CONCURRENT = 4;
const MAX_INDEX_BYTES = 32 * MIB;
/**
 * A listing may have checkpoints fetched that cannot be judged by Range, when all of the repo's together are no larger
 * (bytes); else those are judged when they are asked for.
 */
const FETCH_FOR_LISTING = 4 * GIB;

type Parts = {
  readonly blobs: Blobs;
  readonly intakes: Intakes;
  readonly scales: Scales;
  readonly conversions: Conversions;
  readonly derivations: Derivations;
  readonly judge: Judge;
  /** Whether the policies drop rows of datasets. */
  readonly mayDropRows: () => boolean;
};

/** What a caller sees of a repo. */
export const createViews = (parts: Parts): Views => {
  const { blobs, intakes, scales, conversions, judge } = parts;
  const sourceOf = (repo: RepoAt, path: string): ListedFile | undefined => {
    if (!path.endsWith('.safetensors') || repo.files.has(path)) return undefined;
    for (const file of repo.files.values()) if (convertedPath(file.path) === path) return file;
    return undefined;
  };

  const instead = (repo: RepoAt, path: string): string | undefined =>
    supersededBy(path, (other) => repo.files.has(other)) ?? convertedPath(path);

  const candidate: Views['candidate'] = async (repo, file, who, weigh = scales.early) => {
    const path = convertedPath(file.path);
    if (path === undefined) return undefined;
    const newer = supersededBy(file.path, (other) => repo.files.has(other));
    if (newer !== undefined) return { state: 'superseded', path: newer };
    const weighed = await weigh(repo, file);
    if (weighed === undefined) return undefined;
    const provisional = weighed.ranges !== undefined;
    const { decision } = await judge(repo, file, who, { ...weighed, provisional });
    if (decision.action !== 'convert') return { state: 'judged', decision };
    const conversion = await conversions.of(repo, file, weighed);
    return conversion === undefined
      ? { state: 'judged', decision }
      : { state: 'converted', path, conversion, decision };
  };

  const index = async (
    repo: RepoAt,
    path: string,
    who: Requester,
    weigh: Scales['lightly'] = scales.early,
  ): Promise<MintedIndex | undefined> => {
    const original = indexBehind(repo, path);
    if (original === undefined) return undefined;
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const shards = await shardsOf(repo, original);
    const weightMap = new Map<string, string>();
    let decision: Decision | undefined;
    let totalSize = 0;
    for (const shard of shards) {
      const file = repo.files.get(folder + shard);
      const found = file === undefined ? undefined : await candidate(repo, file, who, weigh);
      if (found?.state !== 'converted') return undefined;
      decision = found.decision;
      const { layout } = found.conversion;
      totalSize += layout.size - layout.header.length;
      for (const { tensor } of layout.placed) weightMap.set(tensor.name, found.path.slice(folder.length));
    }
    if (decision === undefined) return undefined;
    const bytes = indexBytes(totalSize, weightMap);
    return { path, source: original.path, bytes, etag: gitBlobSha1(bytes), decision };
  };

  const refusedShard: Views['refusedShard'] = async (repo, path, who) => {
    const original = indexBehind(repo, path);
    if (original === undefined) return undefined;
    for (const shard of await shardsOf(repo, original)) {
      const file = repo.files.get(path.slice(0, path.lastIndexOf('/') + 1) + shard);
      const found = file === undefined ? undefined : await candidate(repo, file, who);
      if (found?.state === 'judged' && refuses(found.decision)) return file;
    }
    return undefined;
  };

  const shardsOf = async (repo: RepoAt, original: ListedFile): Promise<readonly string[]> => {
    const stored = (await intakes.known(repo, original)) ?? (await intakes.fetched(repo, original));
    const blob = await blobs.open(stored.sha256);
    if (blob === undefined) return [];
    try {
      const text = Buffer.from(await blob.read(0, blob.size)).toString('utf8');
      const map: unknown = JSON.parse(text)?.weight_map;
      const names = typeof map === 'object' && map !== null ? Object.values(map) : [];
      return [...new Set(names.filter((name) => typeof name === 'string' && !name.includes('/')))].sort();
    } catch {
      return [];
    } finally {
      await blob.close();
    }
  };

  const view: Views['view'] = async (repo, who, until) => {
    const candidates = new Map<string, Candidate>();
    const indexes = new Map<string, MintedIndex>();
    const checkpoints = [...repo.files.values()].filter((file) => convertedPath(file.path) !== undefined);
    const total = checkpoints.reduce((sum, { size }) => sum + size, 0);
    const weigh = total <= FETCH_FOR_LISTING ? scales.early : scales.lightly;
    const pickleIndexes = [...repo.files.values()].filter((file) => convertedIndexPath(file.path) !== undefined);
    const work = inTurn(checkpoints.slice(0, MAX_CANDIDATES), CONCURRENT, async (file) => {
      const found = await candidate(repo, file, who, weigh);
      if (found !== undefined) candidates.set(file.path, found);
    }).then(() =>
      inTurn(pickleIndexes.slice(0, MAX_CANDIDATES), CONCURRENT, async (file) => {
        const path = convertedIndexPath(file.path);
        const minted = path === undefined ? undefined : await index(repo, path, who, weigh);
        if (minted !== undefined) indexes.set(file.path, minted);
      }),
    );
    const derived = new Map<string, ViewFile>();
    await until(Promise.all([work, deriveRows(repo, who, derived)]));
    return assemble(repo, who, candidates, indexes, derived);
  };

  /** Datasets that are served without some of their rows. Those of a repo of datasets are fetched for it, within bounds. */
  const deriveRows = async (repo: RepoAt, who: Requester, derived: Map<string, ViewFile>): Promise<void> => {
    if (!parts.mayDropRows()) return;
    const files = [...repo.files.values()].filter(({ path }) => mayHoldRows(path) || isCard(repo, path));
    const total = files.reduce((sum, { size }) => sum + size, 0);
    const fetches = repo.repo.startsWith('datasets/') && total <= FETCH_FOR_LISTING;
    await inTurn(files.slice(0, MAX_CANDIDATES), CONCURRENT, async (file) => {
      const weighed = await (fetches ? scales.early : scales.known)(repo, file);
      const list = isCard(repo, file.path) ? listCard : listDerived;
      const found = weighed === undefined ? undefined : await list(parts, repo, file, weighed, who);
      if (found !== undefined) derived.set(file.path, found);
    });
  };

  const assemble = async (
    repo: RepoAt,
    who: Requester,
    candidates: ReadonlyMap<string, Candidate>,
    indexes: ReadonlyMap<string, MintedIndex>,
    derived: ReadonlyMap<string, ViewFile>,
  ): Promise<View> => {
    const files: ViewFile[] = [];
    const replaced = new Map<string, string>();
    for (const listed of repo.files.values()) {
      const found = candidates.get(listed.path);
      const minted = indexes.get(listed.path);
      const withoutRows = derived.get(listed.path);
      if (found?.state === 'superseded') replaced.set(listed.path, found.path);
      else if (found?.state === 'converted') {
        replaced.set(listed.path, found.path);
        files.push(await describeConversion(found, conversions));
      } else if (minted !== undefined) {
        replaced.set(listed.path, minted.path);
        files.push(describeIndex(minted));
      } else if (withoutRows !== undefined) {
        replaced.set(listed.path, listed.path);
        files.push(withoutRows);
      } else files.push({ path: listed.path, size: listed.size, etag: listed.sha256 ?? listed.oid, listed });
    }
    const refusal = await wholeRefusal(repo, who, candidates);
    return { files, replaced, ...(refusal === undefined ? {} : { refusal }) };
  };

  /** A model repo whose every weights file is known to be refused. */
  const wholeRefusal = async (
    repo: RepoAt,
    who: Requester,
    candidates: ReadonlyMap<string, Candidate>,
  ): Promise<View['refusal']> => {
    if (!repo.repo.startsWith('models/')) return undefined;
    let worst: { decision: Decision; path: string } | undefined;
    for (const file of repo.files.values()) {
      if (!isWeights(file.path)) continue;
      const found = candidates.get(file.path);
      const decision = found === undefined ? await knownDecision(repo, file, who) : decisionOf(found);
      if (decision === undefined || !refuses(decision)) return undefined;
      if (worst === undefined || decision.action === 'deny') worst = { decision, path: file.path };
    }
    if (worst === undefined) return undefined;
    return { decision: worst.decision, text: refusalText(worst.decision, who) };
  };

  const knownDecision = async (repo: RepoAt, file: ListedFile, who: Requester): Promise<Decision | undefined> => {
    const weighed = await scales.known(repo, file);
    // An index may lie beside it that was not read yet: it is judged when it is asked for.
    if (weighed === undefined || mayBeExplained(repo, file, weighed)) return undefined;
    return (await judge(repo, file, who, weighed)).decision;
  };

  return { sourceOf, instead, candidate, index, refusedShard, view };
};

/** The index of pickles that an index minted under this path would replace. */
const indexBehind = ({ files }: RepoAt, path: string): ListedFile | undefined => {
  if (!path.endsWith('.json') || files.has(path)) return undefined;
  const original = [...files.values()].find((file) => convertedIndexPath(file.path) === path);
  return original !== undefined && original.size <= MAX_INDEX_BYTES ? original : undefined;
};

const decisionOf = (candidate: Candidate): Decision | undefined =>
  candidate.state === 'judged' ? candidate.decision : undefined;

/** How a conversion stands in listings and answers. */
export const describeConversion = async (
  { path, conversion, decision }: Extract<Candidate, { state: 'converted' }>,
  conversions: Conversions,
): Promise<ViewFile> => {
  const sha256 = await conversions.sha256(conversion);
  const { etag, layout, source } = conversion;
  return {
    path,
    size: layout.size,
    etag,
    convertedFrom: source.path,
    decision,
    ...(sha256 === undefined ? {} : { sha256 }),
  };
};

/** How a minted index stands in listings and answers. */
export const describeIndex = ({ path, source, bytes, etag, decision }: MintedIndex): ViewFile => ({
  path,
  size: bytes.length,
  etag,
  convertedFrom: source,
  decision,
});

const indexBytes = (totalSize: number, weightMap: ReadonlyMap<string, string>): Uint8Array => {
  const entries = [...weightMap].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = entries.map(([name, shard]) => `    ${JSON.stringify(name)}: ${JSON.stringify(shard)}`);
  const text = `{\n  "metadata": {\n    "total_size": ${totalSize}\n  },\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
  return new TextEncoder().encode(text);
};

const gitBlobSha1 = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** Runs `work` for each item, at most `limit` at a time; one that fails does not stop the others. */
const inTurn = async <T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> => {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item).catch(() => undefined);
  };
  await Promise.all(Array.from({ length: limit }, lane));
};
