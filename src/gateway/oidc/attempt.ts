import { hkdfSync } from 'node:crypto';
import { seal, unseal } from '../seal.ts';

/** What has to be remembered of a sign-in while the person is at the provider. */
export type Attempt = {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636). */
  readonly verifier: string;
  /** Where the provider was told to send the person back to. */
  readonly redirect: string;
  /** The path of ours that the person wanted to see. */
  readonly back: string;
  /** The provider has to see the person again, whatever it remembers. */
  readonly again: boolean;
  /** ms since the epoch. */
  readonly at: number;
};

/** Keeps attempts in the browser, sealed: nothing of a sign-in that is never finished stays here. */
export type Attempts = {
  seal(attempt: Attempt): string;
  /** Undefined for what is no attempt of ours, or one that took too long. */
  open(sealed: string): Attempt | undefined;
};

/** ms that a person may take at the provider. */
export const ATTEMPT_LIFE = 10 * 60_000;
/** Characters of a sealed attempt: with the longest path to come back to it has some 1,500. */
const MAX_SEALED = 4000;
const PLACE = 'weighbridge sign-in';

/** `secret`: 32 bytes that all replicas of a gateway have; the key is another one, derived from it. */
export const createAttempts = (secret: Uint8Array, now: () => number = Date.now): Attempts => {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', PLACE, 32));
  return {
    seal: (attempt) => seal(key, PLACE, JSON.stringify(attempt)),
    open(sealed) {
      const text = sealed.length > MAX_SEALED ? undefined : unseal(key, PLACE, sealed);
      if (text === undefined) return undefined;
      // Nobody else can have sealed it.
      const attempt = JSON.parse(text) as Attempt;
      const age = now() - attempt.at;
      return age >= -ATTEMPT_LIFE && age < ATTEMPT_LIFE ? attempt : undefined;
    },
  };
};
