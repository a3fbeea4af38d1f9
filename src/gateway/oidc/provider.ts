import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client';
import { WeighbridgeError } from '../../errors.ts';
import type { DirectorySettings } from '../../identity/directory.ts';
import type { Exchange } from '../../upstream/exchange.ts';
import { awayFrom } from './faults.ts';

/** What a provider says about itself, kept for a while. */
export type Provider = {
  /** Throws IDENTITY_UNAVAILABLE, in words, when it does not answer, or not as the provider that was configured. */
  current(): Promise<Configuration>;
};

/** ms that its document counts for: keys are asked for anew by themselves, endpoints hardly ever change. */
const FRESH = 10 * 60_000;
/** ms that an old document counts for while the provider does not tell it anew. */
const STALE = 24 * 3_600_000;
/** ms after a failure before it is asked again: people who wait must not knock for each other. */
const PAUSE = 2_000;
/** Seconds of one request of the library's; the exchange ends earlier by itself. */
const TIMEOUT = 20;

/** The provider of these settings; the first who signs in asks for its document. */
export const createProvider = (
  settings: DirectorySettings,
  exchange: Exchange,
  now: () => number = Date.now,
): Provider => {
  let known: { readonly configuration: Configuration; readonly at: number } | undefined;
  let failed: { readonly error: unknown; readonly at: number } | undefined;
  let asking: Promise<Configuration> | undefined;

  const ask = async (): Promise<Configuration> => {
    try {
      const configuration = await discover(settings, exchange);
      known = { configuration, at: now() };
      failed = undefined;
      return configuration;
    } catch (error) {
      failed = { error: awayFrom(error), at: now() };
      if (known !== undefined && now() - known.at < STALE) return known.configuration;
      throw failed.error;
    } finally {
      asking = undefined;
    }
  };

  return {
    async current() {
      if (known !== undefined && now() - known.at < FRESH) return known.configuration;
      if (failed !== undefined && now() - failed.at < PAUSE) {
        if (known !== undefined && now() - known.at < STALE) return known.configuration;
        throw failed.error;
      }
      asking ??= ask();
      return asking;
    },
  };
};

const discover = async (settings: DirectorySettings, exchange: Exchange): Promise<Configuration> => {
  const { issuer, clientId, clientSecret } = settings;
  // Settings say http within this machine only.
  const local = issuer.startsWith('http:') ? [allowInsecureRequests] : [];
  const configuration = await discovery(
    new URL(issuer),
    clientId,
    {},
    (server, client, body, headers) => {
      const methods = server.token_endpoint_auth_methods_supported;
      const authenticate =
        clientSecret === undefined
          ? None()
          : methods === undefined || methods.includes('client_secret_basic') || !methods.includes('client_secret_post')
            ? ClientSecretBasic(clientSecret)
            : ClientSecretPost(clientSecret);
      return authenticate(server, client, body, headers);
    },
    {
      // Without the last the signature of an ID token that came from the provider itself would not be looked at.
      execute: [...local, enableNonRepudiationChecks],
      [customFetch]: (url, options) => exchange.send(url, options),
      timeout: TIMEOUT,
    },
  );
  const { issuer: named, authorization_endpoint: there = '' } = configuration.serverMetadata();
  // The library lets one issuer with a template in its name pass, which would let in everybody of every tenant.
  if (!URL.canParse(named) || new URL(named).href !== new URL(issuer).href)
    throw unlike(`it calls itself ${named.slice(0, 200)}, not ${issuer}: name one tenant as the issuer`);
  if (!URL.canParse(there) || !isSafe(new URL(there), new URL(issuer)))
    throw unlike('it names no place, reached over TLS, to sign in at');
  return configuration;
};

/** Nobody is sent to sign in over plain HTTP but to the provider's own place within this machine. */
const isSafe = (url: URL, issuer: URL): boolean => url.protocol === 'https:' || url.origin === issuer.origin;

const unlike = (message: string): WeighbridgeError => new WeighbridgeError('IDENTITY_UNAVAILABLE', message);
