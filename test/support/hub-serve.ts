import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApiAnswer, failure, page, repoApi, splitRevision } from './hub-api.ts';
import { bend, type createFaults, type Fault, failEarly, sendBody } from './hub-faults.ts';
import { findTree, type HubRepo, type StoredFile, type StoredRepo } from './hub-repo.ts';

export type HubOptions = {
  readonly repos: readonly HubRepo[];
  /** Tokens that the hub knows; those named in `allow` are known as well. */
  readonly users?: Readonly<Record<string, { readonly name: string }>>;
  /** Host name in redirects to the second host. It listens on loopback whatever this says. */
  readonly cdnHost?: string;
  /** Another server that has the large files at `/repos/<sha256>`, instead of the second host. */
  readonly cdnUrl?: string;
  /** Entries on a page of a tree or a listing. */
  readonly pageSize?: number;
  /** Announce Xet in headers and listings; on unless false. */
  readonly xet?: boolean;
  /** Origin written into `Link` headers; the hub's own when left out. */
  readonly linkBase?: string;
  /** Both hosts speak TLS with this certificate (PEM). */
  readonly tls?: { readonly cert: string; readonly key: string };
};

/** One request as it arrived, and what became of it. */
export type Seen = {
  readonly where: 'hub' | 'cdn';
  readonly method: string;
  /** With the query, as it was sent. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  status: number;
  /** Body bytes sent. */
  bytes: number;
};

const SECRET = 'signature-of-the-second-host';
const SIGNED_FOR = 3600;

/** What both hosts share. */
export type State = {
  readonly options: HubOptions;
  readonly repos: Map<string, StoredRepo>;
  readonly faults: ReturnType<typeof createFaults>;
  readonly log: Seen[];
  hubUrl: string;
  cdnUrl: string;
};

type Exchange = {
  readonly state: State;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly faults: readonly Fault[];
  readonly seen: Seen;
  readonly url: URL;
  readonly body: string;
  readonly token: string | undefined;
};

/** Answers one request of either host. */
export const serve = async (state: State, where: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const method = request.method ?? '';
  const path = request.url ?? '';
  const seen: Seen = { where, method, path, headers: request.headers, body, status: 0, bytes: 0 };
  state.log.push(seen);
  const faults = state.faults.take(where, request);
  response.on('finish', () => {
    seen.status = response.statusCode;
  });
  if (await failEarly(faults, request, response)) return;
  const url = new URL(path, state.hubUrl);
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const exchange: Exchange = { state, request, response, faults, seen, url, body, token };
  await (where === 'hub' ? serveHub(exchange) : serveCdn(exchange));
};

const serveHub = async (exchange: Exchange): Promise<void> => {
  const segments = exchange.url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (segments[0] === 'api') return serveApi(exchange, segments.slice(1));
  const kind = segments[0] === 'datasets' || segments[0] === 'spaces' ? segments[0] : 'models';
  const own = kind === 'models' ? segments : segments.slice(1);
  const at = own.findIndex((segment, index) => index > 0 && (segment === 'resolve' || segment === 'raw'));
  if (at < 0) return answer(exchange, failure(404, undefined, 'Sorry, we can not find the page you are looking for.'));
  return serveFile(exchange, kind, own.slice(0, at).join('/'), own[at] ?? '', own.slice(at + 1));
};

const answer = (exchange: Exchange, { status, headers, json }: ApiAnswer): void => {
  const { request, response } = exchange;
  const bytes = Buffer.from(JSON.stringify(json));
  const all = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': String(bytes.length), ...headers };
  response.writeHead(status, bend(all, exchange.faults));
  response.end(request.method === 'HEAD' ? undefined : bytes);
};

/** The error that keeps this caller out, if any. */
const refusal = (exchange: Exchange, repo: StoredRepo | undefined, contents: boolean, path: string) => {
  const { token, state } = exchange;
  const known = token !== undefined && (state.options.users?.[token] !== undefined || allowed(state, token));
  if (token !== undefined && !known) return failure(401, undefined, 'Invalid credentials in Authorization header');
  const mine = repo?.config.allow?.includes(token ?? '') ?? false;
  if (repo === undefined || (repo.config.private === true && !mine)) {
    return known
      ? failure(404, 'RepoNotFound', 'Repository not found')
      : failure(401, 'RepoNotFound', 'Invalid username or password.');
  }
  if (repo.config.disabled === true) return failure(403, undefined, 'Access to this resource is disabled.');
  if (!contents || !repo.config.gated || mine || path === 'README.md' || path === '.gitattributes') return undefined;
  const what = `Access to model ${repo.config.name} is restricted`;
  return known
    ? failure(403, 'GatedRepo', `${what} and you are not in the authorized list.`)
    : failure(401, 'GatedRepo', `${what}. You must have access to it and be authenticated to access it.`);
};

