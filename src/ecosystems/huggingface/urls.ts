import { WeighbridgeError } from '../../errors.ts';

export type Kind = 'models' | 'datasets' | 'spaces';

/** A repo as a client names it. */
export type RepoName = { readonly kind: Kind; readonly name: string };

/** What a request is about. Every text is decoded; `query` is not. */
export type HubCall =
  | {
      readonly what: 'file';
      readonly verb: 'resolve' | 'raw';
      readonly repo: RepoName;
      readonly revision: string;
      readonly path: string;
    }
  | { readonly what: 'info'; readonly repo: RepoName; readonly revision: string; readonly query: string }
  | {
      readonly what: 'tree';
      readonly repo: RepoName;
      readonly revision: string;
      readonly path: string;
      readonly query: string;
    }
  | { readonly what: 'paths-info'; readonly repo: RepoName; readonly revision: string }
  /** Handed on as it is; `segments` below `/api/`. */
  | {
      readonly what: 'forward';
      readonly segments: readonly string[];
      readonly query: string;
      readonly repo?: RepoName;
      readonly operation: string;
    }
  | { readonly what: 'absent' }
  | { readonly what: 'telemetry' }
  | { readonly what: 'git'; readonly lfs: boolean }
  /** What the refusal of this request had said. */
  | { readonly what: 'retold'; readonly id: string }
  | { readonly what: 'home' };

const KINDS: ReadonlySet<string> = new Set<Kind>(['models', 'datasets', 'spaces']);
/** Operations on a repo that are handed on. */
const FORWARDED = new Set(['refs', 'commits', 'discussions', 'auth-check']);
const OPERATIONS = new Set([
  ...FORWARDED,
  ...['revision', 'tree', 'paths-info', 'xet-read-token', 'xet-write-token', 'safetensors-metadata', 'treesize'],
]);
/** A repo's name, `org/name` or `name`, as the Hub allows it and somewhat wider. */
const REPO_NAME = /^[A-Za-z0-9_][\w.-]{0,127}(\/[A-Za-z0-9_][\w.-]{0,127})?$/;
/** Characters of a decoded segment. A file name on the Hub has at most 255 bytes; a path below resolve is split. */
const MAX_SEGMENT = 4096;

const isKind = (value: string | undefined): value is Kind => value !== undefined && KINDS.has(value);

const invalid = (why: string): never => {
  throw new WeighbridgeError('REQUEST_INVALID', `the URL is not served: ${why}`);
};

/**
 * Reads the part of a URL below the mount, as it came over the wire. Each segment is decoded exactly once; what means a
 * place elsewhere (`..`, an empty or dot segment, a backslash, a control character) throws REQUEST_INVALID.
 */
export const readUrl = (url: string): HubCall => {
  const [path = '', ...rest] = url.split('?');
  const query = rest.join('?').replace(/[^\x21-\x7e]/g, encodeURIComponent);
  const segments = path.replace(/^\//, '').split('/').map(decodeSegment);
  if (segments.length === 1 && segments[0] === '') return { what: 'home' };
  if (segments.at(-1) === '' && segments[0] === 'api') segments.pop();
  for (const segment of segments) checkPath(segment);
  return segments[0] === 'api' ? readApi(segments.slice(1), query) : readFileUrl(segments);
};

/** Decodes once. Bytes that were sent raw count as if they had been encoded. */
const decodeSegment = (segment: string): string => {
  const encoded = segment.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    const decoded = decodeURIComponent(encoded);
    return decoded.length > MAX_SEGMENT ? invalid('a segment is too long') : decoded;
  } catch {
    return invalid('a percent escape is broken');
  }
};

/** Throws REQUEST_INVALID for a path that could mean something outside its repo. */
export const checkPath = (path: string): string => {
  if (/[\u0000-\u001f\u007f\\]/.test(path)) invalid('it has a control character or a backslash');
  // Half a character of UTF-16 has no UTF-8, and so no URL.
  if (!path.isWellFormed()) invalid('it is not Unicode');
  for (const part of path.split('/')) {
    if (part === '' || part === '.' || part === '..') invalid('it has an empty or a dot segment');
  }
  return path;
};

