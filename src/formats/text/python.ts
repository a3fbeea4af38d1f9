import { MIB } from '../../bytes/limits.ts';
import { analysePython } from '../../content/python/analyse.ts';
import { reportAll } from '../../content/remark.ts';
import { complete, type Format, type Inspection, incomplete } from '../format.ts';
import { headText, wholeText } from './decode.ts';
import { isPython, kindOf } from './kind.ts';

/** Bytes of one source file. */
const SIZE = 8 * MIB;

/** Python source, recognised by its statements: code by design, judged by what it does. */
export const pythonSource: Format = {
  name: 'python',
  title: 'Python source',
  recognisedBy: 'a python shebang, or text whose every statement could be Python and one can hardly be anything else',
  checks:
    'calls that start programs, run text, load native code, unpickle, open connections or delete files, through any alias; whether they run at import',
  references: ['https://docs.python.org/3/reference/lexical_analysis.html', 'CWE-506'],
  recognise(head, source) {
    const kind = kindOf(head, source);
    // `{{ f() }}` is a template and an expression: it is judged as both.
    return kind === 'python' || (kind === 'template' && isPython(headText(head, source.size) ?? '', head, source));
  },
  inspect(source, context): Inspection {
    const { remarks, understood } = analysePython(wholeText(source, SIZE), context.budget);
    reportAll(context, remarks, 0);
    const coverage = understood
      ? complete(source.size)
      : incomplete('partial', 0, source.size, 'not Python that can be read');
    return { format: 'python', content: 'code', coverage };
  },
};