const allowed = (state: State, token: string): boolean =>
  [...state.repos.values()].some(({ config }) => config.allow?.includes(token));

/** The repo of this name, or where its real name is. */
const locate = (exchange: Exchange, kind: string, name: string): StoredRepo | { redirect: string } | undefined => {
  const { repos } = exchange.state;
  const exact = repos.get(`${kind}/${name}`);
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  for (const repo of repos.values()) {
    const names = [repo.config.name, ...(repo.config.aliases ?? [])].map((one) => one.toLowerCase());
    if (repo.kind === kind && names.includes(wanted)) return { redirect: repo.config.name };
  }
  return undefined;
};

const serveFile = async (exchange: Exchange, kind: string, name: string, verb: string, rest: readonly string[]) => {
  const found = locate(exchange, kind, name);
  if (found !== undefined && 'redirect' in found) return redirect(exchange, name, found.redirect);
  const { revision, path } = splitRevision(rest);
  const refused = refusal(exchange, found, true, path);
  if (refused !== undefined || found === undefined)
    return answer(exchange, refused ?? failure(404, 'RepoNotFound', ''));
  const tree = findTree(found, revision);
  if (tree === undefined) return answer(exchange, failure(404, 'RevisionNotFound', `Invalid rev id: ${revision}`));
  const file = tree.files.get(path);
  const commit = { 'X-Repo-Commit': tree.sha };
  if (file === undefined) return answer(exchange, failure(404, 'EntryNotFound', 'Entry not found', commit));
  if (verb === 'raw') return sendRaw(exchange, file, commit);
  const base = path.slice(path.lastIndexOf('/') + 1);
  const headers = {
    ...commit,
    'Accept-Ranges': 'bytes',
    'X-Linked-Size': String(file.size),
    'X-Linked-ETag': `"${file.lfs ? file.sha256 : file.oid}"`,
    'Content-Disposition': `inline; filename*=UTF-8''${encodeURIComponent(base)}; filename="file";`,
  };
  if (!file.lfs) {
    const target = `/api/resolve-cache/${kind}/${found.config.name}/${tree.sha}/${encodeURIComponent(path)}?etag=%22${file.oid}%22`;
    return send(exchange, 307, { ...headers, Location: target });
  }
  const token = `${exchange.state.hubUrl}/api/${kind}/${found.config.name}/xet-read-token/${tree.sha}`;
  const xet =
    exchange.state.options.xet === false ? {} : { 'X-Xet-Hash': file.sha256, Link: `<${token}>; rel="xet-auth"` };
  if (exchange.request.headers.accept?.includes('vnd.xet-fileinfo')) {
    return answer(exchange, {
      status: 200,
      headers: { ...headers, ...xet },
      json: { hash: file.sha256, refreshUrl: token },
    });
  }
  return send(exchange, 302, { ...headers, ...xet, Location: signed(exchange.state, file.sha256) });
};

const send = (exchange: Exchange, status: number, headers: Record<string, string>): void => {
  exchange.response.writeHead(status, bend({ 'Content-Length': '0', ...headers }, exchange.faults)).end();
};

const redirect = (exchange: Exchange, from: string, to: string): void =>
  send(exchange, 307, { Location: exchange.url.pathname.replace(from, to) + exchange.url.search });

const sendRaw = async (exchange: Exchange, file: StoredFile, commit: Record<string, string>): Promise<void> => {
  const pointer = Buffer.from(file.pointer);
  const body = file.lfs
    ? {
        size: pointer.length,
        read: async function* (from: number, to: number) {
          yield pointer.subarray(from, to);
        },
      }
    : file;
  await sendFile(exchange, body, { ...commit, ETag: `"${file.oid}"`, 'Content-Type': 'text/plain; charset=utf-8' });
};

const sendFile = async (
  exchange: Exchange,
  body: Pick<StoredFile, 'size' | 'read'>,
  headers: Record<string, string>,
) => {
  const sent = await sendBody(exchange.request, exchange.response, body, headers, exchange.faults);
  Object.assign(exchange.seen, sent);
};

