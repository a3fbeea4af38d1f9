import { WeighbridgeError } from '../errors.ts';
import { isRole, type Role } from './roles.ts';

/** What somebody wants a token to be, as written. */
export type WantedToken = {
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly role?: string | undefined;
  /** Mounts such as `hf`, and `api`. */
  readonly mounts?: readonly string[] | undefined;
  /** `90d`, `12h`, `30m` or `never`. */
  readonly expires?: string | undefined;
  readonly note?: string | undefined;
};

/** The same, checked. Times in ms since the epoch. */
export type TokenTerms = {
  readonly team: string;
  readonly environment: string;
  readonly role: Role;
  readonly scopes: readonly string[];
  readonly note: string;
  /** Left out of a token that does not end by itself. */
  readonly expiresAt?: number;
};

/** The scope of our own API. */
export const API_SCOPE = 'api';
const DEFAULT_LIFE = '90d';
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Ten years, in ms: what is wanted for longer is wanted for ever, and should say so. */
const MAX_LIFE = 3_650 * 86_400_000;
const MAX_NOTE = 200;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Whether `text` can name a team or an environment: it stands in URLs, policies and the log. */
export const isName = (text: string): boolean => NAME.test(text);

/**
 * Checks what a token is wanted to be at `now`; `mounts` says where each ecosystem is mounted. Throws REQUEST_INVALID
 * that says what was expected.
 */
export const checkTerms = (wanted: WantedToken, mounts: Readonly<Record<string, string>>, now: number): TokenTerms => {
  const { team = '', environment = '', role = 'pipeline', note = '', expires = DEFAULT_LIFE } = wanted;
  if (!isRole(role)) throw invalid('role', 'pipeline, viewer, auditor, approver or admin');
  if (role === 'pipeline' && team === '') throw invalid('team', 'the team that the pipeline belongs to');
  for (const [field, value] of Object.entries({ team, environment })) {
    if (value !== '' && !isName(value)) throw invalid(field, 'up to 64 letters, digits, dots, dashes and underscores');
  }
  if (note.length > MAX_NOTE) throw invalid('note', `at most ${MAX_NOTE} characters`);
  const scopes = [...new Set((wanted.mounts ?? []).map((mount) => scopeOf(mount, mounts)))];
  const life = lifeOf(expires);
  return { team, environment, role, scopes, note, ...(life !== undefined && { expiresAt: now + life }) };
};

/** Which upstream credential somebody means, as written. */
export type WantedCredential = { readonly team?: string | undefined; readonly upstream?: string | undefined };

/** The same, checked: a team, and an ecosystem by its name. Throws REQUEST_INVALID that says what was expected. */
export const checkCredential = (
  { team = '', upstream = '' }: WantedCredential,
  mounts: Readonly<Record<string, string>>,
): { readonly team: string; readonly upstream: string } => {
  if (!isName(team)) throw invalid('team', 'up to 64 letters, digits, dots, dashes and underscores');
  const scope = scopeOf(upstream, mounts);
  if (scope === API_SCOPE) throw invalid('upstream', Object.keys(mounts).join(', '));
  return { team, upstream: scope };
};

const invalid = (field: string, expected: string): WeighbridgeError =>
  new WeighbridgeError('REQUEST_INVALID', `${field}: expected ${expected}`);

/** By the ecosystem's name, which stays when an admin mounts it elsewhere. */
const scopeOf = (written: string, mounts: Readonly<Record<string, string>>): string => {
  const bare = written.replace(/^\//, '');
  if (bare === API_SCOPE || Object.hasOwn(mounts, bare)) return bare;
  const found = Object.entries(mounts).find(([, mount]) => mount === `/${bare}`);
  if (found !== undefined) return found[0];
  const known = [...Object.values(mounts).map((mount) => mount.slice(1)), API_SCOPE];
  throw invalid('mounts', `any of ${known.join(', ')}`);
};

/** ms of a time such as 90d, 12h or 30m; undefined for `never`. Throws REQUEST_INVALID. */
export const lifeOf = (written: string): number | undefined => {
  if (written === 'never') return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(written) ?? [];
  const life = Number(digits) * (UNITS[unit] ?? 0);
  if (life > 0 && life <= MAX_LIFE) return life;
  throw invalid('expires', 'a time such as 90d, 12h or 30m, at most ten years, or never');
};
