import type { Finding } from '../../formats/format.ts';
import type { Scanned } from './types.ts';

/** A file name for a person: control characters would be obeyed by a terminal, a page or a parser. */
export const shown = (path: string): string =>
  path.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (unit) => `\\u{${unit.codePointAt(0)?.toString(16) ?? ''}}`);

/** Where a finding is: the members that it lies in, and the line or the byte offset in the innermost. */
export const placeOf = ({ where: { path, offset, line } }: Finding): string =>
  [...path, line === undefined ? offset : `line ${line}`].join(':');

/** What is said about a file beside its decision. */
export const kindOf = ({ format, content, coverage }: Scanned): string => {
  const covered = coverage.state === 'complete' ? '' : `, ${coverage.state}: ${coverage.reason}`;
  return `${format}, ${content}${covered}`;
};

/** How many files met with which action, for the last line of a scan. */
export const createTally = () => {
  const counts = { allow: 0, convert: 0, quarantine: 0, deny: 0 };
  return {
    add({ action }: Scanned): void {
      counts[action] += 1;
    },
    said: (): string =>
      `${counts.allow} allowed, ${counts.convert} convertible, ${counts.quarantine} quarantined, ${counts.deny} denied`,
  };
};
