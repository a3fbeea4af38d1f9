import { pathToFileURL } from 'node:url';
import type { Finding, Severity } from '../../formats/format.ts';
import { version } from '../../package.ts';
import type { Scanned } from './file.ts';
import type { Printer } from './printers.ts';

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
  info: 'note',
};

/**
 * One SARIF 2.1.0 log. The results come first and the tool with its rules last, which JSON allows, so that nothing
 * waits for the last file.
 */
export const sarif = (): Printer => {
  const rules = new Set<string>();
  let results = 0;
  const result = (ruleId: string, rest: object): string => {
    rules.add(ruleId);
    results += 1;
    return `${results === 1 ? '' : ',\n'}${JSON.stringify({ ruleId, ...rest })}`;
  };
  return {
    begin: () => '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"results":[\n',
    file: (scanned) =>
      scanned.findings.map((finding) => result(finding.rule, found(scanned, finding))).join('') +
      (scanned.action === 'allow' ? '' : result(`decision/${scanned.action}`, decided(scanned))),
    end: () => {
      const driver = { name: 'weighbridge', version, rules: [...rules].map((id) => ({ id })) };
      return `\n],"tool":${JSON.stringify({ driver })},"columnKind":"utf16CodeUnits"}]}\n`;
    },
  };
};

const found = ({ path }: Scanned, { severity, message, where, evidence, refs }: Finding): object => ({
  level: LEVELS[severity],
  message: { text: message },
  locations: [
    {
      physicalLocation: {
        artifactLocation: place(path),
        // Inside a container the offset counts in the member, which SARIF has no region for.
        ...(where.path.length === 0 ? { region: { byteOffset: where.offset, byteLength: 0 } } : {}),
      },
      ...(where.path.length === 0
        ? {}
        : { logicalLocations: [{ fullyQualifiedName: where.path.join('/'), kind: 'member' }] }),
    },
  ],
  properties: { severity, evidence, refs, offset: where.offset },
});

const decided = ({ path, sha256, action, rule, reason, format, content, coverage }: Scanned): object => ({
  level: action === 'convert' ? 'note' : action === 'quarantine' ? 'warning' : 'error',
  message: { text: reason === '' ? `${action} by ${rule}` : reason },
  locations: [{ physicalLocation: { artifactLocation: place(path) } }],
  properties: { action, rule, sha256, format, content, coverage: coverage.state, coverageReason: coverage.reason },
});

const place = (path: string): { readonly uri: string } => ({
  uri: path.startsWith('/') ? pathToFileURL(path).href : path.split('/').map(encodeURIComponent).join('/'),
});
