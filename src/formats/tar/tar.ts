import { type Context, type Format, type Inspection, worseContent } from '../format.ts';
import { isTorchTar, PARTS } from '../torch/tar-parts.ts';
import { mayBeTarHeader } from './header.ts';
import { inspectMembers } from './members.ts';
import { readTar, type Tar } from './read.ts';

/** A tar archive, of data (webdataset shards), of a model directory. */
export const tar: Format = {
  name: 'tar',
  title: 'Tar archive',
  recognisedBy: 'The checksum of the first header block, as the most lenient reader counts it.',
  checks:
    'POSIX ustar, pax and GNU long names only; checksums and sizes; names stay inside and differ; links stay inside; extended ' +
    'headers agree with headers; nothing behind the end; every member is inspected; members without a mark pass when one ' +
    'of their folder lays out every byte of them.',
  references: ['POSIX.1-2017, pax', 'GNU tar manual, Basic Tar Format', 'CVE-2025-12060', 'CVE-2025-32434'],
  recognise: (head, source) => mayBeTarHeader(head) && !isTorchTar(head, source),
  inspect(source, context) {
    const archive = readTar(source);
    const together = inspectMembers(source, archive, context);
    const inspection = { format: 'tar', ...together, details: { members: archive.members.length } };
    return judgeLegacyTorch(archive, inspection, context);
  },
};

/** A loader that is less particular about names than ours may take it for a checkpoint all the same. */
const judgeLegacyTorch = (archive: Tar, inspection: Inspection, context: Context): Inspection => {
  const names = archive.members.map(({ name }) => name.replace(/^\.\//, ''));
  if (!PARTS.every((name) => names.includes(name))) return inspection;
  const message = 'a checkpoint in the tar format from before PyTorch 0.1.10, which bypassed weights_only';
  context.report({ rule: 'torch.legacy-tar', severity: 'medium', message, offset: 0, refs: ['CVE-2025-32434'] });
  return { ...inspection, content: worseContent(inspection.content, 'unknown'), notConvertible: message };
};
