import type { LoggedEntry } from '../../audit/entry.ts';
import type { ReadEntry } from '../../audit/reader.ts';

/** Aligned columns: when, what was decided by which rule, about what, and why. */
export const table = (shown: readonly ReadEntry[]): string[] => {
  const rows = shown.map(({ index, entry }) => [
    String(index),
    entry.time,
    entry.kind,
    verdictOf(entry),
    subjectOf(entry),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((text, column) => printable(text).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
};

const verdictOf = ({ decision, served }: LoggedEntry): string =>
  [decision && `${decision.action}${decision.provisional ? '?' : ''} ${decision.rule}`, served && `${served.status}`]
    .filter((part) => part !== undefined)
    .join(' ');

/** An uploaded file is in no repo. */
const nameOf = ({ ecosystem, repo, commit, path }: NonNullable<LoggedEntry['artefact']>): string =>
  repo === '' ? `${ecosystem}:${path}` : `${ecosystem}:${repo}@${commit.slice(0, 12)}/${path}`;

const subjectOf = ({ artefact, decision, detail, served }: LoggedEntry): string => {
  const parts = [
    artefact && nameOf(artefact),
    served && `${served.bytes} bytes ${served.release}${served.complete ? '' : ', incomplete'}`,
    decision && `(${decision.reason})`,
    detail &&
      Object.entries(detail)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
  ];
  return parts.filter((part) => part !== undefined).join('  ');
};

/** Text without what a terminal obeys or what turns its direction: names in the log were chosen by strangers. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