const signature = (sha256: string, expires: number): string =>
  createHmac('sha256', SECRET).update(`${sha256}${expires}`).digest('hex').slice(0, 32);

const signed = (state: State, sha256: string): string => {
  const expires = Math.floor(Date.now() / 1000) + SIGNED_FOR;
  return `${state.cdnUrl}/repos/${sha256}?Expires=${expires}&Signature=${signature(sha256, expires)}&Key-Pair-Id=K`;
};

const serveApi = async (exchange: Exchange, segments: readonly string[]): Promise<void> => {
  const { state, token, url, body, request } = exchange;
  const [kind = '', ...rest] = segments;
  if (kind === 'whoami-v2') {
    const user = state.options.users?.[token ?? ''];
    if (user === undefined) return answer(exchange, failure(401, undefined, 'Invalid username or password.'));
    const auth = { type: 'access_token', accessToken: { displayName: 't', role: 'read' } };
    return answer(exchange, { status: 200, json: { type: 'user', name: user.name, orgs: [], auth } });
  }
  if (kind === 'resolve-cache') return serveCached(exchange, rest);
  const call = {
    rest: [] as string[],
    query: url.searchParams,
    path: url.pathname,
    body,
    contentType: request.headers['content-type'] ?? '',
  };
  const base = state.options.linkBase ?? state.hubUrl;
  const pageSize = state.options.pageSize ?? 1000;
  if (rest.length === 0) {
    const mine = [...state.repos.values()].filter((repo) => repo.kind === kind && repo.config.private !== true);
    return answer(
      exchange,
      page(
        mine.map(({ config }) => ({ id: config.name })),
        pageSize,
        call,
        base,
      ),
    );
  }
  const bare = locate(exchange, kind, rest[0] ?? '') !== undefined;
  const name = rest.slice(0, bare ? 1 : 2).join('/');
  const found = locate(exchange, kind, name);
  if (found !== undefined && 'redirect' in found) return redirect(exchange, name, found.redirect);
  const operation = rest.slice(bare ? 1 : 2);
  const refused = refusal(exchange, found, ['auth-check', 'xet-read-token'].includes(operation[0] ?? ''), '');
  if (refused !== undefined || found === undefined)
    return answer(exchange, refused ?? failure(404, 'RepoNotFound', ''));
  const options = { pageSize, xet: state.options.xet !== false, base };
  return answer(exchange, repoApi(found, { ...call, rest: operation }, options));
};

const serveCached = async (exchange: Exchange, segments: readonly string[]): Promise<void> => {
  const [kind = '', ...rest] = segments;
  const bare = exchange.state.repos.has(`${kind}/${rest[0]}`);
  const repo = exchange.state.repos.get(`${kind}/${rest.slice(0, bare ? 1 : 2).join('/')}`);
  const [commit = '', ...path] = rest.slice(bare ? 1 : 2);
  const refused = refusal(exchange, repo, true, path.join('/'));
  const file = repo === undefined ? undefined : findTree(repo, commit)?.files.get(path.join('/'));
  if (refused !== undefined || file === undefined)
    return answer(exchange, refused ?? failure(404, 'EntryNotFound', ''));
  await sendFile(exchange, file, { 'X-Repo-Commit': commit, ETag: `"${file.oid}"`, 'Content-Type': 'text/plain' });
};

/** The second host: signed URLs only, and no other credential beside the signature, as S3-like stores have it. */
const serveCdn = async (exchange: Exchange): Promise<void> => {
  const { request, url, state } = exchange;
  if (request.headers.authorization !== undefined) {
    return answer(exchange, failure(400, undefined, 'Only one auth mechanism allowed'));
  }
  const sha256 = url.pathname.split('/').at(-1) ?? '';
  const expires = Number(url.searchParams.get('Expires'));
  const valid = url.searchParams.get('Signature') === signature(sha256, expires) && expires > Date.now() / 1000;
  const trees = [...state.repos.values()].flatMap(({ refs }) => [...refs.values()]);
  const file = trees.flatMap(({ files }) => [...files.values()]).find((one) => one.lfs && one.sha256 === sha256);
  if (!valid || file === undefined) return answer(exchange, failure(403, undefined, 'AccessDenied'));
  const etag = `"${createHash('md5').update(sha256).digest('hex')}"`;
  await sendFile(exchange, file, { ETag: etag, 'Content-Type': 'application/octet-stream' });
};
