import type { AccessLog } from '../../audit/types.ts';
import type { Gateway, RepoAt } from '../../gateway/types.ts';
import type { PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Upstream } from '../../upstream/types.ts';
import type { About, Begun, Spans } from './spans.ts';

const during = async <T>(begun: Begun | undefined, work: () => Promise<T>, about: (result: T) => About): Promise<T> => {
  if (begun === undefined) return work();
  try {
    const result = await begun.within(work);
    begun.tell(about(result));
    begun.end();
    return result;
  } catch (error) {
    begun.end(error);
    throw error;
  }
};

const nothing = (): About => ({});

/** The same sandbox: each inspection is a span. */
export const tracedSandbox = (sandbox: Sandbox, { part }: Spans): Sandbox => ({
  ...sandbox,
  inspect: (source, options) =>
    during(
      part('inspect', 'internal', { 'weighbridge.size': source.size }),
      () => sandbox.inspect(source, options),
      ({ coverage, format }) => ({ 'weighbridge.format': format, 'weighbridge.coverage': coverage.state }),
    ),
});

/** The same log: the wait for an entry to be on the disk is a span. */
export const tracedLog = (log: AccessLog, { part }: Spans): AccessLog => ({
  ...log,
  get size() {
    return log.size;
  },
  append: (entry) =>
    during(part('log append', 'internal', { 'weighbridge.kind': entry.kind }), () => log.append(entry), nothing),
});

/** The same policies: each decision is a span. */
export const tracedPolicies = (current: () => PolicySet, { part }: Spans): (() => PolicySet) => {
  const known = new WeakMap<PolicySet, PolicySet>();
  const traced = (set: PolicySet): PolicySet => ({
    ...set,
    decide(facts, now) {
      const begun = part('decide', 'internal', { 'weighbridge.policy_set': set.digest });
      try {
        const decision = set.decide(facts, now);
        begun?.tell({ 'weighbridge.action': decision.action, 'weighbridge.rule': decision.rule });
        begun?.end();
        return decision;
      } catch (error) {
        begun?.end(error);
        throw error;
      }
    },
  });
  return () => {
    const set = current();
    const wrapped = known.get(set) ?? traced(set);
    known.set(set, wrapped);
    return wrapped;
  };
};

const placed = ({ commit, ecosystem, repo }: RepoAt, path?: string): About => ({
  'weighbridge.ecosystem': ecosystem,
  'weighbridge.repo': repo,
  'weighbridge.commit': commit,
  'weighbridge.path': path,
});

/** The same gateway: each question that an ecosystem puts to it is a span, up to where bytes may leave. */
export const tracedGateway = (gateway: Gateway, { part }: Spans): Gateway => ({
  view: (repo, who, patience) =>
    during(part('admit listing', 'internal', placed(repo)), () => gateway.view(repo, who, patience), nothing),
  head: (repo, path, who) =>
    during(
      part('admit head', 'internal', placed(repo, path)),
      () => gateway.head(repo, path, who),
      ({ kind }) => ({ 'weighbridge.answer': kind }),
    ),
  get: (repo, path, range, who) =>
    during(
      part('admit', 'internal', placed(repo, path)),
      () => gateway.get(repo, path, range, who),
      ({ kind }) => ({ 'weighbridge.answer': kind }),
    ),
});

/** The same upstream: each question and each transfer is a span; with `handOn` upstream is told of which trace it is a part. */
export const tracedUpstream = (upstream: Upstream, { part }: Spans, handOn: boolean): Upstream => {
  const host = new URL(upstream.origin.url).host;
  const begin = (method: string, url: string): Begun | undefined =>
    part(`${method} upstream`, 'client', {
      'http.request.method': method,
      'server.address': host,
      'url.path': url.replace(/^https?:\/\/[^/]+/, '').replace(/[?#].*$/s, ''),
    });
  const told = (
    headers: Readonly<Record<string, string>>,
    begun: Begun | undefined,
  ): Readonly<Record<string, string>> =>
    begun === undefined || !handOn ? headers : { ...headers, traceparent: begun.traceparent };
  const status = (answer: { readonly status: number }): About => ({ 'http.response.status_code': answer.status });
  return {
    ...upstream,
    request(asked) {
      const begun = begin(asked.method, asked.url);
      return during(begun, () => upstream.request({ ...asked, headers: told(asked.headers ?? {}, begun) }), status);
    },
    stat(path, headers, signal) {
      const begun = begin('HEAD', path);
      return during(begun, () => upstream.stat(path, told(headers, begun), signal), status);
    },
    async *download(path, headers, range, signal, room) {
      const begun = begin('GET', path);
      let [fault, bytes]: [unknown, number] = [undefined, 0];
      try {
        for await (const chunk of upstream.download(path, told(headers, begun), range, signal, room)) {
          bytes += chunk.length;
          yield chunk;
        }
      } catch (error) {
        fault = error;
        throw error;
      } finally {
        begun?.tell({ 'weighbridge.bytes': bytes });
        begun?.end(fault);
      }
    },
  };
};
