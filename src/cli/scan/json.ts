import type { Printer } from './printers.ts';

/** One JSON object a line, in a fixed order of keys. */
export const json = (): Printer => ({
  begin: () => '',
  file: ({ path, sha256, size, format, content, coverage, action, rule, reason, findings, ms }) => {
    const line = { path, sha256, size, format, content, coverage: coverage.state, action, rule, reason, findings, ms };
    return `${JSON.stringify(line)}\n`;
  },
  end: () => '',
});
