import { type Finding, printable } from '../formats/format.ts';
import type { Facts } from './types.ts';

/**
 * Longest reason, in characters: with the words around it and the request's id it stays below 300, which clients print
 * in one line.
 */
const MAX_REASON_CHARACTERS = 235;
/** A longer path would leave no room for what is wrong with it. */
const MAX_PATH_CHARACTERS = 60;

export type ReasonParts = {
  readonly rule: string;
  /** Whether the decision refuses: only then do finding and coverage belong in the reason. */
  readonly refused: boolean;
  readonly message: string;
  readonly remediation: string | undefined;
  readonly owner: string | undefined;
  /** The finding that made the rule match, when one did. */
  readonly finding: Finding | undefined;
};

/**
 * One line of ASCII: what, why, where, which rule, what to do, whom to ask. Rule and remediation always fit; the
 * description gives way.
 */
export const wordReason = (facts: Facts, parts: ReasonParts): string => {
  const { rule, refused, message, remediation, owner, finding } = parts;
  const unread = facts.stage === 'content' && refused ? facts.coverage.reason : '';
  const seen = finding === undefined ? unread : `${worded(finding)}, ${place(finding)}`;
  const what = `${named(facts.artefact.path)}: ${trimDot(message)}${seen === '' ? '' : `: ${trimDot(seen)}`}`;
  const advice = [remediation && trimDot(remediation), owner && `Ask ${trimDot(owner)}`].filter(Boolean).join('. ');
  const end = printable(` (rule ${rule})${advice === '' ? '' : `. ${advice}`}`, MAX_REASON_CHARACTERS - 40);
  return printable(what, MAX_REASON_CHARACTERS - end.length) + end;
};

/** The end of a long path says more than its beginning. */
const named = (path: string): string => {
  const shown = printable(path, 4096);
  return shown.length <= MAX_PATH_CHARACTERS ? shown : `...${shown.slice(3 - MAX_PATH_CHARACTERS)}`;
};

/** The evidence (`os.system`) says more than the sentence; it stands behind it unless the sentence names it already. */
const worded = ({ message, evidence }: Finding): string => {
  const short = evidence.length > 60 ? `${evidence.slice(0, 57)}...` : evidence;
  const named = short === '' || message.includes(short) || message.includes(short.replaceAll(' ', '.'));
  return named ? trimDot(message) : `${trimDot(message)} (${short})`;
};

const place = ({ where: { path, offset, line } }: Finding): string =>
  [...path, line === undefined ? `byte ${offset}` : `line ${line}`].join(' > ').replace(/ > (byte|line) /, ' $1 ');

const trimDot = (text: string): string => text.replace(/[.\s]+$/, '');
