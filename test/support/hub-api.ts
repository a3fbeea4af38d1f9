import { findTree, foldersOf, type StoredFile, type StoredRepo, type Tree } from './hub-repo.ts';

/** A JSON answer of the stand-in's API. */
export type ApiAnswer = { readonly status: number; readonly headers?: Record<string, string>; readonly json: unknown };

/** What the API is asked: decoded path segments behind the repo, the query, and a POST's body. */
export type ApiCall = {
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
  readonly path: string;
  readonly body: string;
  readonly contentType: string;
};

export type ApiOptions = { readonly pageSize: number; readonly xet: boolean; readonly base: string };

export const failure = (status: number, code: string | undefined, text: string, more: Record<string, string> = {}) => ({
  status,
  headers: { ...(code === undefined ? {} : { 'X-Error-Code': code }), 'X-Error-Message': text, ...more },
  json: { error: text },
});

const yes = (query: URLSearchParams, name: string): boolean => ['true', 'True', '1'].includes(query.get(name) ?? '');

/** `/api/<kind>/<repo>/...` */
export const repoApi = (repo: StoredRepo, call: ApiCall, options: ApiOptions): ApiAnswer => {
  const [operation, ...rest] = call.rest;
  if (operation === undefined) return info(repo, 'main', call.query);
  if (operation === 'revision') return info(repo, rest.join('/'), call.query);
  if (operation === 'refs') return { status: 200, json: refs(repo, call.query.has('include_prs')) };
  if (operation === 'discussions') return { status: 200, json: { discussions: [], count: 0, start: 0 } };
  if (operation === 'auth-check') return { status: 200, json: null };
  if (operation === 'xet-read-token') {
    return { status: 200, json: { accessToken: 'xet_test', exp: 4102444800, casUrl: `${options.base}/cas` } };
  }
  const { revision, path } = splitRevision(rest);
  const tree = findTree(repo, revision);
  if (tree === undefined) return failure(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
  if (operation === 'commits') {
    const commit = {
      id: tree.sha,
      title: 'Upload',
      message: '',
      authors: [{ user: 'hub' }],
      date: '2026-01-02T03:04:05.000Z',
    };
    return { status: 200, headers: { 'X-Total-Count': '1' }, json: [commit] };
  }
  if (operation === 'paths-info') return { status: 200, json: pathsInfo(tree, call, options) };
  if (operation === 'tree') return listTree(tree, path, call, options);
  return failure(404, undefined, `Unknown route ${operation}`);
};

/** A revision has slashes of its own only as `refs/<kind>/<name>`. */
export const splitRevision = (segments: readonly string[]): { revision: string; path: string } => {
  const length = segments[0] === 'refs' && segments.length >= 3 ? 3 : 1;
  return { revision: segments.slice(0, length).join('/') || 'main', path: segments.slice(length).join('/') };
};

/** Model, dataset or space info as `GET /api/<kind>/<repo>` gives it. */
const info = (repo: StoredRepo, revision: string, query: URLSearchParams): ApiAnswer => {
  const tree = findTree(repo, revision);
  if (tree === undefined) return failure(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
  const { config } = repo;
  const date = config.lastModified ?? '2026-01-02T03:04:05.000Z';
  const json: Record<string, unknown> = {
    id: config.name,
    sha: tree.sha,
    private: config.private ?? false,
    gated: config.gated ?? false,
    disabled: config.disabled ?? false,
    author: config.name.includes('/') ? config.name.split('/')[0] : null,
    lastModified: date,
    createdAt: date,
    likes: 0,
    downloads: config.downloads ?? 0,
    tags: [...(config.tags ?? []), ...(config.license === undefined ? [] : [`license:${config.license}`])],
    cardData: config.license === undefined ? {} : { license: config.license },
    siblings: [...tree.files.values()].map((file) => sibling(file, yes(query, 'blobs'))),
  };
  if (repo.kind === 'models') json['modelId'] = config.name;
  if (yes(query, 'securityStatus')) json['securityRepoStatus'] = { scansDone: true, filesWithIssues: [] };
  return { status: 200, json };
};

const lfsOf = (file: StoredFile, key: 'sha256' | 'oid') =>
  file.lfs ? { lfs: { [key]: file.sha256, size: file.size, pointerSize: file.pointer.length } } : {};

const sibling = (file: StoredFile, blobs: boolean) =>
  blobs
    ? { rfilename: file.path, size: file.size, blobId: file.oid, ...lfsOf(file, 'sha256') }
    : { rfilename: file.path };

const refs = (repo: StoredRepo, pullRequests: boolean) => {
  const all = [...repo.refs].map(([name, tree]) => ({
    name: name.replace(/^refs\/\w+\//, ''),
    ref: name.startsWith('refs/') ? name : `refs/heads/${name}`,
    targetCommit: tree.sha,
  }));
  const of = (prefix: string) => all.filter(({ ref }) => ref.startsWith(prefix));
  const common = { branches: of('refs/heads/'), converts: of('refs/convert/'), tags: of('refs/tags/') };
  return pullRequests ? { ...common, pullRequests: of('refs/pr/') } : common;
};

/** What the Hub's scanners say, with the keys that `huggingface_hub` reads. */
const SAFE = {
  status: 'safe',
  avScan: { status: 'safe', virusFound: false, virusNames: null },
  pickleImportScan: null,
  jFrogScan: { status: 'unscanned' },
  protectAiScan: { status: 'unscanned' },
  virusTotalScan: { status: 'unscanned' },
};

const entry = (file: StoredFile, tree: Tree, expand: boolean, xet: boolean) => ({
  type: 'file',
  oid: file.oid,
  size: file.size,
  path: file.path,
  ...lfsOf(file, 'oid'),
  ...(file.lfs && xet ? { xetHash: file.sha256 } : {}),
  ...(expand
    ? {
        lastCommit: { id: tree.sha, title: 'Upload', date: '2026-01-02T03:04:05.000Z' },
        securityFileStatus: SAFE,
      }
    : {}),
});

const pathsInfo = (tree: Tree, call: ApiCall, options: ApiOptions) => {
  const form = new URLSearchParams(call.body);
  const asked: { paths?: string[]; expand?: boolean } = call.contentType.includes('json')
    ? JSON.parse(call.body)
    : { paths: form.getAll('paths'), expand: yes(form, 'expand') };
  const folders = foldersOf(tree);
  return (asked.paths ?? []).flatMap((path) => {
    const file = tree.files.get(path);
    if (file !== undefined) return [entry(file, tree, asked.expand ?? false, options.xet)];
    const oid = folders.get(path);
    return oid === undefined ? [] : [{ type: 'directory', oid, size: 0, path }];
  });
};

const listTree = (tree: Tree, folder: string, call: ApiCall, options: ApiOptions): ApiAnswer => {
  const folders = foldersOf(tree);
  if (folder !== '' && !folders.has(folder)) return failure(404, 'EntryNotFound', `${folder} does not exist`);
  const prefix = folder === '' ? '' : `${folder}/`;
  const recursive = yes(call.query, 'recursive');
  const inside = (path: string) =>
    path.startsWith(prefix) && path !== folder && (recursive || !path.slice(prefix.length).includes('/'));
  const expand = yes(call.query, 'expand');
  const entries = [
    ...[...folders].map(([path, oid]) => ({ type: 'directory', oid, size: 0, path })),
    ...[...tree.files.values()].map((file) => entry(file, tree, expand, options.xet)),
  ]
    .filter(({ path }) => inside(path))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return page(entries, Math.min(expand ? 50 : 1000, options.pageSize), call, options.base);
};

/** One page with an absolute link to the next. */
export const page = (items: readonly unknown[], limit: number, call: ApiCall, base: string): ApiAnswer => {
  const from = Number(call.query.get('cursor') ?? 0);
  if (from + limit >= items.length) return { status: 200, json: items.slice(from) };
  const query = new URLSearchParams(call.query);
  query.set('cursor', String(from + limit));
  const link = `<${base}${call.path}?${query}>; rel="next"`;
  return { status: 200, headers: { Link: link }, json: items.slice(from, from + limit) };
};
