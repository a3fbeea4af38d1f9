import { createHash } from 'node:crypto';
import { resolveRange } from '../../src/gateway/ranges.ts';
import type { Answer, Described, Gateway, RepoAt, Requester, View, ViewFile } from '../../src/gateway/types.ts';
import type { Decision } from '../../src/policy/types.ts';

/** What the fake does, by path. Anything not named is passed through as upstream sends it. */
export type FakeRules = {
  refuse: Record<string, string>;
  /** Source path → the file in its place. */
  convert: Record<string, { path: string; bytes: Uint8Array; sha256?: string }>;
  /** Paths whose verdict is not there yet. */
  wait: Set<string>;
  /** Paths that are sent from byte 0 whatever range is asked for. */
  whole: Set<string>;
  /** Path → bytes after which the body fails. */
  fail: Record<string, { after: number; error: Error }>;
  notice?: string;
  /** Refuses the repo as a whole. */
  refusal?: string;
};

export type FakeGateway = Gateway & {
  rules: FakeRules;
  readonly seen: { call: string; repo: string; path: string; who: Requester }[];
};

const decision = (action: Decision['action'], reason: string, rules: FakeRules): Decision => ({
  action,
  rule: `fake/${action}`,
  reason,
  obligations: rules.notice === undefined ? {} : { notice: rules.notice },
});

export const noRules = (): FakeRules => ({ refuse: {}, convert: {}, wait: new Set(), whole: new Set(), fail: {} });

/** A gateway that follows the contract without inspecting anything, for tests of what stands above it. */
export const createFakeGateway = (): FakeGateway => {
  const seen: FakeGateway['seen'] = [];
  const note = (call: string, repo: RepoAt, path: string, who: Requester) =>
    seen.push({ call, repo: repo.repo, path, who });
  const find = (repo: RepoAt, path: string, rules: FakeRules) => {
    const minted = Object.entries(rules.convert).find(
      ([source, { path: to }]) => to === path && repo.files.has(source),
    );
    return minted === undefined ? undefined : { source: minted[0], ...minted[1] };
  };
  const describe = (repo: RepoAt, path: string, rules: FakeRules): Described | undefined => {
    const listed = repo.files.get(path);
    if (listed !== undefined) {
      const { size, oid, sha256 } = listed;
      return { path, size, etag: sha256 ?? oid, ...(sha256 === undefined ? {} : { sha256 }) };
    }
    const minted = find(repo, path, rules);
    if (minted === undefined) return undefined;
    const etag = createHash('sha256').update(minted.bytes).digest('hex').slice(0, 40);
    const { bytes, source, sha256 } = minted;
    return { path, size: bytes.length, etag, convertedFrom: source, ...(sha256 === undefined ? {} : { sha256 }) };
  };
  const early = (repo: RepoAt, path: string, rules: FakeRules): Answer | Described => {
    const reason = rules.refuse[path];
    if (reason !== undefined) return { kind: 'refused', decision: decision('deny', reason, rules), text: reason };
    return describe(repo, path, rules) ?? { kind: 'missing' };
  };
  const gateway: FakeGateway = {
    rules: noRules(),
    seen,
    async view(repo, who): Promise<View> {
      const { rules } = gateway;
      note('view', repo, '', who);
      const replaced = new Map<string, string>();
      const files = [...repo.files.values()].map((listed): ViewFile => {
        const to = rules.convert[listed.path]?.path;
        const minted = to === undefined ? undefined : describe(repo, to, rules);
        if (minted === undefined)
          return { path: listed.path, size: listed.size, etag: listed.sha256 ?? listed.oid, listed };
        replaced.set(listed.path, minted.path);
        return minted;
      });
      const text = rules.refusal;
      return text === undefined
        ? { files, replaced }
        : { files, replaced, refusal: { decision: decision('deny', text, rules), text } };
    },
    async head(repo, path, who) {
      const { rules } = gateway;
      note('head', repo, path, who);
      if (rules.wait.has(path)) return { kind: 'wait', seconds: 2 };
      const found = early(repo, path, rules);
      return 'kind' in found ? found : { kind: 'ready', file: found, decision: decision('allow', '', rules) };
    },
    async get(repo, path, range, who) {
      const { rules } = gateway;
      note('get', repo, path, who);
      const found = early(repo, path, rules);
      if ('kind' in found) return found;
      const whole = rules.whole.has(path);
      const { start, end } = resolveRange(whole ? undefined : range, found.size);
      const listed = repo.files.get(path);
      const minted = find(repo, path, rules);
      const bytes = listed === undefined ? once(minted?.bytes.subarray(start, end)) : repo.fetch(listed, start, end);
      const answer = {
        kind: 'ready' as const,
        file: found,
        decision: decision('allow', '', rules),
        body: failing(bytes, rules.fail[path]),
      };
      return whole ? { ...answer, whole } : answer;
    },
  };
  return gateway;
};

async function* once(bytes: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (bytes !== undefined) yield bytes;
}

async function* failing(bytes: AsyncIterable<Uint8Array>, fail: FakeRules['fail'][string] | undefined) {
  let left = fail?.after ?? Number.POSITIVE_INFINITY;
  for await (const lent of bytes) {
    // Upstream takes the memory of a chunk back as soon as the next one is asked for.
    const chunk = Uint8Array.from(lent);
    if (chunk.length > left) {
      if (left > 0) yield chunk.subarray(0, left);
      throw fail?.error ?? new Error('failed');
    }
    left -= chunk.length;
    yield chunk;
  }
}
