import type { Format } from '../format.ts';
import { readZipDirectory } from './directory.ts';
import { inspectMembers, judgeDirectory } from './plain.ts';
import { zipRole } from './recognise.ts';

/** An archive that is none of the formats built on zip: as harmless as its worst member. */
export const zip: Format = {
  name: 'zip',
  title: 'Zip archive',
  recognisedBy:
    'A local header or an end record at the start, or an end record in the last 64 KiB that leads to a directory.',
  checks:
    'Exactly one end record, at the end; directory and local headers agree; records follow each other without gap or overlap; ' +
    'names stay inside and differ; checksums, sizes and ratios are right; every member is inspected.',
  references: ['PKWARE APPNOTE 6.3.10', 'CVE-2025-1944', 'CVE-2025-1945', 'CVE-2025-10156', 'CVE-2025-12060'],
  recognise: (head, source) => zipRole(head, source) === 'zip',
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, 'zip');
    const together = inspectMembers(directory, context, 'zip');
    return { format: 'zip', ...together, details: { members: directory.members.length } };
  },
};
