import { isFault, WeighbridgeError } from '../../errors.ts';
import type { Identity } from '../../identity/roles.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import { type Asked, findRepo, publicBase, refuseWhole } from './mount.ts';
import { passError } from './refusals.ts';
import { unlessAway } from './repo-at.ts';
import type { HubCall } from './urls.ts';

/** Headers of the Hub's answers that mean something to clients and lead nowhere else. */
const PASSED = ['content-type', 'x-total-count', 'x-repo-commit', 'ratelimit', 'ratelimit-policy'];
/** How long a kept answer is not written again, in ms. */
const KEPT_FOR = 60_000;
/** Queries whose answers are kept: those of clients themselves, so that nobody fills the disk with others. */
const KEPT_QUERIES = new Set(['', 'include_prs=1', 'include_prs=True', 'p=0']);
/** Largest answer kept for when the Hub is away, in bytes. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** `refs`, `commits`, `discussions`, `auth-check`, `whoami-v2` and listings, as the Hub answers them. */
export const serveForwarded = async (asked: Asked, call: Extract<HubCall, { what: 'forward' }>): Promise<void> => {
  const { mount, caller, reply, request } = asked;
  if (call.operation === 'whoami-v2' && caller.scope === '' && request.caller !== undefined)
    return void reply.send(knownHere(request.caller));
  if (caller.client.readsOnePage && call.operation === 'refs' && call.repo !== undefined) {
    const repo = await findRepo(asked, call.repo, 'main');
    if (repo === undefined || refuseWhole(asked, await mount.gateway.view(repo.at, caller.who), call.repo)) return;
  }
  const path = `/api/${call.segments.map(encodeURIComponent).join('/')}`;
  const url = call.query === '' ? path : `${path}?${call.query}`;
  const answer = await unlessAway(mount.upstream.request({ method: 'GET', url, headers: caller.credentials }));
  const key = `huggingface${url.slice('/api'.length)}`;
  if (isFault(answer)) return sendKept(asked, key, answer);
  if (answer.status >= 300) return void passError(reply, answer);
  const isKept = call.repo !== undefined && mount.repos.isPublic(call.repo) && KEPT_QUERIES.has(call.query);
  if (isKept) await keep(asked, key, answer);
  reply.headers(forwardedHeaders(asked, answer)).code(answer.status).send(Buffer.from(answer.body));
};

/** What `hf auth login` and `whoami` ask for, of a caller whom only this gateway knows. */
const knownHere = ({ name, team, environment }: Identity): object => ({
  type: 'user',
  id: name,
  name: team === '' ? name : team,
  fullname: [team, environment].filter((part) => part !== '').join('/') || name,
  orgs: [],
  auth: { type: 'access_token', accessToken: { displayName: name, role: 'read' } },
});

const keep = async ({ mount }: Asked, key: string, { status, headers, body }: UpstreamAnswer): Promise<void> => {
  if (body.length > MAX_KEPT_BYTES) return;
  const known = await mount.records.get('metadata', key);
  if (known !== undefined && known.at > Date.now() - KEPT_FOR) return;
  const kept = { 'content-type': headers['content-type'] ?? 'application/json' };
  const text = Buffer.from(body).toString('utf8');
  await mount.records.put('metadata', key, { status, headers: kept, body: text, at: Date.now() });
};

const sendKept = async ({ mount, reply }: Asked, key: string, fault: WeighbridgeError): Promise<void> => {
  const kept = await mount.records.get('metadata', key);
  if (kept === undefined) throw fault;
  reply.headers(kept.headers).code(kept.status).send(Buffer.from(kept.body));
};

/** Headers to hand on, with the link to the next page leading back here. */
export const forwardedHeaders = (asked: Asked, answer: UpstreamAnswer): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const name of PASSED) {
    const value = answer.headers[name];
    if (value !== undefined) headers[name] = value.replace(/[^\t\x20-\x7e]/g, '?');
  }
  const next = nextPage(asked, answer);
  return next === undefined ? headers : { ...headers, link: `<${publicBase(asked)}${next}>; rel="next"` };
};

/** Path and query of the next page below the Hub's url. Which host the link names does not matter: only the Hub is asked. */
export const nextPage = ({ mount }: Asked, { headers }: UpstreamAnswer): string | undefined => {
  const link = (headers['link'] ?? '').split(/,(?=\s*<)/).find((one) => /;\s*rel="?next"?/i.test(one));
  const target = /<([^>]*)>/.exec(link ?? '')?.[1];
  if (target === undefined) return undefined;
  const url = URL.parse(target, mount.upstream.origin.url);
  if (url === null) return undefined;
  const prefix = new URL(mount.upstream.origin.url).pathname.replace(/\/+$/, '');
  const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : url.pathname;
  return path.startsWith('/api/') ? path + url.search : undefined;
};

/** An answer's JSON. Throws UPSTREAM_REFUSED when it is none. */
export const readJson = ({ body }: UpstreamAnswer): unknown => {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (error) {
    throw new WeighbridgeError('UPSTREAM_REFUSED', "the Hub's answer is not JSON", {}, { cause: error });
  }
};
