import type { Received } from './impact-receipts.ts';

type Place = Pick<Received, 'repo' | 'commit' | 'path' | 'sha256' | 'servedAs'>;

/** Where the clients of the Hub keep a revision below their cache folder: models--org--name/snapshots/<commit>. */
export const cacheOf = ({ ecosystem, repo, commit, servedAs }: Received): string =>
  ecosystem === 'huggingface' && servedAs !== 'uploaded' ? `${repo.replaceAll('/', '--')}/snapshots/${commit}` : '';

/**
 * Under which names the client of an entry keeps the file, as far as the entry tells: below its cache folder, or where it was
 * run. Nothing where it says not what it is. The link in `snapshots` leads to the blob, also where the ETag, by which blobs
 * are called, is not the sha256 (files that are not in LFS, and conversions).
 */
export const keptAs = (received: Received): readonly string[] => {
  const { client, ecosystem, servedAs } = received;
  if (ecosystem !== 'huggingface' || servedAs === 'uploaded') return [];
  return CLIENTS.get(client.split('/', 1)[0] ?? '')?.(received) ?? [];
};

/** huggingface_hub and what stands on it, hf-hub of Rust, and `downloadFileToCacheDir` of @huggingface/hub. */
const hub = (place: Place): readonly string[] => {
  const folder = place.repo.replaceAll('/', '--');
  return [`${folder}/snapshots/${place.commit}/${place.path}`, ...blob(place, `${folder}/blobs/`)];
};

const blob = ({ servedAs, sha256 }: Place, before: string): readonly string[] =>
  servedAs === 'itself' && sha256 !== '' ? [`${before}${sha256}`] : [];

/** org/name, without models/ or datasets/. */
const bare = ({ repo }: Place): string => repo.split('/').slice(1).join('/');

/** `datasets` keeps what it prepared beside the file, in Arrow, in a folder that is called after the repo. */
const prepared = (place: Place): readonly string[] => {
  const [name = '', ...owner] = bare(place).split('/').toReversed();
  const snake = name
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase();
  return place.repo.startsWith('datasets/') ? [[...owner, snake].join('___')] : [];
};

const lfs = (digest: string): string => `.git/lfs/objects/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
const local = ({ path }: Place): readonly string[] => [path.split('/').at(-1) ?? path];
const worktree = (place: Place): readonly string[] => [place.path, ...blob(place, '').map(lfs)];

/** By the name of the client in the log. */
const CLIENTS: ReadonlyMap<string, (place: Place) => readonly string[]> = new Map(
  Object.entries({
    huggingface_hub: hub,
    transformers: hub,
    'hf-hub': hub,
    node: hub,
    datasets: (place) => [...hub(place), ...prepared(place)],
    // Earlier builds kept files under one flat name.
    'llama-cpp': (place) => [...hub(place), `${bare(place)}/${place.path}`.replaceAll('/', '_')],
    'transformers.js': (place) => [`${bare(place)}/${place.path}`],
    ollama: (place) => blob(place, 'blobs/sha256-'),
    git: worktree,
    'git-lfs': worktree,
    curl: local,
    wget: local,
  }),
);
