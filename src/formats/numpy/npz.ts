import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { joinMember, type Together } from '../archive/together.ts';
import {
  CONTENTS,
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  type Plan,
  type PlanStorage,
  printable,
} from '../format.ts';
import { readNpyHeader } from '../npy.ts';
import { readZipDirectory, type ZipDirectory, type ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { judgeDirectory } from '../zip/plain.ts';
import { zipRole } from '../zip/recognise.ts';
import { planArray } from './npy-plan.ts';

const FORMAT = 'npz';
const SUFFIX = '.npy';

/** What `numpy.savez` writes: a zip of arrays. */
export const npz: Format = {
  name: FORMAT,
  title: 'NumPy archive',
  recognisedBy: 'A zip all of whose members are named *.npy.',
  checks: 'The zip is strict; every member is inspected as an array, arrays of objects as the pickles that they are.',
  references: ['numpy/lib/_npyio_impl.py, savez', 'NEP 1', 'CVE-2019-6446'],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    return inspectArrays(directory, context);
  },
};

const inspectArrays = (directory: ZipDirectory, context: Context): Inspection => {
  const { size } = directory.source;
  const storages: PlanStorage[] = [];
  const tensors: Plan['tensors'][number][] = [];
  let refused: string | undefined;
  let all: Together = { content: 'inert', coverage: complete(size) };
  context.budget.spend('steps', directory.members.length);
  for (const member of directory.members) {
    const opened = openMember(directory, member, context, FORMAT);
    if ('unreadable' in opened) {
      const unread = { content: 'unknown' as const, coverage: incomplete('opaque', 0, member.size, opened.unreadable) };
      all = joinMember(all, unread, member.name, size);
      continue;
    }
    all = joinMember(all, context.nested(opened.bytes, member.name), member.name, size);
    const planned = planMember(member, opened.bytes, opened.data);
    if ('refused' in planned) refused ??= `${printable(member.name, 120)}: ${planned.refused}`;
    else {
      tensors.push({ ...planned.tensor, storage: storages.length });
      storages.push(planned.storage);
    }
  }
  const found = { format: FORMAT, ...all, details: { members: directory.members.length } };
  const data = CONTENTS.indexOf(all.content) <= CONTENTS.indexOf('data');
  if (refused !== undefined || !data) return { ...found, notConvertible: refused ?? 'it holds more than arrays' };
  return { ...found, plan: { storages, tensors, dropped: [] } };
};

type PlannedMember = { readonly tensor: Omit<Plan['tensors'][number], 'storage'>; readonly storage: PlanStorage };

const planMember = (
  member: ZipMember,
  bytes: RandomAccess,
  data: number,
): PlannedMember | { readonly refused: string } => {
  try {
    const header = readNpyHeader(bytes, 0);
    const array = planArray(header);
    if ('refused' in array) return array;
    if (header.dataLength === undefined || header.dataOffset + header.dataLength > bytes.size) {
      return { refused: 'the array is cut' };
    }
    return {
      tensor: { name: member.name.slice(0, -SUFFIX.length), ...array.tensor },
      storage: {
        name: member.name,
        offset: data,
        length: member.compressedSize,
        size: member.size,
        method: member.method === 0 ? 'stored' : 'deflated',
        byteOrder: array.byteOrder,
      },
    };
  } catch (error) {
    if (isFault(error)) return { refused: error.message };
    throw error;
  }
};
