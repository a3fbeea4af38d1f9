import { MIB } from '../../bytes/limits.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault } from '../../errors.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, incomplete, printable } from '../format.ts';
import { parseJson } from '../json/parse.ts';
import { readZipDirectory, type ZipDirectory, type ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { inspectMember, judgeDirectory } from '../zip/plain.ts';
import { zipRole } from '../zip/recognise.ts';
import { isArchitecture } from './config.ts';

const FORMAT = 'keras';
/** Bytes of an architecture: the largest have some ten megabytes. */
const CONFIG = 64 * MIB;
/** Members that Keras writes: architecture, facts, weights (whole, in shards, as arrays), and the assets of layers. */
const OWN =
  /^(?:config\.json|metadata\.json|model\.weights\.(?:h5|npz|json)|model\.weights_\d{5}\.h5|model_\d{5}\.weights\.h5|assets\/.*|_layer_checkpoint_dependencies\/.*)$/;

/**
 * Keras 3 (`.keras`, keras/src/saving/saving_lib.py): a zip of `config.json` (the architecture: modules, classes and their
 * configurations), `metadata.json` (version and date), `model.weights.h5` (HDF5) and `assets/`. Loading imports and calls
 * what the architecture names, reads the weights with the HDF5 library and lets layers read their assets.
 */
export const kerasArchive: Format = {
  name: FORMAT,
  title: 'Keras model (zip)',
  recognisedBy: 'a zip with config.json and metadata.json or model.weights.h5 in its root',
  checks:
    'the zip is strict; the architecture names only modules, classes and functions of Keras that compute; weights are inspected as HDF5; ' +
    'every other member by itself, and nothing belongs there but assets',
  references: [
    'keras/src/saving/saving_lib.py',
    'CVE-2024-3660',
    'CVE-2025-1550',
    'CVE-2025-8747',
    'CVE-2025-9906',
    'CVE-2025-12058',
    'CVE-2025-49655',
  ],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    context.budget.spend('steps', directory.members.length);
    let all: Together = { content: 'inert', coverage: complete(source.size) };
    for (const member of directory.members) {
      const found = inspectMember(directory, member, context, FORMAT);
      all = joinMember(all, found, member.name, source.size);
      if (member.kind !== 'folder' && !OWN.test(member.name)) reportExtra(context, member, found);
      if (member.name === 'config.json')
        all = joinMember(all, checkConfig(directory, member, context), member.name, source.size);
    }
    return { format: FORMAT, ...all, details: { members: directory.members.length } };
  },
};

const reportExtra = (context: Context, member: ZipMember, { content }: Together): void =>
  context.report({
    rule: 'keras.extra-member',
    severity: content === 'inert' ? 'low' : 'medium',
    message: 'the archive holds a member that Keras does not write',
    offset: member.entry,
    evidence: printable(member.name),
    refs: ['CWE-506'],
  });

/** The JSON itself is judged as a member; here only that it is what Keras makes a model of. */
const checkConfig = (directory: ZipDirectory, member: ZipMember, context: Context): Together => {
  const opened = openMember(directory, member, { ...context, report: () => undefined }, FORMAT);
  const reason =
    'unreadable' in opened ? opened.unreadable : problemOf(opened.bytes.read(0, Math.min(CONFIG, opened.bytes.size)));
  if (reason === '') return { content: 'inert', coverage: complete(member.size) };
  return { content: 'inert', coverage: incomplete('partial', 0, member.size, reason) };
};

const problemOf = (bytes: Uint8Array): string => {
  try {
    const { value } = parseJson(decodeUtf8(bytes), { depth: 512, python: true });
    return isArchitecture(value) ? '' : 'it describes no model';
  } catch (error) {
    if (isFault(error)) return error.message;
    throw error;
  }
};
