import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { createBeside } from '../archive/beside.ts';
import { type Deviation, judgeName, judgePathsThroughLinks, judgeTwins, staysInside } from '../archive/member-names.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Inspection, incomplete, printable, worseContent } from '../format.ts';
import type { Tar, TarMember } from './read.ts';

/** Judges headers, names, links and what follows the end, and inspects every member but those that the caller reads itself. */
export const inspectMembers = (
  source: RandomAccess,
  archive: Tar,
  context: Context,
  own: ReadonlySet<TarMember> = new Set(),
): Together => {
  context.budget.spend('steps', archive.members.length);
  for (const { rule, ...rest } of judgeArchive(archive)) context.report({ rule: `tar.${rule}`, ...rest });
  let together: Together = { content: 'inert', coverage: complete(source.size) };
  const beside = createBeside();
  for (const member of archive.members) {
    if (own.has(member)) continue;
    const inspection = inspectMember(source, member, context);
    const waits = isFile(member) && beside.note(member.name, bytesOf(source, member), inspection);
    if (!waits) together = joinMember(together, inspection, member.name, source.size);
  }
  for (const { name, inspection } of beside.unexplained())
    together = joinMember(together, inspection, name, source.size);
  return judgeRest(source, archive, judgeFault(source, archive, together, context), context);
};

const judgeArchive = ({ members, deviations }: Tar): Deviation[] => {
  const places = members.map(({ name, header }) => ({ name, offset: header }));
  const files = members.filter(({ kind }) => kind !== 'folder').map(({ name, header }) => ({ name, offset: header }));
  const symlinks = new Set(members.filter(({ kind }) => kind === 'symlink').map(({ name }) => name));
  return [
    ...deviations,
    ...places.flatMap(({ name, offset }) => judgeName(name, offset)),
    ...judgeTwins(files),
    ...judgePathsThroughLinks(places, symlinks),
    ...judgeLinks(members),
  ];
};

const judgeLinks = (members: readonly TarMember[]): Deviation[] => {
  const earlier = new Set<string>();
  const found: Deviation[] = [];
  for (const { name, kind, target, header } of members) {
    const evidence = `${printable(name, 95)} -> ${printable(target, 95)}`;
    const odd = (rule: string, severity: Deviation['severity'], message: string) =>
      found.push({ rule, severity, message, offset: header, evidence, refs: ['CWE-59', 'CVE-2025-12060'] });
    if (kind === 'symlink' && !staysInside(name, target))
      odd('link-outside', 'high', 'a symbolic link points out of the archive');
    if (kind === 'hardlink' && !earlier.has(target))
      odd('link-outside', 'high', 'a hard link points to nothing in the archive');
    if (kind === 'special') odd('special-file', 'high', 'a member is a device or a pipe');
    if (kind === 'file') earlier.add(name);
  }
  return found;
};

const isFile = ({ kind }: TarMember): boolean => kind === 'file' || kind === 'unknown';

const bytesOf = (source: RandomAccess, { data, size }: TarMember): RandomAccess => {
  const end = Math.min(source.size, data + size);
  return section(source, Math.min(data, end), end);
};

const inspectMember = (source: RandomAccess, member: TarMember, context: Context): Inspection | Together => {
  if (!isFile(member)) return { content: 'inert', coverage: complete(0) };
  const bytes = bytesOf(source, member);
  const inspection = (context.among ?? context.nested)(bytes, member.name);
  if (bytes.size >= member.size) return inspection;
  context.report({
    rule: 'tar.truncated',
    severity: 'medium',
    message: 'the data of a member are cut',
    offset: member.header,
    evidence: printable(member.name),
  });
  return {
    content: worseContent(inspection.content, 'unknown'),
    coverage: incomplete('partial', 0, member.size, 'the data of a member are cut'),
  };
};

const judgeFault = (source: RandomAccess, { fault }: Tar, together: Together, context: Context): Together => {
  if (fault === undefined) return together;
  const limit = fault.code === 'LIMIT_EXCEEDED';
  const { offset } = fault.details;
  context.report({
    rule: limit ? 'tar.limit' : 'tar.malformed',
    severity: 'medium',
    message: `the archive breaks: ${printable(fault.message)}`,
    offset: typeof offset === 'number' ? offset : 0,
    refs: limit ? ['CWE-400'] : ['CWE-20'],
  });
  return {
    content: worseContent(together.content, 'unknown'),
    coverage: incomplete('partial', 0, source.size, printable(fault.message)),
  };
};

/** Behind the end there may be zeros only: some readers go on there. */
const judgeRest = (source: RandomAccess, { end }: Tar, together: Together, context: Context): Together => {
  const rest = section(source, end, source.size);
  if (rest.size === 0) return together;
  context.report({
    rule: 'tar.after-end',
    severity: 'high',
    message: `${rest.size} bytes follow the end of the archive`,
    offset: end,
    refs: ['CWE-436'],
  });
  return joinMember(together, context.nested(rest, 'after the end'), 'after the end', source.size);
};
