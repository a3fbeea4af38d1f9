import type { ReadEntry } from '../../audit/reader.ts';
import { printable } from '../../formats/format.ts';
import type { Change } from '../../policy/difference.ts';

/** Teams and clients named in a line; `--json` has them all. */
const SHOWN_NAMES = 8;

/** A request that stands for those that changed alike. */
export type Example = {
  readonly index: number;
  readonly time: string;
  readonly request: string;
  readonly artefact: string;
  readonly actor: string;
};

export const exampleOf = ({ index, entry: { time, request, artefact, actor = '' } }: ReadEntry): Example => ({
  index,
  time,
  request: request?.id ?? '',
  artefact: artefact === undefined ? '' : `${artefact.ecosystem}:${artefact.repo}@${artefact.commit}/${artefact.path}`,
  actor,
});

/** A kind of change, for a person: from what to what, for how many of whom, and some of the requests. */
export const wordChange = ({
  before,
  after,
  requests,
  teams,
  clients,
  examples,
}: Change<Example>): readonly string[] => [
  `${before.action} -> ${after.action}  ${requests === 1 ? '1 request' : `${requests} requests`}  (${before.rule} -> ${after.rule})`,
  ...(before.obligations === after.obligations
    ? []
    : [`  obligations  ${before.obligations || 'none'} -> ${after.obligations || 'none'}`]),
  `  teams        ${named(teams)}`,
  `  clients      ${named(clients)}`,
  ...examples.map(
    ({ index, time, artefact, request }) =>
      `  e.g.         entry ${index}  ${time}  ${printable(artefact, 300)}  request ${printable(request, 100)}`,
  ),
];

const named = (counts: Change<Example>['teams']): string => {
  const shown = counts.slice(0, SHOWN_NAMES).map(([name, count]) => `${printable(name, 60)} ${count}`);
  return shown.join(', ') + (counts.length > SHOWN_NAMES ? `, and ${counts.length - SHOWN_NAMES} more` : '');
};
