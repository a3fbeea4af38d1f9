import { fromBytes } from '../../src/bytes/random-access.ts';
import { CONTENTS, type Content, type Format, type Severity } from '../../src/formats/format.ts';
import { formats, inspect } from '../../src/formats/index.ts';
import { loadPolicies } from '../../src/policy/load.ts';
import type { Facts } from '../../src/policy/types.ts';
import { samples } from '../formats/samples/index.ts';
import { factsWith, findingOf } from './policy-facts.ts';
import { textOf } from './project.ts';

const POLICY = 'policies/default.yaml';

/** What the kinds of content mean, in the order of CONTENTS (src/formats/format.ts). */
const MEANINGS: Readonly<Record<Content, string>> = {
  inert: 'data that no loader executes',
  tensors: 'a pickle that provably holds only tensors and plain values',
  data: 'a pickle of plain, numpy and standard-library data, every call on the allow-list',
  trainer: 'a pickle of training arguments and the like, every call on the allow-list',
  library: 'a pickle of estimators or modules of known libraries, every call on the allow-list',
  code: 'source or graph code by design, judged by its findings',
  unknown: 'not recognised, not understood, or a name that is on no list',
  active: 'something in it would run, or was built to mislead a reader',
};

/** What the columns of the table of outcomes stand for, as changes to the facts of a file that is wholly inspected. */
const COLUMNS: readonly (readonly [title: string, change: Partial<Facts>])[] = [
  ['no finding', {}],
  ...(['low', 'medium', 'high', 'critical'] satisfies Severity[]).map(
    (severity) => [severity, { findings: [findingOf(severity)] }] as const,
  ),
  ['not inspected completely', { coverage: { ...factsWith().coverage, state: 'partial', reason: 'a limit' } }],
];

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
const sentence = (text: string): string => {
  const whole = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return whole.endsWith('.') ? whole : `${whole}.`;
};

/** The contents that accepted samples of a format have: shown by test/formats/registry.test.ts. */
const acceptedAs = ({ name }: Format): string => {
  const own = samples.find(({ format }) => format === name);
  const seen = new Set(Object.values(own?.accept ?? {}).map((make) => inspect(fromBytes(make())).content));
  if (own === undefined) return '';
  if (own.never !== undefined) return `never: ${own.never}`;
  return CONTENTS.filter((content) => seen.has(content))
    .map((content) => `\`${content}\``)
    .join(', ');
};

const link = (reference: string): string => (reference.startsWith('https://') ? `<${reference}>` : reference);

const section = (format: Format): string =>
  [
    `### \`${format.name}\`: ${format.title}`,
    '',
    `- **Recognised by:** ${sentence(format.recognisedBy)}`,
    `- **Checked:** ${sentence(format.checks)}`,
    `- **References:** ${format.references.map(link).join(', ')}`,
  ].join('\n');

const outcomes = (): string => {
  const policies = loadPolicies({ [POLICY]: textOf(POLICY) });
  const actions = (content: Content, convertible: boolean): readonly string[] =>
    COLUMNS.map(([, change]) => {
      const base = factsWith({ convertible, artefact: { path: 'weights.bin', format: 'torch-zip', content } });
      return policies.decide({ ...base, ...change }, 0).action;
    });
  const rows = CONTENTS.flatMap((content) => {
    const plain = [`\`${content}\``, MEANINGS[content], ...actions(content, false)];
    const converted = [
      `\`${content}\`, with a plan`,
      'the same, and it can be written as safetensors',
      ...actions(content, true),
    ];
    return plain.slice(2).join() === converted.slice(2).join() ? [plain] : [plain, converted];
  });
  return table(['content', 'what it means', ...COLUMNS.map(([title]) => title)], rows);
};

/** docs/formats.md, from the registry, the samples of the suite and the default policy. */
export const formatsPage = (): string => `# Formats

<!-- Written by \`node .ci/formats-doc.mjs\` from the registry in src/formats/index.ts; a test says when it is out of date. -->

A file is what its bytes are: its name and extension decide nothing. Every format below that recognises a file reads it,
and the report is the worst of the readings, because another loader may read it another way. What no format recognises is
\`unknown\`. A file whose format is given up half-way, by a limit or an error, is never taken for understood.

Some formats keep the bytes of their tensors in files of their own that have no mark at all (TensorFlow checkpoints, ONNX,
TensorFlow.js, OpenVINO, ncnn). The report of such an index says which bare files lie beside it and how large they are, when
it lays out every byte of them; what that is good for is in [policies.md](policies.md#conditions).

Each format has samples in \`test/formats/samples/index.ts\` that it accepts and that it rejects; the suite damages them
byte by byte. *Accepted as* is the content that honest samples have; an archive or a compressed file has the worst content
of what is in it.

${table(
  ['format', 'what it is', 'accepted as'],
  formats.map((format) => [`[\`${format.name}\`](#${anchor(format)})`, format.title, acceptedAs(format)]),
)}

## What the default policy does

Decided by running \`${POLICY}\` on each kind of content; columns are the worst finding. A few rules
look at more than that (pointers, empty weights, trainer state, \`auto_map\`): the file says which.

${outcomes()}

## Each format

${formats.map(section).join('\n\n')}
`;

/** The anchor that renderers of Markdown give the heading of a section. */
const anchor = ({ name, title }: Format): string =>
  `${name}: ${title}`
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
