import { MIB } from '../../bytes/limits.ts';
import { checkTemplate } from '../../content/jinja/check.ts';
import { describeTemplates } from '../../content/jinja/constructs.ts';
import { reportAll } from '../../content/remark.ts';
import { complete, type Format, type Inspection, incomplete } from '../format.ts';
import { wholeText } from './decode.ts';
import { kindOf } from './kind.ts';

/** Bytes of a template file. */
const SIZE = 1 * MIB;

/** A Jinja chat template in a file of its own (`chat_template.jinja`). */
export const template: Format = {
  name: 'jinja',
  title: 'Jinja chat template',
  recognisedBy: 'text that begins with a Jinja tag, or that has tags and speaks of messages',
  checks: 'parsed; every filter, test, function, method and attribute is held against what chat templates use',
  references: ['https://jinja.palletsprojects.com/en/stable/templates/', 'CVE-2024-34359', 'CVE-2016-10745'],
  recognise: (head, source) => kindOf(head, source) === 'template',
  inspect(source, context): Inspection {
    const text = wholeText(source, SIZE);
    const { remarks, understood } = checkTemplate(text, context.budget);
    reportAll(context, remarks, 0);
    const coverage = understood
      ? complete(source.size)
      : incomplete('partial', 0, source.size, 'the template cannot be parsed');
    return { format: 'jinja', content: 'code', coverage, details: { template: describeTemplates([text]) } };
  },
};
