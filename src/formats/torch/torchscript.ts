import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Content, complete, type Format, type Inspection, incomplete, worseContent } from '../format.ts';
import { readZipDirectory } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { judgeDirectory } from '../zip/plain.ts';
import { torchRoot, zipRole } from '../zip/recognise.ts';
import { inspectExtras, openTorchArchive, type TorchArchive } from './archive.ts';
import { type DataPickle, readDataPickle } from './data-pickle.ts';
import { isMobile, readMobile } from './mobile.ts';
import { judgeScript } from './script-code.ts';
import { storageNames, together } from './torch-zip.ts';

const FORMAT = 'torchscript';
/** Bytes of one source file; the largest traced models have a few MiB. */
const SOURCE_LIMIT = 32 * 1024 * 1024;

/** A module with its code, written by `torch.jit.save`. */
export const torchscript: Format = {
  name: FORMAT,
  title: 'TorchScript archive',
  recognisedBy: 'A zip whose first folder holds data.pkl, and constants.pkl or code.',
  checks:
    'As for checkpoints; classes of the archive may be named by its pickles; all source is read, every operator in it must be on the ' +
    'list of those that only compute, and every name its own. Bytecode for the lite interpreter of mobile devices (.ptl) is held to the same operators and named: that ' +
    'interpreter follows its registers and jumps unchecked, so no such file passes by itself.',
  references: [
    'torch/csrc/jit/serialization/export_module.cpp',
    'torch/csrc/jit/docs/serialization.md',
    'CVE-2025-32434',
  ],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    return inspectModule(openTorchArchive(directory, context, FORMAT));
  },
};

/** Helpers that the pickler of TorchScript names (torch/jit/_pickle.py). */
const HELPERS = new Set([
  'build_intlist',
  'build_tensorlist',
  'build_doublelist',
  'build_boollist',
  'build_tensor_from_id',
  'restore_type_tag',
]);

/** Names that are harmless in this archive only: they stand for its own classes, which its own code defines. */
const allow = (module: string, name: string): Content | undefined => {
  if (module === '__torch__' || module.startsWith('__torch__.')) {
    return /^__torch__\.torch\.classes\.(?!quantized\b|rnn\b|sparse\b)/.test(`${module}.`) ? undefined : 'code';
  }
  return module === 'torch.jit._pickle' && HELPERS.has(name) ? 'code' : undefined;
};

/** Inputs that the model was traced with: types and shapes, since the bytes of their storages are left out. */
const EXAMPLES = 'traced_inputs';
/** The pickles of an archive; the storages of each are in the folder of its name. */
const PICKLES = ['data', 'constants', EXAMPLES];

const isWritten = (name: string): boolean =>
  name.startsWith('code/') || isMobile(name) || PICKLES.some((pickle) => name === `${pickle}.pkl`);

const inspectModule = (archive: TorchArchive): Inspection => {
  const { directory } = archive;
  const { size } = directory.source;
  const own = PICKLES.filter((name) => name === 'data' || archive.find(`${name}.pkl`) !== undefined).map(
    (name) => [readDataPickle(archive, `${name}.pkl`, name, allow, name === EXAMPLES), name] as const,
  );
  const pickles: readonly (readonly [DataPickle, string])[] = [...own, ...readMobile(archive, allow)];
  const used = new Set(pickles.flatMap(([pickle, folder]) => [...storageNames(pickle, folder)]));
  const code = inspectCode(archive);
  const extras = inspectExtras(archive, used, isWritten);
  let all: Together = { content: 'code', coverage: complete(size) };
  for (const [pickle, folder] of pickles) {
    const content = isPlain(pickle.content) ? 'code' : pickle.content;
    all = joinMember(all, { content, coverage: together(pickle.coverage, complete(size), size) }, folder, size);
  }
  for (const part of [code, extras]) all = joinMember(all, part, 'members', size);
  return {
    format: FORMAT,
    ...all,
    notConvertible: 'a TorchScript module is code with weights, not a state dict',
    details: { globals: pickles.flatMap(([{ globals }]) => globals).slice(0, 64) },
  };
};

const isPlain = (content: Content): boolean => content === 'tensors' || content === 'data' || content === 'inert';

/** Judges everything under `code/`: source files, and the pickles that map it to the original source. */
const inspectCode = (archive: TorchArchive): Together => {
  const { directory, context, format } = archive;
  const root = torchRoot(directory);
  const prefix = `${root}/code/`;
  let all: Together = { content: 'code', coverage: complete(directory.source.size) };
  for (const member of directory.members) {
    if (!member.name.startsWith(prefix)) continue;
    const name = member.name.slice(root.length + 1);
    if (name.endsWith('.debug_pkl')) {
      const { content, coverage } = readDataPickle(archive, name, 'data', allow);
      all = joinMember(all, { content: isPlain(content) ? 'code' : content, coverage }, name, directory.source.size);
      continue;
    }
    const opened = openMember(directory, member, context, format);
    if ('unreadable' in opened) {
      const coverage = incomplete('opaque', 0, member.size, opened.unreadable);
      all = joinMember(all, { content: 'unknown', coverage }, name, directory.source.size);
      continue;
    }
    if (name.endsWith('.py'))
      all = joinMember(all, inspectSource(archive, opened.bytes, member.name), name, directory.source.size);
    else all = joinMember(all, context.nested(opened.bytes, member.name), name, directory.source.size);
  }
  return all;
};

const inspectSource = ({ context }: TorchArchive, bytes: RandomAccess, name: string): Together => {
  const unread = (reason: string): Together => ({
    content: 'unknown',
    coverage: incomplete('opaque', 0, bytes.size, reason),
  });
  if (bytes.size > SOURCE_LIMIT) return unread(`source of over ${SOURCE_LIMIT} bytes`);
  let text: string;
  try {
    text = decodeUtf8(bytes.read(0, bytes.size));
  } catch {
    return unread('source that is not UTF-8');
  }
  context.budget.spend('steps', Math.ceil(text.length / 8));
  const clean = judgeScript(text, context.inside?.(name) ?? context);
  return { content: clean ? 'code' : worseContent('code', 'unknown'), coverage: complete(bytes.size) };
};
