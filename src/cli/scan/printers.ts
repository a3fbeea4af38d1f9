import type { Scanned } from './file.ts';
import { sarif } from './sarif.ts';

/** Turns what was scanned into text, piece by piece. */
export type Printer = {
  begin(): string;
  file(scanned: Scanned): string;
  end(): string;
};

/** One JSON object a line, in a fixed order of keys. */
const json = (): Printer => ({
  begin: () => '',
  file: ({ path, sha256, size, format, content, coverage, action, rule, reason, findings, ms }) => {
    const line = { path, sha256, size, format, content, coverage: coverage.state, action, rule, reason, findings, ms };
    return `${JSON.stringify(line)}\n`;
  },
  end: () => '',
});

const COLOURS = { allow: 32, convert: 36, quarantine: 33, deny: 31 } as const;
/** Findings shown for one file to a person; --json has all. */
const SHOWN = 10;

/** A line per file and, unless it is allowed, why. */
const human = (colour: boolean): Printer => {
  const counts = { allow: 0, convert: 0, quarantine: 0, deny: 0 };
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const begun = performance.now();
  return {
    begin: () => '',
    file(scanned) {
      const { action, path, format, content, coverage, rule, reason, findings } = scanned;
      counts[action] += 1;
      const covered = coverage.state === 'complete' ? '' : `, ${coverage.state}: ${coverage.reason}`;
      const lines = [
        `${paint(COLOURS[action], action.padEnd(10))} ${shown(path)}  ${paint(2, `${format}, ${content}${covered}`)}`,
      ];
      if (action !== 'allow') lines.push(`           ${rule}: ${reason}`);
      for (const { rule: id, severity, message, where } of findings.slice(0, SHOWN)) {
        lines.push(`           ${severity.padEnd(8)} ${id} at ${[...where.path, where.offset].join(':')}  ${message}`);
      }
      if (findings.length > SHOWN) lines.push(`           and ${findings.length - SHOWN} more findings`);
      return `${lines.join('\n')}\n`;
    },
    end() {
      const said = [`${counts.allow} allowed`, `${counts.convert} convertible`];
      said.push(`${counts.quarantine} quarantined`, `${counts.deny} denied`);
      return `${said.join(', ')} in ${((performance.now() - begun) / 1000).toFixed(1)} s\n`;
    },
  };
};

/** A file name for a terminal: control characters would be obeyed. */
const shown = (path: string): string =>
  path.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (unit) => `\\u{${unit.codePointAt(0)?.toString(16) ?? ''}}`);

/** The printer that the options ask for. */
export const createPrinter = (as: 'json' | 'sarif' | 'human', colour: boolean): Printer => {
  if (as === 'human') return human(colour);
  return as === 'json' ? json() : sarif();
};
