import { createHash } from 'node:crypto';
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { WeighbridgeError } from '../../errors.ts';
import {
  checkStrength,
  type DirectorySettings,
  nameInDirectory,
  roleByGroups,
  shownInDirectory,
  tellsGroups,
} from '../../identity/directory.ts';
import type { Exchange } from '../../upstream/exchange.ts';
import type { Person, Sessions } from '../sessions.ts';
import { type Attempt, createAttempts } from './attempt.ts';
import { refusalOf } from './faults.ts';
import { createProvider } from './provider.ts';

/** Where people sign in who are known to an OpenID provider. */
export type Directory = {
  readonly issuer: string;
  /** Where to send a person, to be seen `again` if so, and what their browser keeps meanwhile. Throws IDENTITY_UNAVAILABLE. */
  begin(
    redirect: string,
    back: string,
    again?: boolean,
  ): Promise<{ readonly location: string; readonly attempt: string }>;
  /**
   * Who came back: `kept` is what the browser kept, `query` what the provider sent with them. Throws FORBIDDEN for whatever does
   * not prove who it is, and for people without a role, whose sessions end; IDENTITY_UNAVAILABLE when it cannot be asked.
   */
  finish(kept: string, query: string): Promise<{ readonly person: Person; readonly back: string }>;
  /** Where a person is signed out of the provider, to come back to `home`; undefined where it has no such place. */
  signOutAt(home: string): Promise<string | undefined>;
};

/** Finished at a time; each asks the provider two or three times. */
const AT_ONCE = 50;

/** What a session of the directory was opened under: when it changes, people sign in again. */
export const directoryDigest = ({ acr, amr, issuer, clientId, groups }: DirectorySettings): string =>
  createHash('sha256')
    .update(JSON.stringify([issuer, clientId, groups, ...(acr.length + amr.length > 0 ? [acr, amr] : [])]))
    .digest('hex');

/** The directory of these settings. `secret`: 32 bytes that all replicas of the gateway have. */
export const openDirectory = (
  settings: DirectorySettings,
  exchange: Exchange,
  sessions: Sessions,
  secret: Uint8Array,
): Directory => {
  const provider = createProvider(settings, exchange);
  const attempts = createAttempts(secret);
  const scope = [...new Set(['openid', ...settings.scopes])].join(' ');
  let running = 0;

  return {
    issuer: settings.issuer,

    async begin(redirect, back, again = false) {
      const configuration = await provider.current();
      const [state, nonce, verifier] = [randomState(), randomNonce(), randomPKCECodeVerifier()];
      const location = buildAuthorizationUrl(configuration, {
        redirect_uri: redirect,
        scope,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(settings.acr.length > 0 && { acr_values: settings.acr.join(' ') }),
        ...(again && { prompt: 'login', max_age: '0' }),
      });
      const attempt = attempts.seal({ state, nonce, verifier, redirect, back, again, at: Date.now() });
      return { location: location.href, attempt };
    },

    async finish(kept, query) {
      const attempt = attempts.open(kept);
      if (attempt === undefined)
        throw new WeighbridgeError(
          'FORBIDDEN',
          'this sign-in was not begun in this browser, or it took more than ten minutes: begin again',
          { signIn: 'oidc' },
        );
      if (running >= AT_ONCE)
        throw new WeighbridgeError('RATE_LIMITED', 'too many sign in at once', { signIn: 'oidc' });
      running += 1;
      try {
        return {
          person: await personOf(await provider.current(), settings, sessions, attempt, query),
          back: attempt.back,
        };
      } finally {
        running -= 1;
      }
    },

    async signOutAt(home) {
      try {
        const configuration = await provider.current();
        if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
        return buildEndSessionUrl(configuration, { post_logout_redirect_uri: home }).href;
      } catch {
        // Here the person is signed out whatever the provider says.
        return undefined;
      }
    },
  };
};

const personOf = async (
  configuration: Configuration,
  settings: DirectorySettings,
  sessions: Sessions,
  attempt: Attempt,
  query: string,
): Promise<Person> => {
  const { groups } = settings;
  let name: string | undefined;
  try {
    const { claims, info } = await claimsOf(configuration, attempt, query, (said) => !tellsGroups(said, groups));
    name = nameInDirectory(claims.iss, claims.sub);
    checkStrength(claims, settings);
    const shown = shownInDirectory(claims) ?? shownInDirectory(info);
    const role = roleByGroups(tellsGroups(claims, groups) ? claims : info, groups);
    return { name, role, via: 'oidc', ...(shown !== undefined && { shown }), ...(attempt.again && { anew: true }) };
  } catch (error) {
    const refusal = refusalOf(error, name);
    // The provider's newest word: whoever has no role any more is signed in nowhere.
    if (name !== undefined && refusal.code === 'FORBIDDEN') await sessions.closeAll(name);
    throw refusal;
  }
};

/** What the provider says of the person: in the ID token, and where that says `tooLittle`, when it is asked for more. */
const claimsOf = async (
  configuration: Configuration,
  { again, at, nonce, redirect, state, verifier }: Attempt,
  query: string,
  tooLittle: (claims: Readonly<Record<string, unknown>>) => boolean,
) => {
  const come = new URL(redirect);
  come.search = query;
  const tokens = await authorizationCodeGrant(configuration, come, {
    expectedState: state,
    expectedNonce: nonce,
    pkceCodeVerifier: verifier,
    idTokenExpected: true,
    // Seen since this sign-in was begun: `auth_time` says so.
    ...(again && { maxAge: Math.ceil((Date.now() - at) / 1000) }),
  });
  const claims = tokens.claims();
  if (claims === undefined) throw new WeighbridgeError('FORBIDDEN', 'the provider sent no ID token');
  const asks = tooLittle(claims) && configuration.serverMetadata().userinfo_endpoint !== undefined;
  const info = asks ? await fetchUserInfo(configuration, tokens.access_token, claims.sub) : {};
  return { claims, info };
};
