/** What a caller may be, from the least to the most trusted. What each may do stands in http/rights.ts. */
export const ROLES = ['pipeline', 'viewer', 'auditor', 'approver', 'admin'] as const;

export type Role = (typeof ROLES)[number];

/** What a person who signs in may be. */
export const PERSON_ROLES = ['viewer', 'auditor', 'approver', 'admin'] as const;

export type PersonRole = (typeof PERSON_ROLES)[number];

export const isRole = (text: string): text is Role => ROLES.some((role) => role === text);

/** Who called: with a token, or as a person who signed in. */
export type Identity = {
  /** The token's id, or its name in the settings, or the name of a person. Not secret: the log knows the caller by its pseudonym. */
  readonly name: string;
  /** What people call the person, where that is something else. Nothing is decided by it. */
  readonly shown?: string;
  readonly team: string;
  readonly environment: string;
  readonly role: Role;
  /** Ecosystems by name, and `api`, that the token opens; empty: all. */
  readonly scopes: readonly string[];
};
