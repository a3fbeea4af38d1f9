import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';

/** Bytes in memory, or a file on disk. Digests of a large file may be given so that it need not be read at start. */
export type HubFile = Uint8Array | string | { readonly file: string; readonly sha256?: string };

export type HubRepo = {
  /** `models` when left out. */
  readonly kind?: 'models' | 'datasets' | 'spaces';
  /** `org/name`, or a bare `name`. */
  readonly name: string;
  readonly files: Readonly<Record<string, HubFile>>;
  /** More branches (or `refs/pr/1`, …) with trees of their own. */
  readonly branches?: Readonly<Record<string, Readonly<Record<string, HubFile>>>>;
  readonly private?: boolean;
  readonly gated?: false | 'auto' | 'manual';
  readonly disabled?: boolean;
  /** Tokens that may read a private or gated repo. */
  readonly allow?: readonly string[];
  /** Globs (`*` only) over the base name of files kept in LFS. */
  readonly lfs?: readonly string[];
  readonly tags?: readonly string[];
  readonly license?: string;
  readonly downloads?: number;
  /** ISO date. */
  readonly lastModified?: string;
  /** Old names that redirect here. */
  readonly aliases?: readonly string[];
};

export type StoredFile = {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** git blob sha1 of the file, or of its LFS pointer. */
  readonly oid: string;
  readonly lfs: boolean;
  readonly pointer: string;
  /** Bytes from `start` to `end` (exclusive). */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
};

export type Tree = { readonly sha: string; readonly files: ReadonlyMap<string, StoredFile> };
export type StoredRepo = { readonly kind: string; readonly config: HubRepo; readonly refs: ReadonlyMap<string, Tree> };

const LFS =
  '*.bin *.safetensors *.pt *.pth *.ckpt *.gguf *.onnx *.h5 *.pkl *.npy *.npz *.parquet *.zip *.tar *.gz'.split(' ');

/** Hashes every file and gives each tree a commit that depends on nothing but its content. */
export const storeRepo = async (config: HubRepo): Promise<StoredRepo> => {
  const kind = config.kind ?? 'models';
  const refs = new Map<string, Tree>();
  const trees = { main: config.files, ...config.branches };
  for (const [name, files] of Object.entries(trees))
    refs.set(name, await storeTree(`${kind}/${config.name}`, files, config));
  return { kind, config, refs };
};

const storeTree = async (salt: string, files: Readonly<Record<string, HubFile>>, config: HubRepo): Promise<Tree> => {
  const stored = new Map<string, StoredFile>();
  for (const path of Object.keys(files).sort())
    stored.set(path, await storeFile(path, files[path]!, config.lfs ?? LFS));
  const hash = createHash('sha1').update(salt);
  for (const file of stored.values()) hash.update(`${file.path}\0${file.oid}\0`);
  return { sha: hash.digest('hex'), files: stored };
};

const storeFile = async (path: string, given: HubFile, globs: readonly string[]): Promise<StoredFile> => {
  const { size, read } = open(given);
  const base = path.slice(path.lastIndexOf('/') + 1);
  const lfs = globs.some((glob) =>
    new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`, 'i').test(base),
  );
  const known = typeof given === 'object' && 'file' in given ? given.sha256 : undefined;
  const sha256 = createHash('sha256');
  const blob = createHash('sha1').update(`blob ${size}\0`);
  if (known === undefined || !lfs) {
    for await (const chunk of read(0, size)) {
      sha256.update(chunk);
      blob.update(chunk);
    }
  }
  const digest = known ?? sha256.digest('hex');
  const pointer = lfs ? `version https://git-lfs.github.com/spec/v1\noid sha256:${digest}\nsize ${size}\n` : '';
  const oid = lfs ? gitSha1(Buffer.from(pointer)) : blob.digest('hex');
  return { path, size, sha256: digest, oid, lfs, pointer, read };
};

/** The id that git gives to a blob of these bytes. */
export const gitSha1 = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

const open = (given: HubFile): { size: number; read: StoredFile['read'] } => {
  if (typeof given === 'object' && 'file' in given) {
    const size = statSync(given.file).size;
    return {
      size,
      read: (start, end) =>
        end <= start
          ? slices(new Uint8Array(0), 0, 0)
          : createReadStream(given.file, { start, end: end - 1, highWaterMark: 1 << 20 }),
    };
  }
  const bytes = typeof given === 'string' ? Buffer.from(given) : given;
  return { size: bytes.length, read: (start, end) => slices(bytes, start, end) };
};

async function* slices(bytes: Uint8Array, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; at += 1 << 18) yield bytes.subarray(at, Math.min(at + (1 << 18), end));
}

/** The tree of a branch, a tag, `HEAD`, or a commit of at least seven digits. */
export const findTree = (repo: StoredRepo, revision: string): Tree | undefined => {
  const name = revision === 'HEAD' ? 'main' : revision.replace(/^refs\/heads\//, '');
  const byCommit = [...repo.refs.values()].find((tree) => revision.length >= 7 && tree.sha.startsWith(revision));
  return repo.refs.get(name) ?? byCommit;
};

/** Every folder of a tree with an id. */
export const foldersOf = (tree: Tree): Map<string, string> => {
  const folders = new Map<string, string>();
  for (const path of tree.files.keys()) {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, index) => {
      const folder = parts.slice(0, index + 1).join('/');
      folders.set(folder, createHash('sha1').update(`tree ${folder} ${tree.sha}`).digest('hex'));
    });
  }
  return folders;
};
