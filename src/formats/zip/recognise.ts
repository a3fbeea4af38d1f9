import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { rememberLast } from '../last-answer.ts';
import { isTarHeader } from '../tar/header.ts';
import { isTflite } from '../tflite/identifier.ts';
import { archivesIn } from './back-to-back.ts';
import { readZipDirectory, type ZipDirectory } from './directory.ts';
import { hasEndRecord } from './end-record.ts';

/**
 * True when a reader would open `source` as a zip: it begins with a local header or an end record, or has an end record in
 * its tail (readers search from the end). A tar whose last member is a zip is left to the tar: that member is inspected
 * by itself. A TensorFlow Lite model may have a zip of label files behind it, which its own format inspects.
 */
export const looksLikeZip = (head: Uint8Array, source: RandomAccess): boolean => {
  const [a, b, c, d] = head;
  if (a === 0x50 && b === 0x4b && ((c === 3 && d === 4) || (c === 5 && d === 6))) return true;
  return !isTarHeader(head) && !isTflite(head) && hasEndRecord(source);
};

/** What the members of a zip say it is. */
export type ZipRole =
  | 'torch-zip'
  | 'torch-distcp'
  | 'torch-package'
  | 'torchscript'
  | 'npz'
  | 'keras'
  | 'torch-export'
  | 'h2o-mojo'
  | 'zip';

const readRole = (head: Uint8Array, source: RandomAccess): ZipRole | undefined => {
  if (!looksLikeZip(head, source)) return undefined;
  try {
    const directory = readZipDirectory(source);
    const role = roleOf(directory);
    return role === 'torch-zip' && isOneOfMany(directory, source) ? 'torch-distcp' : role;
  } catch (error) {
    if (isFault(error)) return 'zip';
    throw error;
  }
};

/** What was told of an archive: it is asked again when its members have been, and the answer may take a long directory. */
const known = new WeakMap<RandomAccess, ZipRole>();

/** The role of the archive in `source`; a directory that cannot be read makes it a plain zip, whose inspection says why. */
export const zipRole = rememberLast((head, source): ZipRole | undefined => {
  const role = known.get(source) ?? readRole(head, source);
  if (role !== undefined) known.set(source, role);
  return role;
});

/** True when the archive that readers find is the last of several that fill the file. */
const isOneOfMany = ({ deviations }: ZipDirectory, source: RandomAccess): boolean =>
  deviations.some(({ rule }) => rule === 'prefix-bytes') && (archivesIn(source)?.length ?? 0) > 1;

/** Torch takes the folder of the first member as the archive's name (`PyTorchStreamReader::init`). */
export const torchRoot = (directory: ZipDirectory): string => {
  const first = directory.members[0]?.name ?? '';
  return first.slice(0, Math.max(0, first.indexOf('/')));
};

const roleOf = (directory: ZipDirectory): ZipRole => {
  const { members } = directory;
  const root = torchRoot(directory);
  const has = (name: string) => members.some((member) => member.name === `${root}/${name}`);
  if (root !== '' && has('data.pkl')) {
    const script = has('constants.pkl') || members.some(({ name }) => name.startsWith(`${root}/code/`));
    return script ? 'torchscript' : 'torch-zip';
  }
  if (root !== '' && has('.data/extern_modules')) return 'torch-package';
  if (root !== '' && has('constants.pkl') && has('version')) return 'torchscript';
  if (isExported(directory)) return 'torch-export';
  if (isKeras(directory)) return 'keras';
  if (isMojo(directory)) return 'h2o-mojo';
  return members.length > 0 && members.every(({ name }) => name.endsWith('.npy')) ? 'npz' : 'zip';
};

/** A program of `torch.export`: newer archives say so in a record of their folder, older ones by the name of the program. */
export const isExported = ({ members }: ZipDirectory): boolean =>
  members.some(({ name }) => /^(?:[^/]{1,200}\/)?(?:archive_format|serialized_exported_program\.json)$/.test(name));

/** Keras opens `config.json` and the weights beside it, in the root of the archive. */
const isKeras = ({ members }: ZipDirectory): boolean =>
  members.some(({ name }) => name === 'config.json') &&
  members.some(({ name }) => /^(?:metadata\.json|model\.weights\.(?:h5|npz|json))$/.test(name));

/** H2O's scoring library opens `model.ini` in the root of the archive; any other program may have a file of that name. */
const isMojo = ({ members }: ZipDirectory): boolean =>
  members.some(({ name }) => name === 'model.ini') &&
  members.some(({ name }) => /^(?:domains|trees|experimental)\//.test(name));
