import { complete, type Format, type Inspection, printable } from '../format.ts';
import { blocksOf, headText } from './decode.ts';
import { kindOf } from './kind.ts';

/** A script with an interpreter line that is not Python's: it runs when it is called, and nothing reads it as data. */
export const script: Format = {
  name: 'script',
  title: 'script with an interpreter line',
  recognisedBy: '`#!` at the start, naming anything but Python',
  checks: 'that it is text; it is active by design',
  references: ['POSIX.1-2024, execve'],
  recognise: (head, source) => kindOf(head, source) === 'script',
  inspect(source, context): Inspection {
    for (const { text } of blocksOf(source)) context.budget.spend('steps', text.length >> 3);
    const first = headText(source.read(0, Math.min(256, source.size)), source.size)?.split('\n')[0] ?? '';
    const message = 'a script that runs when it is called';
    context.report({
      rule: 'script.shebang',
      severity: 'high',
      message,
      offset: 0,
      evidence: printable(first),
      refs: ['CWE-506', 'AML.T0010'],
    });
    return { format: 'script', content: 'active', coverage: complete(source.size) };
  },
};
