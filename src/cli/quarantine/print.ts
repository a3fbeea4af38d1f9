import { z } from 'zod';
import { printable } from '../../formats/format.ts';

/** Findings shown of one release. */
const MAX_FINDINGS = 50;
const MAX_LINE = 400;

const text = z.string();
const acts = z.array(z.object({ by: text, at: z.number(), text }));
const finding = z.object({
  rule: text,
  severity: text,
  message: text,
  where: z.object({ path: z.array(text), offset: z.number() }),
});

/** A release as the gateway answers with it. */
export const shown = z.looseObject({
  id: text,
  state: text,
  artefact: z.object({ ecosystem: text, repo: text, commit: text, path: text, sha256: text.optional() }),
  rules: z.array(text),
  reason: text,
  owner: text,
  by: text,
  at: z.number(),
  expiresAt: z.number().optional(),
  needed: z.number(),
  approvals: acts,
  comments: acts,
  ended: z.object({ by: text, at: z.number(), text }).optional(),
  seen: z.object({ findings: z.array(finding) }).nullish(),
});

/** A file that was held and that nobody has asked for. */
export const shownHeld = z.looseObject({
  request: text,
  artefact: z.object({ ecosystem: text, repo: text, commit: text, path: text }),
  rule: text,
  by: text,
  at: z.number(),
  requests: z.number(),
});

export type ShownHeld = z.infer<typeof shownHeld>;

export type Shown = z.infer<typeof shown>;

const time = (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' ');

const nameOf = ({ artefact: { ecosystem, repo, commit, path } }: Shown | ShownHeld): string =>
  `${ecosystem}:${repo}@${commit.slice(0, 12)}/${path}`;

const stateOf = ({ state, approvals, needed, expiresAt }: Shown): string => {
  if (state === 'requested') return `requested, ${approvals.length} of ${needed} approved`;
  return state === 'active' && expiresAt !== undefined ? `active until ${time(expiresAt)}` : state;
};

/** One line for a list. */
export const lineOf = (release: Shown): string =>
  printable(
    `${release.id}  ${stateOf(release).padEnd(29)}  ${nameOf(release)}  ${release.rules.join(',')}  ${release.reason}`,
    MAX_LINE,
  );

/** One line for what nobody has asked for, with the request to ask by. */
export const heldLineOf = (held: ShownHeld): string =>
  printable(
    `${held.request}  held ${time(held.at)}, ${held.requests} times, last ${held.by}  ${nameOf(held)}  ${held.rule}`,
    MAX_LINE,
  );

/** Everything, with the findings that it is about. */
export const detailed = (release: Shown): string => {
  const { artefact, rules, owner, by, at, reason, approvals, comments, ended, seen } = release;
  const line = (name: string, value: string): string => `  ${name.padEnd(10)}  ${printable(value, MAX_LINE)}`;
  const said = (name: string, act: { by: string; at: number; text: string }): string =>
    line(name, `${time(act.at)}  ${act.by}  ${act.text}`);
  const findings = seen?.findings ?? [];
  return [
    printable(`${release.id}  ${stateOf(release)}  ${nameOf(release)}`, MAX_LINE),
    line('bound to', artefact.sha256 === undefined ? 'this place' : `sha256 ${artefact.sha256}`),
    line('rules', rules.join(', ')),
    line('asked', `${time(at)}  ${by}`),
    line('reason', reason),
    line('owner', owner),
    ...approvals.map((one) => said('approved', one)),
    ...comments.map((one) => said('comment', one)),
    ...(ended === undefined ? [] : [said(release.state, ended)]),
    ...findings
      .slice(0, MAX_FINDINGS)
      .map(({ rule, severity, message, where }) =>
        line('finding', `${rule} (${severity}) at ${[...where.path, `byte ${where.offset}`].join(' > ')}: ${message}`),
      ),
    ...(findings.length > MAX_FINDINGS ? [line('', `and ${findings.length - MAX_FINDINGS} more`)] : []),
    ...(seen === null ? [line('finding', 'what was seen is not kept')] : []),
  ].join('\n');
};
