import { WeighbridgeError } from '../../errors.ts';
import type { ListedFile, RepoAt } from '../../gateway/types.ts';
import { checkPath, type RepoName } from './urls.ts';

/** What the Hub says about a repo at a commit, and the same as the gateway takes it. */
export type Info = {
  readonly repo: RepoName;
  readonly commit: string;
  readonly files: ReadonlyMap<string, ListedFile>;
  /** Private or gated: each caller's rights are asked for before a byte leaves. */
  readonly restricted: boolean;
  readonly upstream: RepoAt['upstream'];
  /** The answer itself, with sizes and digests. */
  readonly json: Readonly<Record<string, unknown>>;
};

const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const NAME = /^[A-Za-z0-9_][\w.-]{0,127}(\/[A-Za-z0-9_][\w.-]{0,127})?$/;
const DAY = 86_400_000;

/** Reads `GET /api/<kind>/<repo>/revision/<revision>?blobs=true`. Throws UPSTREAM_REFUSED when it is something else. */
export const readInfo = (body: Uint8Array | string, asked: RepoName, host: string): Info => {
  const json = parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'));
  const { sha, id, siblings, gated, cardData, tags, downloads, lastModified } = json;
  if (typeof sha !== 'string' || !COMMIT.test(sha) || !Array.isArray(siblings))
    throw odd('it has no commit or no files');
  const files = new Map<string, ListedFile>();
  for (const sibling of siblings) {
    const file = readSibling(sibling);
    if (file !== undefined) files.set(file.path, file);
  }
  const modified = typeof lastModified === 'string' ? Date.parse(lastModified) : Number.NaN;
  const privately = json['private'] !== false;
  const withGate = gated !== false && gated !== undefined && gated !== null;
  const texts = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
  return {
    repo: { kind: asked.kind, name: typeof id === 'string' && NAME.test(id) ? id : asked.name },
    commit: sha,
    files,
    restricted: privately || withGate,
    upstream: {
      host,
      private: privately,
      gated: withGate,
      licence: licenceOf(cardData, texts),
      tags: texts,
      downloads: typeof downloads === 'number' ? downloads : 0,
      ageDays: Number.isNaN(modified) ? -1 : Math.max(Math.floor((Date.now() - modified) / DAY), 0),
    },
    json,
  };
};

const odd = (why: string): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_REFUSED', `the Hub's answer about the repo is not understood: ${why}`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const parse = (text: string): Record<string, unknown> => {
  try {
    const json: unknown = JSON.parse(text);
    if (isRecord(json)) return json;
  } catch {
    // Said below.
  }
  throw odd('it is not a JSON object');
};

/** A listed file; undefined for one whose path, size or digest no client could use. */
const readSibling = (sibling: unknown): ListedFile | undefined => {
  if (!isRecord(sibling)) return undefined;
  const { rfilename: path, size, blobId, lfs } = sibling;
  if (typeof path !== 'string' || !isServable(path)) return undefined;
  if (typeof blobId !== 'string' || !COMMIT.test(blobId)) return undefined;
  const large = isRecord(lfs) ? lfs : undefined;
  const bytes = large?.['size'] ?? size;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  if (large === undefined) return { path, size: bytes, oid: blobId };
  const sha256 = large['sha256'] ?? large['oid'];
  return typeof sha256 === 'string' && SHA256.test(sha256) ? { path, size: bytes, oid: blobId, sha256 } : undefined;
};

const isServable = (path: string): boolean => {
  try {
    return checkPath(path) === path;
  } catch {
    return false;
  }
};

const licenceOf = (card: unknown, tags: readonly string[]): string => {
  const declared = isRecord(card) ? card['license'] : undefined;
  if (typeof declared === 'string') return declared;
  if (Array.isArray(declared)) return declared.filter((one) => typeof one === 'string').join(' ');
  return tags.find((tag) => tag.startsWith('license:'))?.slice('license:'.length) ?? '';
};
