import { pathToFileURL } from 'node:url';
import { explain } from '../../formats/findings/explain.ts';
import { type Finding, SEVERITIES, type Severity } from '../../formats/format.ts';
import { version } from '../../package.ts';
import type { Action } from '../../policy/types.ts';
import type { Printer } from './printers.ts';
import type { Scanned } from './types.ts';

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
  const rules = new Map<string, Severity>();
  let results = 0;
  const result = (ruleId: string, severity: Severity, rest: object): string => {
    const before = rules.get(ruleId) ?? 'info';
    rules.set(ruleId, SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(before) ? severity : before);
    results += 1;
    return `${results === 1 ? '' : ',\n'}${JSON.stringify({ ruleId, ...rest })}`;
  };
  return {
    begin: () => '{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"results":[\n',
    file: (scanned) =>
      scanned.findings.map((finding) => result(finding.rule, finding.severity, found(scanned, finding))).join('') +
      (scanned.action === 'allow'
        ? ''
        : result(`decision/${scanned.action}`, DECIDED[scanned.action], decided(scanned))),
    end: () => {
      const driver = { name: 'weighbridge', version, rules: [...rules].map(([id, worst]) => declared(id, worst)) };
      return `\n],"tool":${JSON.stringify({ driver })},"columnKind":"utf16CodeUnits"}]}\n`;
    },
  };
};

const DECIDED: Readonly<Record<Action, Severity>> = {
  allow: 'info',
  convert: 'low',
  quarantine: 'medium',
  deny: 'high',
};
/** What GitHub sorts by, from its own scale of 0 to 10. */
const SECURITY: Readonly<Record<Severity, string>> = {
  info: '1.0',
  low: '3.0',
  medium: '5.5',
  high: '8.0',
  critical: '9.5',
};

/** A rule with what docs/findings.md says about it. */
const declared = (id: string, worst: Severity): object => {
  const rated = { 'security-severity': SECURITY[worst] };
  const known = explain(id);
  if (known === undefined) return { id, properties: rated };
  const { title, why, advice, refs } = known;
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: `${title} ${why}` },
    help: { text: `${why} What to do: ${advice}` },
    properties: { ...rated, tags: ['security', ...refs] },
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
        ...(where.path.length === 0 ? { region: regionOf(where) } : {}),
      },
      ...(where.path.length === 0
        ? {}
        : { logicalLocations: [{ fullyQualifiedName: where.path.join('/'), kind: 'member' }] }),
    },
  ],
  properties: {
    severity,
    evidence,
    refs,
    offset: where.offset,
    ...(where.line === undefined ? {} : { line: where.line }),
  },
});

/** Of a text the line; a region with a line must not count bytes as well. */
const regionOf = ({ offset, line }: Finding['where']): object =>
  line === undefined ? { byteOffset: offset, byteLength: 0 } : { startLine: line };

const decided = ({ path, sha256, action, rule, reason, format, content, coverage }: Scanned): object => ({
  level: action === 'convert' ? 'note' : action === 'quarantine' ? 'warning' : 'error',
  message: { text: reason === '' ? `${action} by ${rule}` : reason },
  locations: [{ physicalLocation: { artifactLocation: place(path) } }],
  properties: { action, rule, sha256, format, content, coverage: coverage.state, coverageReason: coverage.reason },
});

const place = (path: string): { readonly uri: string } => ({ uri: uriOf(path) });

/** URLs are percent-encoded already, paths of the Hub and of this machine are not. */
const uriOf = (path: string): string => {
  if (/^https?:\/\//.test(path)) return path;
  if (path.startsWith('hf://')) return `hf://${encoded(path.slice('hf://'.length))}`;
  return path.startsWith('/') ? pathToFileURL(path).href : encoded(path);
};

/** A name that is no text in Unicode keeps its place with a replacement character. */
const encoded = (path: string): string =>
  path.toWellFormed().split('/').map(encodeURIComponent).join('/').replaceAll('%40', '@');
