import { readInfo } from '../../ecosystems/huggingface/info.ts';
import { apiUrl, checkPath, fileUrl, type Kind, type RepoName } from '../../ecosystems/huggingface/urls.ts';
import { WeighbridgeError } from '../../errors.ts';
import { printable } from '../../formats/format.ts';
import type { ListedFile, RepoAt } from '../../gateway/types.ts';
import type { Upstream } from '../../upstream/types.ts';
import { remoteFile, type Spool } from './remote.ts';
import type { Target } from './types.ts';

const WRITTEN = /^hf:\/\/(?:(datasets|spaces|models)\/)?([^@]+?)(?:@(refs\/[^/]+\/[^/]+|[^/]+)(?:\/(.+))?)?$/;

type Address = { readonly repo: RepoName; readonly revision: string; readonly path: string };

const invalid = (written: string): never => {
  throw new WeighbridgeError('REQUEST_INVALID', `${written} is not hf://[datasets/|spaces/]REPO[@REVISION][/PATH]`);
};

const kindOf = (written: string | undefined): Kind =>
  written === 'datasets' || written === 'spaces' ? written : 'models';

/** Reads `hf://[datasets/|spaces/]REPO[@REVISION][/PATH]`; without a revision the first two segments are the repo. */
export const parseHub = (written: string): Address => {
  const [all, kind, place = '', revision, below = ''] = WRITTEN.exec(written) ?? [];
  const [owner = '', name = '', ...rest] = place.replace(/\/+$/, '').split('/');
  const repo = [owner, name].filter((part) => part !== '').join('/');
  if (all === undefined || (revision !== undefined && rest.length > 0)) return invalid(written);
  if (!/^[A-Za-z0-9_][\w.-]{0,127}(\/[A-Za-z0-9_][\w.-]{0,127})?$/.test(repo)) return invalid(written);
  const path = (revision === undefined ? rest.join('/') : below).replace(/\/+$/, '');
  if (path !== '') checkPath(path);
  return { repo: { kind: kindOf(kind), name: repo }, revision: decodeURIComponent(revision ?? 'main'), path };
};

/** The files of a repo on the Hub at the commit that a revision names now, as `hf://repo@commit/path`. */
export const filesOfRepo = async (upstream: Upstream, spool: Spool, written: string): Promise<readonly Target[]> => {
  const { repo, revision, path } = parseHub(written);
  const answer = await upstream.request({ method: 'GET', url: apiUrl(repo, ['revision', revision], 'blobs=true') });
  if (answer.status !== 200) throw refused(written, answer.status, answer.headers['x-error-message']);
  const info = readInfo(answer.body, repo, new URL(upstream.origin.url).host);
  const at: RepoAt = {
    ecosystem: 'huggingface',
    repo: `${info.repo.kind}/${info.repo.name}`,
    commit: info.commit,
    files: info.files,
    upstream: info.upstream,
    fetch: (file, start, end, signal) =>
      upstream.download(fileUrl(info.repo, info.commit, file.path), {}, { start, end, size: file.size }, signal),
  };
  const wanted = (file: ListedFile): boolean => path === '' || file.path === path || file.path.startsWith(`${path}/`);
  const files = [...info.files.values()].filter(wanted);
  if (files.length === 0) throw new WeighbridgeError('NOT_FOUND', `${written}: there are no such files`);
  const prefix = info.repo.kind === 'models' ? info.repo.name : `${info.repo.kind}/${info.repo.name}`;
  const label = `hf://${prefix}@${info.commit}`;
  return files.map((file) => remoteFile(at, file, { path: `${label}/${file.path}`, ranges: true }, spool));
};

const refused = (written: string, status: number, why: string | undefined): WeighbridgeError => {
  const said = printable(why ?? 'it gave no reason');
  return new WeighbridgeError('UPSTREAM_REFUSED', `${written}: the Hub answered ${status}: ${said}`, { status });
};
