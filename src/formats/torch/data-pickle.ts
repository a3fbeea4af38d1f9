import { type Content, type Context, type Coverage, incomplete, type PlanStorage } from '../format.ts';
import type { PickleOptions } from '../pickle/options.ts';
import { runStreams } from '../pickle/streams.ts';
import type { Value } from '../pickle/values.ts';
import { openMember } from '../zip/member.ts';
import { locateStorage, type TorchArchive } from './archive.ts';
import { collectStorages } from './storages.ts';

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
  const run = runStreams(opened.bytes, 0, {
    context: inner,
    persistent: collected.persistent,
    ...(allow === undefined ? {} : { allow }),
  });
  const { content, value, globals, protocol } = run;
  const storages = new Map([...collected.ids].map(([key, id]) => [key, locateStorage(archive, folder, id, hollow)]));
  return { content, coverage: run.coverage, value, storages, globals, protocol, context: inner };
};
