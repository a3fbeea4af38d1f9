/** How conversions are named, and which files are weights. Names choose what is looked at, never what is let through. */

/** State of a trainer, not weights; nobody needs it to run a model, and it is never converted. */
const TRAINER_STATE =
  /(^|\/)(optimizer|scheduler|rng_state|training_args|scaler|random_states)[^/]*\.(bin|pt|pth|pkl)(\.(gz|bz2|xz|zst|lz4|lzma|zlib))?$/;

/** As torch writes them, by themselves or compressed as a whole. */
const PICKLED = /\.(bin|pt|pth|ckpt)(\.(gz|bz2|xz|zst|lz4|lzma|zlib))?$/;

/** Files that loaders take for weights; a repo in which none of these is acceptable is refused as a whole. */
const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|gguf|ggml|onnx|h5|keras|msgpack|tflite|pb|ot|pkl|pickle|joblib|npz|npy|mlmodel)$/;

/** Files whose rows may be left out: tables and lists of records. */
const ROWS = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet)$/i;

/** True for files that loaders read row by row. */
export const mayHoldRows = (path: string): boolean => ROWS.test(path);

/** True for the card of a repo of datasets. */
export const isCard = ({ repo }: { readonly repo: string }, path: string): boolean =>
  path === 'README.md' && repo.startsWith('datasets/');

/** True for files in the places where trainers leave their state. */
export const isTrainerState = (path: string): boolean => TRAINER_STATE.test(path);

/** True for files that a loader may take for model weights. */
export const isWeights = (path: string): boolean => WEIGHTS.test(path) && !isTrainerState(path);

/**
 * The path under which a pickled checkpoint is offered once it is converted, as `transformers`, `peft` and `diffusers`
 * look for it; undefined for a path that is never converted.
 */
export const convertedPath = (path: string): string | undefined => {
  if (isTrainerState(path) || !PICKLED.test(path)) return undefined;
  const slash = path.lastIndexOf('/') + 1;
  const folder = path.slice(0, slash);
  const stem = path.slice(slash).replace(PICKLED, '');
  const renamed = stem.startsWith('pytorch_model') ? `model${stem.slice('pytorch_model'.length)}` : stem;
  return `${folder}${renamed}.safetensors`;
};

const PICKLE_INDEX = /^(?<folder>(?:.*\/)?)(?<stem>[^/]*)\.bin\.index(?<variant>(?:\.[^/.]+)?)\.json$/;

/** The path of a safetensors shard index in the place of a pickle shard index; undefined for any other path. */
export const convertedIndexPath = (path: string): string | undefined => {
  const groups = PICKLE_INDEX.exec(path)?.groups;
  if (groups === undefined) return undefined;
  const stem = (groups['stem'] ?? '').replace(/^pytorch_model/, 'model');
  return `${groups['folder']}${stem}.safetensors.index${groups['variant']}.json`;
};

/**
 * The safetensors file of the repo that already holds what this checkpoint holds: the same name converted, or, for the
 * main checkpoint, one file or index of the whole model. Then nothing is converted.
 */
export const supersededBy = (path: string, has: (path: string) => boolean): string | undefined => {
  const converted = convertedPath(path);
  if (converted === undefined || has(converted)) return converted;
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  if (!/^pytorch_model(-\d+-of-\d+)?\.bin$/.test(path.slice(folder.length))) return undefined;
  return [`${folder}model.safetensors`, `${folder}model.safetensors.index.json`].find(has);
};
