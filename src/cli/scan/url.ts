import { WeighbridgeError } from '../../errors.ts';
import type { ListedFile, RepoAt } from '../../gateway/types.ts';
import type { Upstream } from '../../upstream/types.ts';
import { remoteFile, type Spool } from './remote.ts';
import type { Target } from './types.ts';

/** Redirects that are followed to learn how large a file is. */
const MAX_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>> };

/** The name of a URL in the output: credentials and signatures stand in what is left out. */
export const labelOf = (url: URL): string => `${url.origin}${url.pathname}`;

/** A file behind a URL, whose server must say how large it is. */
export const fileAt = async (upstream: Upstream, spool: Spool, url: URL): Promise<Target> => {
  const address = url.pathname + url.search;
  const { status, headers } = await follow(upstream, address, url.origin);
  if (status !== 200) throw new WeighbridgeError('UPSTREAM_REFUSED', `${labelOf(url)}: the server answered ${status}`);
  const length = headers['content-length'] ?? '';
  const size = Number(length);
  if (!/^\d{1,16}$/.test(length) || !Number.isSafeInteger(size)) {
    throw new WeighbridgeError('UPSTREAM_REFUSED', `${labelOf(url)}: the server does not say how large the file is`);
  }
  const file: ListedFile = { path: url.pathname, size, oid: '' };
  const repo: RepoAt = {
    ecosystem: 'url',
    repo: `${url.protocol.slice(0, -1)}/${url.host}`,
    commit: '',
    files: new Map([[file.path, file]]),
    upstream: { host: url.host, private: false, gated: false, licence: '', tags: [], downloads: 0, ageDays: -1 },
    fetch: (_, start, end, signal) => upstream.download(address, {}, { start, end, size }, signal),
  };
  return remoteFile(repo, file, { path: labelOf(url), ranges: headers['accept-ranges'] === 'bytes' }, spool);
};

/** The answer for the file itself; every hop to another host passes the same guard as a download. */
const follow = async (upstream: Upstream, address: string, origin: string): Promise<Answer> => {
  let at = address;
  for (let redirects = 0; ; redirects++) {
    const answer = await upstream.stat(at, {});
    const location = answer.headers['location'];
    if (!REDIRECTS.includes(answer.status) || location === undefined || redirects === MAX_REDIRECTS) return answer;
    at = new URL(location, at.startsWith('/') ? origin + at : at).href;
  }
};
