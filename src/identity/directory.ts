import { WeighbridgeError } from '../errors.ts';
import { PERSON_ROLES, type PersonRole } from './roles.ts';

/** Which groups of a directory have which role here. */
export type GroupRoles = {
  /** Name of the claim that lists the groups of a person, or the path to it with dots: `realm_access.roles`. */
  readonly claim: string;
  readonly roles: Readonly<Partial<Record<PersonRole, readonly string[]>>>;
};

/** The OpenID provider that vouches for people, as the program uses it. */
export type DirectorySettings = {
  readonly issuer: string;
  readonly clientId: string;
  /** Left out of a public client, for which PKCE alone stands. */
  readonly clientSecret?: string;
  readonly scopes: readonly string[];
  readonly groups: GroupRoles;
  /** How the provider has to have recognised a person: one of these classes, and by all of these methods (RFC 8176). */
  readonly acr: readonly string[];
  readonly amr: readonly string[];
  /** PEM of extra certificate authorities. */
  readonly ca?: string;
  /** URL of a forward proxy. */
  readonly proxy?: string;
  /** Whether places that the provider names, other than its own origin, may have private addresses. */
  readonly allowPrivate: boolean;
};

type Claims = Readonly<Record<string, unknown>>;

/** Groups of one person: far more than any directory sends. */
const MAX_GROUPS = 10_000;
/** Characters of a subject (OpenID Connect Core, 2: 255 of ASCII). */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;
/** Characters of what a person is called beside that. */
const MAX_SHOWN = 100;

/**
 * Whom the log and the policies mean by a person of a directory: issuer and subject, which the provider never gives to
 * anybody else, while names and addresses go from one to the next. Names of accounts and ids of tokens look otherwise.
 * Throws FORBIDDEN for what is no subject.
 */
export const nameInDirectory = (issuer: string, subject: unknown): string => {
  if (typeof subject === 'string' && SUBJECT.test(subject)) return `${issuer}#${subject}`;
  throw new WeighbridgeError(
    'FORBIDDEN',
    'the provider names a person by something else than 1 to 255 ASCII characters',
  );
};

/** What a person is called, for people to read only: nothing is decided by it. Undefined where nothing is said. */
export const shownInDirectory = (claims: Claims): string | undefined => {
  const said = [claims['preferred_username'], claims['email'], claims['name']].find(
    (one): one is string => typeof one === 'string' && one !== '',
  );
  // Nothing that would turn a line round or end it.
  return said?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').slice(0, MAX_SHOWN);
};

/** Whether these claims have the one that lists groups. */
export const tellsGroups = (claims: Claims, { claim }: GroupRoles): boolean => claimAt(claims, claim) !== undefined;

/** The most trusted role that a person's groups have. Throws FORBIDDEN, in a sentence, where they have none. */
export const roleByGroups = (claims: Claims, { claim, roles }: GroupRoles): PersonRole => {
  const groups = claimAt(claims, claim);
  if (groups === undefined)
    throw refused(`the provider says nothing in the claim ${claim}, by which roles are given here`);
  if (!Array.isArray(groups) || groups.length > MAX_GROUPS || groups.some((group) => typeof group !== 'string'))
    throw refused(`the claim ${claim} of the provider is not a list of at most ${MAX_GROUPS} texts`);
  const held = new Set<unknown>(groups);
  const role = PERSON_ROLES.findLast((one) => roles[one]?.some((group) => held.has(group)));
  if (role !== undefined) return role;
  throw refused('none of your groups at the provider has a role here; the admins of this gateway give them');
};

/** Throws FORBIDDEN unless the provider says that a person was recognised as well as the settings ask, such as by two factors. */
export const checkStrength = (claims: Claims, { acr, amr }: Pick<DirectorySettings, 'acr' | 'amr'>): void => {
  if (acr.length > 0 && !acr.some((one) => one === claims['acr']))
    throw refused(`the provider does not say that you signed in as asked for here: acr has to be ${acr.join(' or ')}`);
  const methods = claims['amr'];
  const used = new Set<unknown>(Array.isArray(methods) ? methods : []);
  const missing = amr.filter((one) => !used.has(one));
  if (missing.length > 0)
    throw refused(`the provider does not say that you signed in as asked for here: amr lacks ${missing.join(', ')}`);
};

const refused = (message: string): WeighbridgeError => new WeighbridgeError('FORBIDDEN', message);

/** A name with dots in it may be a claim's own; then that one counts. */
const claimAt = (claims: Claims, claim: string): unknown =>
  Object.hasOwn(claims, claim)
    ? claims[claim]
    : claim
        .split('.')
        .reduce<unknown>((at, part) => (isMap(at) && Object.hasOwn(at, part) ? at[part] : undefined), claims);

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
