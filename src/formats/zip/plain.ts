import { latin1 } from '../../bytes/latin1.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { judgePathsThroughLinks, staysInside } from '../archive/member-names.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Inspection, incomplete, printable } from '../format.ts';
import { reportDeviations, type ZipDirectory, type ZipMember } from './directory.ts';
import { openMember } from './member.ts';

/** Bytes of a symbolic link's target (PATH_MAX). */
const TARGET_LIMIT = 4096;

/** Inspects every member of an archive, whatever its name says, and gives the worst of what they are. */
export const inspectMembers = (
  directory: ZipDirectory,
  context: Context,
  format: string,
  members = directory.members,
): Together => {
  const { size } = directory.source;
  context.budget.spend('steps', members.length);
  let together: Together = { content: 'inert', coverage: complete(size) };
  for (const member of members) {
    together = joinMember(together, inspectMember(directory, member, context, format), member.name, size);
  }
  return together;
};

const unreadable = (size: number, reason: string): Together => ({
  content: 'unknown',
  coverage: incomplete('opaque', 0, size, reason),
});

/** Inspects one member as every loader that could open it. */
export const inspectMember = (
  directory: ZipDirectory,
  member: ZipMember,
  context: Context,
  format: string,
): Inspection | Together => {
  const opened = openMember(directory, member, context, format);
  if ('unreadable' in opened) return unreadable(member.size, opened.unreadable);
  if (member.kind === 'link') return judgeLink(member, opened.bytes, context, format);
  if (member.kind === 'special') {
    context.report({
      rule: `${format}.special-file`,
      severity: 'high',
      message: 'a member is a device, a pipe or a socket',
      offset: member.entry,
      evidence: printable(member.name),
      refs: ['CWE-59'],
    });
  }
  return context.nested(opened.bytes, member.name);
};

const judgeLink = (member: ZipMember, bytes: RandomAccess, context: Context, format: string): Together => {
  const target = latin1(bytes.read(0, Math.min(bytes.size, TARGET_LIMIT)));
  const inside = bytes.size <= TARGET_LIMIT && staysInside(member.name, target);
  context.report({
    rule: inside ? `${format}.link` : `${format}.link-outside`,
    severity: inside ? 'info' : 'high',
    message: inside ? 'a member is a symbolic link' : 'a symbolic link points out of the archive',
    offset: member.entry,
    evidence: `${printable(member.name, 95)} -> ${printable(target, 95)}`,
    refs: ['CWE-59', 'CVE-2025-12060'],
  });
  return { content: 'inert', coverage: complete(bytes.size) };
};

/** Reports what is wrong with the archive as a whole. */
export const judgeDirectory = (directory: ZipDirectory, context: Context, format: string): void => {
  reportDeviations(directory.deviations, context, format);
  const links = new Set(directory.members.filter(({ kind }) => kind === 'link').map(({ name }) => name));
  const places = directory.members.map(({ name, entry }) => ({ name, offset: entry }));
  reportDeviations(judgePathsThroughLinks(places, links), context, format);
};