/** `[kind/]repo/resolve/revision/path`, and the addresses of git. */
const readFileUrl = (segments: readonly string[]): HubCall => {
  const joined = segments.join('/');
  if (joined.endsWith('.git/info/lfs/objects/batch') || joined.includes('/info/lfs/'))
    return { what: 'git', lfs: true };
  if (/\/(info\/refs|git-upload-pack|git-receive-pack)$/.test(joined)) return { what: 'git', lfs: false };
  if (segments[0] === '-' && segments[1] === 'refused' && segments.length === 3) {
    return { what: 'retold', id: segments[2] ?? '' };
  }
  const kind = isKind(segments[0]) ? segments[0] : 'models';
  const own = isKind(segments[0]) ? segments.slice(1) : segments;
  const at = [1, 2].find((index) => own[index] === 'resolve' || own[index] === 'raw');
  if (at === undefined) return { what: 'absent' };
  const { revision, rest } = splitRevision(own.slice(at + 1));
  if (revision === '' || rest.length === 0) return { what: 'absent' };
  const verb = own[at] === 'raw' ? 'raw' : 'resolve';
  return { what: 'file', verb, repo: repoName(kind, own.slice(0, at)), revision, path: rest.join('/') };
};

const readApi = (segments: readonly string[], query: string): HubCall => {
  const [first, ...own] = segments;
  if (first === 'whoami-v2' && own.length === 0) return { what: 'forward', segments, query, operation: 'whoami-v2' };
  if (first === 'telemetry') return { what: 'telemetry' };
  if (!isKind(first)) return { what: 'absent' };
  if (own.length === 0) return { what: 'forward', segments, query, operation: 'list' };
  const length = OPERATIONS.has(own[1] ?? '') && !OPERATIONS.has(own[2] ?? '') ? 1 : 2;
  const repo = repoName(first, own.slice(0, length));
  const [operation, ...rest] = own.slice(length);
  if (operation === undefined) return { what: 'info', repo, revision: 'main', query };
  const at = splitRevision(rest);
  const revision = at.revision || 'main';
  if (operation === 'revision' && at.rest.length === 0) return { what: 'info', repo, revision, query };
  if (operation === 'tree') return { what: 'tree', repo, revision, path: at.rest.join('/'), query };
  if (operation === 'paths-info' && at.rest.length === 0) return { what: 'paths-info', repo, revision };
  if (FORWARDED.has(operation)) return { what: 'forward', segments, query, repo, operation };
  return { what: 'absent' };
};

const repoName = (kind: Kind, segments: readonly string[]): RepoName => {
  const name = segments.join('/');
  return REPO_NAME.test(name) ? { kind, name } : invalid('it does not name a repo');
};

/** A revision is one segment; as the Hub has it, `refs/<kind>/<name>` may also come unencoded. */
const splitRevision = (segments: readonly string[]): { revision: string; rest: readonly string[] } => {
  const length = segments[0] === 'refs' && segments.length >= 3 ? 3 : 1;
  return { revision: segments.slice(0, length).join('/'), rest: segments.slice(length) };
};

/** A path with everything but its slashes encoded. */
export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Where a file stands on the Hub. */
export const fileUrl = ({ kind, name }: RepoName, commit: string, path: string): string =>
  `/${kind === 'models' ? '' : `${kind}/`}${encodePath(name)}/resolve/${encodeURIComponent(commit)}/${encodePath(path)}`;

/** An address of the Hub's API below a repo; each of `segments` becomes one segment. */
export const apiUrl = ({ kind, name }: RepoName, segments: readonly string[], query = ''): string =>
  [`/api/${kind}/${encodePath(name)}`, ...segments.map(encodeURIComponent)].join('/') +
  (query === '' ? '' : `?${query}`);
