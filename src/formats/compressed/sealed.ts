import { type Format, incomplete } from '../format.ts';

/** Archives that are recognised and not opened. */
const MAGICS: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['RAR', [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]],
  ['cabinet', [0x4d, 0x53, 0x43, 0x46, 0, 0, 0, 0]],
  ['lzip', [0x4c, 0x5a, 0x49, 0x50, 1]],
  ['ar', [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a]],
  ['compress', [0x1f, 0x9d]],
  ['lz4 legacy', [0x02, 0x21, 0x4c, 0x18]],
];

const archiveOf = (head: Uint8Array): string | undefined =>
  MAGICS.find(([, bytes]) => bytes.every((byte, i) => head[i] === byte))?.[0];

/** Loaders exist that unpack these; what is inside cannot be seen, so nothing in it is approved. */
export const sealed: Format = {
  name: 'sealed-archive',
  title: 'Archive that is not opened',
  recognisedBy: 'The magic of RAR, cabinet, lzip, ar, compress or legacy lz4.',
  checks: 'Nothing: the content stays unknown.',
  references: ['CWE-434'],
  recognise: (head) => archiveOf(head) !== undefined,
  inspect(source, context) {
    const name = archiveOf(source.read(0, Math.min(source.size, 16))) ?? '';
    const message = `an archive of kind ${name} is not opened: its content is unknown`;
    context.report({ rule: 'sealed-archive.opaque', severity: 'medium', message, offset: 0 });
    return { format: 'sealed-archive', content: 'unknown', coverage: incomplete('opaque', 0, source.size, message) };
  },
};
