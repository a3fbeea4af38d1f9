import { dirname } from 'node:path';
import { filesBelow, textOf } from './project.ts';

// The ids of rules as they are written in the source: literals, the two branches of a choice, what a function with a
// parameter `rule` is called with, and parts that a template joins to the name of a format.

const code = new Map(
  ['src/formats', 'src/content', 'src/gateway']
    .flatMap((room) => filesBelow(room))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('src/formats/findings/'))
    .map((file) => [file, textOf(file).replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')] as const),
);

/** Names of functions whose first argument is a rule. */
const helpers = new Set(
  [...code.values()].flatMap((text) => [
    ...[...text.matchAll(/\b(\w+)\s*(?::\s*\w+\s*)?=\s*\(\s*rule(?::\s*string)?,/g)].map(([, name = '']) => name),
    ...[...text.matchAll(/\b(\w+)(?:: )?\(\s*rule: string,/g)].map(([, name = '']) => name),
    ...[...text.matchAll(/type (\w)(\w*) = \(\s*rule: string,/g)].map(
      ([, first = '', rest = '']) => first.toLowerCase() + rest,
    ),
  ]),
);

const literals = (text: string): string[] =>
  [...text.matchAll(/(['`])([^'`\n]*)\1/g)].map(([, , literal = '']) => literal);

const writtenIn = (text: string): readonly string[] => [
  ...[...text.matchAll(/\brule(?:: | = )([^\n]*)/g)].flatMap(([, rest = '']) =>
    literals(rest.replace(/\b(severity|message|what|offset|evidence|refs): .*$/, '')),
  ),
  ...[...helpers].flatMap((helper) =>
    [...text.matchAll(new RegExp(`(?<!\\w)${helper}\\(\\s*['\`]([^'\`]*)['\`]\\s*,`, 'g'))].map(([, id = '']) => id),
  ),
  // Rows of a table, and a row that is made in place: [rule, message].
  ...[...text.matchAll(/\[\d+, \['([a-z-]+)', '|\['([a-z-]+)', message\]/g)].map(([, row, made]) => row ?? made ?? ''),
];

/** The family that a folder joins its rules to; `*` where that is the name of whichever format asks. */
const familyIn = (file: string): string => {
  const own = [...(code.get(file) ?? '').matchAll(/`([^`.]*)\.\$\{rule\}`/g)].map(([, family = '']) => family);
  const near = [...code]
    .filter(([other]) => dirname(other) === dirname(file))
    .flatMap(([, text]) => [...text.matchAll(/`([^`.]*)\.\$\{rule\}`/g)].map(([, family = '']) => family));
  const families = new Set(own.length > 0 ? own : near);
  const [only = '*'] = families;
  return families.size === 1 && /^[a-z0-9-]+$/.test(only) ? only : '*';
};

const asId = (written: string, file: string): readonly string[] => {
  if (/^[a-z0-9-]+\.[a-z0-9-]+$/.test(written)) return [written];
  const joined = /\}\.([a-z-]+)$/.exec(written)?.[1];
  if (joined !== undefined) return [`*.${joined}`];
  return /^[a-z][a-z0-9-]{2,}$/.test(written) ? [`${familyIn(file)}.${written}`] : [];
};

/** Every id in the source, `*.what` for the rule `what` of any format. */
export const rulesInSource: ReadonlySet<string> = new Set(
  [...code].flatMap(([file, text]) => writtenIn(text).flatMap((written) => asId(written, file))),
);
