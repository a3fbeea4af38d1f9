import { complete, type Format, type Inspection, printable } from '../format.ts';
import { wholeText } from './decode.ts';
import { kindOf } from './kind.ts';

/** Bytes of a pointer; the specification says less than 1024. */
const SIZE = 16 * 1024;

/** A Git LFS or Xet pointer that was saved in place of the file it points to. */
export const pointer: Format = {
  name: 'pointer',
  title: 'Git LFS or Xet pointer',
  recognisedBy: '`version https://git-lfs.github.com/spec/` or `# xet version` at the start',
  checks: 'that it is text of the size of a pointer; the artefact itself is elsewhere',
  references: ['https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md'],
  recognise: (head, source) => kindOf(head, source) === 'pointer',
  inspect(source, context): Inspection {
    const text = wholeText(source, SIZE);
    const message = 'a pointer to a file, not the file: the download went wrong somewhere';
    context.report({
      rule: 'pointer.saved',
      severity: 'medium',
      message,
      offset: 0,
      evidence: printable(text),
      refs: ['CWE-345'],
    });
    return { format: 'pointer', content: 'inert', coverage: complete(source.size) };
  },
};
