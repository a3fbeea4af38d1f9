import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { type Deviation, judgeName, judgePathsThroughLinks, judgeTwins, staysInside } from '../archive/member-names.ts';
import { joinMember, type Together } from '../archive/together.ts';
import {
  type Context,
  complete,
  type Format,
  type Inspection,
  incomplete,
  printable,
  worseContent,
} from '../format.ts';
import { mayBeTarHeader } from './header.ts';
import { readTar, type Tar, type TarMember } from './read.ts';

const LEGACY_TORCH = ['sys_info', 'pickle', 'storages', 'tensors'];

/** A tar archive, of data (webdataset shards), of a model directory, or PyTorch's format from before 0.1.10. */
export const tar: Format = {
  name: 'tar',
  title: 'Tar archive',
  recognisedBy: 'The checksum of the first header block, as the most lenient reader counts it.',
  checks:
    'POSIX ustar, pax and GNU long names only; checksums and sizes; names stay inside and differ; links stay inside; extended ' +
    'headers agree with headers; nothing behind the end; every member is inspected.',
  references: ['POSIX.1-2017, pax', 'GNU tar manual, Basic Tar Format', 'CVE-2025-12060', 'CVE-2025-32434'],
  recognise: (head) => mayBeTarHeader(head),
  inspect(source, context) {
    const archive = readTar(source);
    context.budget.spend('steps', archive.members.length);
    for (const { rule, ...rest } of judgeArchive(archive)) context.report({ rule: `tar.${rule}`, ...rest });
    let together: Together = { content: 'inert', coverage: complete(source.size) };
    for (const member of archive.members) {
      together = joinMember(together, inspectMember(source, member, context), member.name, source.size);
    }
    together = judgeRest(source, archive, judgeFault(source, archive, together, context), context);
    return judgeLegacyTorch(
      archive,
      { format: 'tar', ...together, details: { members: archive.members.length } },
      context,
    );
  },
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

const inspectMember = (source: RandomAccess, member: TarMember, context: Context): Inspection | Together => {
  if (member.kind !== 'file' && member.kind !== 'unknown') return { content: 'inert', coverage: complete(0) };
  const end = Math.min(source.size, member.data + member.size);
  const inspection = context.nested(section(source, Math.min(member.data, end), end), member.name);
  if (end - member.data >= member.size) return inspection;
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

const judgeLegacyTorch = (archive: Tar, inspection: Inspection, context: Context): Inspection => {
  const names = archive.members.map(({ name }) => name.replace(/^\.\//, ''));
  if (!LEGACY_TORCH.every((name) => names.includes(name))) return inspection;
  const message = 'a checkpoint in the tar format from before PyTorch 0.1.10, which bypassed weights_only';
  context.report({ rule: 'torch.legacy-tar', severity: 'medium', message, offset: 0, refs: ['CVE-2025-32434'] });
  return { ...inspection, content: worseContent(inspection.content, 'unknown'), notConvertible: message };
};
