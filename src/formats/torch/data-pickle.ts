import { type Content, type Context, type Coverage, incomplete, type PlanStorage, worseContent } from '../format.ts';
import type { PickleOptions } from '../pickle/options.ts';
import { runStreams } from '../pickle/streams.ts';
import { countOf, itemsOf, textOf, type Value } from '../pickle/values.ts';
import { openMember } from '../zip/member.ts';
import { locateStorage, type TorchArchive } from './archive.ts';
import { type Collected, collectStorages } from './storages.ts';

/** What a pickle of a torch archive was found to be, with the storages that it refers to. */
export type DataPickle = {
  readonly content: Content;
  readonly coverage: Coverage;
  readonly value: Value | undefined;
  readonly storages: ReadonlyMap<string, PlanStorage | undefined>;
  readonly globals: readonly string[];
  readonly protocol: number;
  /** Where its findings are recorded. */
  readonly context: Context;
};

/**
 * Runs the pickle `name` of the archive, whose storages are the members of `folder`; with `hollow`, they may have been
 * written without their bytes.
 */
export const readDataPickle = (
  archive: TorchArchive,
  name: string,
  folder: string,
  allow?: PickleOptions['allow'],
  hollow = false,
): DataPickle => {
  const { directory, context, format } = archive;
  const { size } = directory.source;
  const nothing = { storages: new Map(), globals: [], protocol: 0, value: undefined, content: 'unknown' as const };
  const member = archive.find(name);
  if (member === undefined)
    return { ...nothing, coverage: incomplete('opaque', 0, size, `there is no ${name}`), context };
  const opened = openMember(directory, member, context, format);
  if ('unreadable' in opened)
    return { ...nothing, coverage: incomplete('opaque', 0, size, opened.unreadable), context };
  const inner = context.inside?.(member.name) ?? context;
  const collected = collectStorages(inner);
  const made = { byFunction: false };
  const persistent = archive.suffix === '' ? collected.persistent : ofPackage(collected.persistent, made, inner);
  const run = runStreams(opened.bytes, 0, {
    context: inner,
    persistent,
    ...(allow === undefined ? {} : { allow }),
  });
  const { value, globals, protocol } = run;
  const content = made.byFunction ? worseContent(run.content, 'unknown') : run.content;
  const storages = new Map([...collected.ids].map(([key, id]) => [key, locateStorage(archive, folder, id, hollow)]));
  return { content, coverage: run.coverage, value, storages, globals, protocol, context: inner };
};

/**
 * Persistent ids of `torch.package` (`PackageExporter._persistent_id`): keys of storages are numbers there, and an object may
 * be what a function makes of the package itself (`reduce_package`), which nothing read from the file can vouch for.
 */
const ofPackage =
  (persistent: Collected['persistent'], made: { byFunction: boolean }, context: Context) =>
  (id: Value, offset: number): Value | undefined => {
    const items = itemsOf(id) ?? [];
    const [tag, type, key, ...rest] = items;
    if (textOf(tag) === 'reduce_package') {
      made.byFunction = true;
      context.report({
        rule: 'torch-package.reduce',
        severity: 'high',
        message: 'an object of the package is made by a function that its pickle chooses',
        offset,
        refs: ['CWE-502', 'CWE-829'],
      });
      return { kind: 'opaque', what: 'reduce_package', offset };
    }
    const number = countOf(key);
    if (id.kind !== 'tuple' || tag === undefined || type === undefined || number === undefined)
      return persistent(id, offset);
    const named: Value = { kind: 'str', text: String(number), whole: true };
    return persistent({ kind: 'tuple', items: [tag, type, named, ...rest] }, offset);
  };
