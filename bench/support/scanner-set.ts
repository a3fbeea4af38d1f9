import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { samples } from '../../test/formats/samples/index.ts';
import { attack, calls, containers, gadgets, protocols } from '../../test/support/attack-matrix.ts';
import { cacheFolder } from './files.ts';

/**
 * A file for the scanners and what it is: an `attack` calls a name that published attacks use; a `broken` file must not
 * pass for another reason (it runs code, hides something, lies about itself); a `benign` one must.
 */
export type Labelled = { readonly path: string; readonly label: 'benign' | 'attack' | 'broken'; readonly what: string };

/** Endings that files of a format have in the wild: some scanners go by them. Others are called `.bin`. */
const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/^torch/, 'pt'],
  [/^pickle/, 'pkl'],
  [/^hdf5/, 'h5'],
  [/^saved-model|^graph-def/, 'pb'],
  [/^(meta-graph)/, 'meta'],
  [/^python-source|^script/, 'py'],
  [/^(json)-?lines|^jsonl/, 'jsonl'],
  [/^gzip/, 'gz'],
  [/^bzip2/, 'bz2'],
  [/^zstd/, 'zst'],
  [/^openvino|^pmml|^xml/, 'xml'],
  [/^(text|pointer|template)/, 'txt'],
  [/^(keras-metadata|fingerprint)/, 'pb'],
  [/^xgboost/, 'ubj'],
  [/^flax/, 'msgpack'],
  [
    /^(joblib|safetensors|gguf|ggml|npy|npz|keras|skops|onnx|tflite|zip|tar|json|parquet|arrow|sqlite|png|jpeg|gif|pdf|mat|rds|xz|lz4|zlib|faiss|t7|html)/,
    '',
  ],
];

const endingOf = (format: string): string => {
  const [, ending] = ENDINGS.find(([pattern]) => pattern.test(format)) ?? [undefined, 'bin'];
  return ending === '' ? (format.split('-')[0] ?? 'bin') : ending;
};

const CONTAINER_ENDINGS: Readonly<Record<string, string>> = {
  pickle: 'pkl',
  'a second stream': 'pkl',
  'a stream that breaks off': 'pkl',
  'a zip': 'zip',
  'a zip in a zip': 'zip',
  tar: 'tar',
  'tar and gzip': 'tar.gz',
  gzip: 'joblib',
  zlib: 'joblib',
  zstd: 'zst',
  lz4: 'joblib',
  npy: 'npy',
  npz: 'npz',
};

/** Every sample of every format, and a part of the matrix of attacks, written into a folder of their own. */
export const scannerSet = (): readonly Labelled[] => {
  const folder = cacheFolder('scanners');
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  const files: Labelled[] = [];
  const write = (label: Labelled['label'], what: string, ending: string, bytes: Uint8Array): void => {
    const path = join(folder, `${files.length}.${ending}`);
    writeFileSync(path, bytes);
    files.push({ path, label, what });
  };
  for (const { format, accept, reject } of samples) {
    for (const [name, make] of Object.entries(accept)) write('benign', `${format}: ${name}`, endingOf(format), make());
    for (const [name, make] of Object.entries(reject)) write('broken', `${format}: ${name}`, endingOf(format), make());
  }
  for (const { what, container, bytes } of attacks()) {
    write('attack', what, CONTAINER_ENDINGS[container] ?? 'pt', bytes);
  }
  return files;
};

/** Each gadget as a pickle and in a torch zip, the opcodes and protocols taking turns; each opcode in each container. */
function* attacks(): Generator<{ what: string; container: string; bytes: Uint8Array }> {
  const forms = Object.entries(calls);
  let turn = 0;
  const cell = (gadget: (typeof gadgets)[number], at: number, container: string) => {
    const [form, call] =
      forms[at % forms.length] ??
      (() => {
        throw new Error('no forms');
      })();
    const wrap = containers[container];
    const protocol = protocols[turn++ % protocols.length];
    if (wrap === undefined || protocol === undefined) throw new Error(`no container ${container}`);
    const what = `${gadget.module} ${gadget.name} by ${form} in ${container}, protocol ${protocol}`;
    return { what, container, bytes: attack(gadget, call, wrap, protocol) };
  };
  for (const container of ['pickle', 'a torch zip'])
    for (const [index, gadget] of gadgets.entries()) yield cell(gadget, index, container);
  for (const container of Object.keys(containers))
    for (const at of forms.keys()) yield cell({ module: 'os', name: 'system' }, at, container);
}
