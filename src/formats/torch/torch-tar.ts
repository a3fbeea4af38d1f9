import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault, type WeighbridgeError } from '../../errors.ts';
import {
  type Content,
  type Context,
  type Format,
  type Inspection,
  incomplete,
  printable,
  worseContent,
} from '../format.ts';
import { runStreams } from '../pickle/streams.ts';
import { countOf, itemsOf, textOf, type Value } from '../pickle/values.ts';
import { windowed } from '../pickle/window.ts';
import { mayBeTarHeader } from '../tar/header.ts';
import { inspectMembers } from '../tar/members.ts';
import { readTar, type Tar } from '../tar/read.ts';
import { bytesOfPart, isTorchTar, PARTS, partsOf, type TorchTarParts } from './tar-parts.ts';
import { readTarStorages, readTarTensors, type TarObjects } from './tar-tables.ts';
import { planFor, together } from './torch-zip.ts';

const FORMAT = 'torch-tar';

/** What `torch.save` wrote before 0.1.10: a tar of a pickle, its tensors and their storages. */
export const torchTar: Format = {
  name: FORMAT,
  title: 'PyTorch checkpoint (tar)',
  recognisedBy:
    'A tar archive that begins with `sys_info`, `pickle`, `storages` or `tensors`, and has each exactly once.',
  checks:
    'All that is checked of a tar; every pickle in the four members runs on the abstract machine; storages and tensors follow their ' +
    'pickles as declared, under keys that differ, and nothing behind them; views lie inside their storages.',
  references: ['torch/serialization.py, _legacy_load', 'CVE-2025-32434', 'CVE-2026-24747'],
  recognise: (head, source) => mayBeTarHeader(head) && isTorchTar(head, source),
  inspect(source, context) {
    const inspection = inspectArchive(source, context);
    const harmless = inspection.content === 'tensors' && inspection.coverage.state === 'complete';
    context.report({
      rule: 'torch.legacy-tar',
      severity: harmless ? 'info' : 'medium',
      message: 'a checkpoint in the tar format from before PyTorch 0.1.10, which bypassed weights_only',
      offset: 0,
      refs: ['CVE-2025-32434'],
    });
    return inspection;
  },
};

const inspectArchive = (source: RandomAccess, context: Context): Inspection => {
  const archive = readTar(source);
  const parts = partsOf(archive);
  if (parts === undefined)
    return { ...asTar(source, archive, context), notConvertible: 'its members are not as torch writes them' };
  const seen: Seen = { content: 'tensors' };
  try {
    return inspectCheckpoint(windowed(source), archive, parts, context, seen);
  } catch (error) {
    if (!isFault(error)) throw error;
    return broken(source, archive, error, context, seen);
  }
};

/** The worst content of the pickles that were run, also of those before one that breaks. */
type Seen = { content: Content };

const inspectCheckpoint = (
  source: RandomAccess,
  archive: Tar,
  parts: TorchTarParts,
  context: Context,
  seen: Seen,
): Inspection => {
  const rest = inspectMembers(source, archive, context, new Set(PARTS.map((name) => parts[name])));
  const within = (name: string): Context => context.inside?.(name) ?? context;
  const worse = (content: Content): void => {
    seen.content = worseContent(seen.content, content);
  };
  worse(rest.content === 'inert' ? 'tensors' : rest.content);
  const storages = readTarStorages(bytesOfPart(source, parts.storages), parts.storages.data, within('storages'), worse);
  const objects = readTarTensors(bytesOfPart(source, parts.tensors), storages, within('tensors'), worse);
  const system = runStreams(bytesOfPart(source, parts.sys_info), 0, { context: within('sys_info') });
  const root = runStreams(bytesOfPart(source, parts.pickle), 0, {
    context: within('pickle'),
    persistent: (id) => objectOf(id, objects),
  });
  for (const { content } of [system, root]) worse(content);
  const coverage = [system, root].reduce((before, run) => together(before, run.coverage, source.size), rest.coverage);
  const found = {
    format: FORMAT,
    coverage,
    details: { storages: storages.places.size, globals: root.globals.slice(0, 64) },
  };
  if (coverage.state !== 'complete')
    return { ...found, content: worseContent(seen.content, 'unknown'), notConvertible: 'a pickle breaks' };
  return { ...found, ...planFor({ value: root.value, storages: storages.places, context }, seen.content) };
};

/**
 * What the loader gives for a persistent id: the object of that key, which may be written as text, or the class of a
 * module, which stands before its source (its name was judged when it was imported).
 */
const objectOf = (id: Value, objects: TarObjects): Value | undefined => {
  const [type, file, text, more] = itemsOf(id) ?? [];
  if (type?.kind === 'global' && file !== undefined && text !== undefined && more === undefined) return type;
  const written = textOf(id);
  const key = written !== undefined && /^\d{1,16}$/.test(written) ? Number(written) : countOf(id);
  return key === undefined ? undefined : objects.get(key);
};

/** Every member is inspected as in any tar, since nobody knows what a loader makes of a broken one. */
const broken = (
  source: RandomAccess,
  archive: Tar,
  fault: WeighbridgeError,
  context: Context,
  { content }: Seen,
): Inspection => {
  const { offset } = fault.details;
  context.report({
    rule: `${FORMAT}.storages`,
    severity: 'high',
    message: printable(fault.message),
    offset: typeof offset === 'number' ? offset : 0,
    refs: ['CWE-20'],
  });
  const members = asTar(source, archive, context);
  return {
    ...members,
    content: worseContent(members.content, content),
    coverage: incomplete('partial', 0, source.size, printable(fault.message)),
    notConvertible: 'its storages are not as its pickles say',
  };
};

const asTar = (source: RandomAccess, archive: Tar, context: Context): Inspection => {
  const found = inspectMembers(source, archive, context);
  return { format: FORMAT, ...found, content: worseContent(found.content, 'unknown') };
};
