import { printable, type Severity } from '../format.ts';

/** Something wrong with a container; its reader turns it into a finding of its own format. */
export type Deviation = {
  /** The rule without the name of the format. */
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly offset: number;
  readonly evidence: string;
  readonly refs: readonly string[];
};

const TRAVERSAL = ['CWE-22', 'CVE-2025-12060'];

/** Where the name of a member would lead a careless extractor; empty for an ordinary relative path. */
const badName = (name: string): { rule: string; severity: Severity; what: string } | undefined => {
  const segments = name.split(/[/\\]/);
  if (name === '') return { rule: 'name-empty', severity: 'medium', what: 'is empty' };
  if (name.includes('\0')) return { rule: 'name-nul', severity: 'high', what: 'contains a NUL byte' };
  if (segments.includes('..')) return { rule: 'name-traversal', severity: 'high', what: 'leads out of the archive' };
  if (/^[/\\]/.test(name)) return { rule: 'name-absolute', severity: 'high', what: 'is absolute' };
  if (/^[A-Za-z]:/.test(name)) return { rule: 'name-drive', severity: 'high', what: 'names a drive' };
  if (name.includes('\\')) return { rule: 'name-backslash', severity: 'medium', what: 'contains a backslash' };
  if (/[\u0000-\u001f\u007f\u0080-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(name)) {
    return { rule: 'name-control', severity: 'medium', what: 'contains control or invisible characters' };
  }
  return undefined;
};

/** What is wrong with one member's name. */
export const judgeName = (name: string, offset: number): Deviation[] => {
  const bad = badName(name);
  if (bad === undefined) return [];
  const message = `the name of a member ${bad.what}`;
  return [{ rule: bad.rule, severity: bad.severity, message, offset, evidence: printable(name), refs: TRAVERSAL }];
};

/**
 * Names that occur twice, or that a file system which folds case or normalises Unicode would make one: readers differ in
 * which one they take.
 */
export const judgeTwins = (members: readonly { readonly name: string; readonly offset: number }[]): Deviation[] => {
  const seen = new Map<string, string>();
  const found: Deviation[] = [];
  for (const { name, offset } of members) {
    const folded = fold(name);
    const before = seen.get(folded);
    if (before === undefined) {
      seen.set(folded, name);
      continue;
    }
    const same = before === name;
    found.push({
      rule: same ? 'duplicate-name' : 'confusable-name',
      severity: same ? 'high' : 'medium',
      message: same ? 'two members have the same name' : 'the names of two members differ only in case or in look',
      offset,
      evidence: same ? printable(name) : `${printable(before, 95)} ${printable(name, 95)}`,
      refs: ['CWE-694', 'CWE-436'],
    });
  }
  return found;
};

/** Cyrillic and Greek letters that look like Latin ones, in the order of LATIN. */
const LOOKALIKES = 'аеорсухіјѕԁһӏοανρ';
const LATIN = 'aeopcyxijsdhloavp';

const fold = (name: string): string => {
  if (/^[\x00-\x7f]*$/.test(name)) return trimmed(name.toLowerCase());
  const folded = name.normalize('NFKC').toLowerCase();
  if (/^[\x00-\x7f]*$/.test(folded)) return trimmed(folded);
  let out = '';
  for (const letter of folded) {
    const place = LOOKALIKES.indexOf(letter);
    out += place < 0 ? letter : (LATIN[place] ?? letter);
  }
  return trimmed(out);
};

/** `a//b`, `./a/b` and `a/b/` are one file. */
const trimmed = (name: string): string => (/^[^./][^/]*(?:\/[^/]+)*$/.test(name) ? name : trimmedOdd(name));

const trimmedOdd = (name: string): string =>
  name
    .replace(/\/+/g, '/')
    .replace(/^(\.\/)+/, '')
    .replace(/\/$/, '');

/** True when a link at `name` that points to `target` stays inside the archive's root. */
export const staysInside = (name: string, target: string): boolean => {
  if (target === '' || /^[/\\]|^[A-Za-z]:|\\|\0/.test(target)) return false;
  const place = name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') {
      if (place.length === 0) return false;
      place.pop();
    } else if (part !== '' && part !== '.') place.push(part);
  }
  return true;
};

/** Members whose path leads through a symbolic link of the same archive: written elsewhere than their name says. */
export const judgePathsThroughLinks = (
  members: readonly { readonly name: string; readonly offset: number }[],
  links: ReadonlySet<string>,
): Deviation[] => {
  if (links.size === 0) return [];
  const linked = new Set([...links].map(trimmed));
  return members.flatMap(({ name, offset }) => {
    const parts = trimmed(name).split('/');
    const through = parts.slice(0, -1).some((_, i) => linked.has(parts.slice(0, i + 1).join('/')));
    if (!through) return [];
    const message = 'the path of a member leads through a symbolic link of the archive';
    return [
      {
        rule: 'path-through-link',
        severity: 'high' as const,
        message,
        offset,
        evidence: printable(name),
        refs: ['CWE-59'],
      },
    ];
  });
};
