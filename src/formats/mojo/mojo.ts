import { isFault } from '../../errors.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, type Inspection, incomplete, printable } from '../format.ts';
import { readZipDirectory, type ZipDirectory, type ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { inspectMember, judgeDirectory } from '../zip/plain.ts';
import { zipRole } from '../zip/recognise.ts';
import { createBlobs } from './blobs.ts';
import { type Model, readModels } from './models.ts';

const FORMAT = 'h2o-mojo';

/** Models that H2O exports for its scoring library (hex/genmodel): `model.ini`, lists of categories, trees and numbers. */
export const h2oMojo: Format = {
  name: FORMAT,
  title: 'H2O model (MOJO)',
  recognisedBy: 'a zip with `model.ini` in its root and a folder `domains`, `trees` or `experimental`',
  checks:
    'the zip is strict; the algorithm is one whose reader only computes; the models that a model is made of, and the files that they name, are in the archive; every tree is walked to its last byte, its columns exist; numbers have the size that the model says; every other member is inspected',
  references: [
    'https://docs.h2o.ai/h2o/latest-stable/h2o-docs/mojo-capabilities.html',
    'hex/genmodel/ModelMojoReader.java',
    'hex/genmodel/algos/tree/SharedTreeMojoModel.java',
    'CWE-125',
  ],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context): Inspection {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    context.budget.spend('steps', directory.members.length);
    const models = modelsIn(directory, context);
    const readBlob = createBlobs(context.budget);
    let all: Together = { content: models.size === 0 ? 'unknown' : 'inert', coverage: complete(source.size) };
    for (const member of treesFirst(directory.members)) {
      const found = inspectPart(directory, member, ownerOf(models, member.name), readBlob, context);
      all = joinMember(all, found, member.name, source.size);
    }
    const algorithms = [...new Set([...models.values()].map(({ algorithm }) => algorithm))];
    return { format: FORMAT, ...all, details: { members: directory.members.length, algorithms } };
  },
};

/** The models of the archive by their folders; none, with a finding, when they are not as they must be. */
const modelsIn = (directory: ZipDirectory, context: Context): ReadonlyMap<string, Model> => {
  try {
    return readModels(directory, context);
  } catch (error) {
    if (!isFault(error) || error.code === 'LIMIT_EXCEEDED') throw error;
    const { offset = 0 } = error.details;
    context.report({
      rule: `${FORMAT}.model`,
      severity: 'medium',
      message: printable(error.message),
      offset: typeof offset === 'number' ? offset : 0,
    });
    return new Map();
  }
};

/** What is told of a tree's nodes can be checked when the tree was walked. */
const treesFirst = (members: readonly ZipMember[]): readonly ZipMember[] => [
  ...members.filter(({ name }) => !name.endsWith('_aux.bin')),
  ...members.filter(({ name }) => name.endsWith('_aux.bin')),
];

/** The innermost model in whose folder a member lies. */
const ownerOf = (models: ReadonlyMap<string, Model>, name: string): Model | undefined => {
  for (let end = name.lastIndexOf('/'); end >= 0; end = name.lastIndexOf('/', end - 1)) {
    const model = models.get(name.slice(0, end + 1));
    if (model !== undefined || end === 0) return model;
  }
  return models.get('');
};

/** Inspects a member as the reader of its model reads it, and as anyone would when it has a mark of its own. */
const inspectPart = (
  directory: ZipDirectory,
  member: ZipMember,
  model: Model | undefined,
  read: ReturnType<typeof createBlobs>,
  context: Context,
): Inspection | Together => {
  if (member.kind !== 'file' || model === undefined) return inspectMember(directory, member, context, FORMAT);
  const opened = openMember(directory, member, context, FORMAT);
  if ('unreadable' in opened)
    return { content: 'unknown', coverage: incomplete('opaque', 0, member.size, opened.unreadable) };
  try {
    if (read(opened.bytes, member.name.slice(model.prefix.length), model))
      return { content: 'inert', coverage: complete(member.size) };
  } catch (error) {
    if (!isFault(error) || error.code === 'LIMIT_EXCEEDED') throw error;
    const tree = member.name.endsWith('.bin');
    context.report({
      rule: tree ? `${FORMAT}.tree` : `${FORMAT}.numbers`,
      severity: tree ? 'high' : 'medium',
      message: printable(error.message),
      offset: member.localHeader,
      evidence: printable(member.name),
    });
  }
  return context.nested(opened.bytes, member.name);
};
