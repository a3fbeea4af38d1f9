import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Configuration, Provider } from 'oidc-provider';
import type { Test } from 'tap';
import type { Certificates } from './certificates.ts';
import { answering } from './wire.ts';

/** What the provider says of a person, by what they type as their name there. */
export type Directory = Record<string, Record<string, unknown>>;

export type IdentityProvider = {
  readonly issuer: string;
  /** May be changed while it runs. */
  readonly people: Directory;
  /** Begins to answer, for a gateway at these URLs. Until then it is away. */
  serve(...gateways: readonly string[]): void;
  /** Is away again. */
  leave(): void;
};

export const CLIENT = { id: 'weighbridge', secret: 'canary-secret-of-the-client-at-the-provider' };

/**
 * A certified OpenID provider on loopback, over TLS where there are certificates. With `inToken` the claim `groups` stands in ID
 * tokens, else it is told at the userinfo endpoint only, as the standard has it.
 */
export const startIdentityProvider = async (
  t: Pick<Test, 'teardown'>,
  people: Directory,
  options: { readonly certificates?: Certificates; readonly inToken?: boolean } = {},
): Promise<IdentityProvider> => {
  const { certificates, inToken = false } = options;
  let handler: Parameters<typeof answering>[0] | undefined;
  const listener: RequestListener = (request, response) => {
    if (handler === undefined) response.writeHead(503).end();
    else answering(handler)(request, response);
  };
  const server =
    certificates === undefined
      ? createServer(listener)
      : createTlsServer({ cert: readFileSync(certificates.cert), key: readFileSync(certificates.key) }, listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const issuer = certificates === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'first', alg: 'RS256' };
  const configure = (gateways: readonly string[]): Configuration => ({
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: gateways.map((url) => `${url}/api/v1/session/oidc/callback`),
        post_logout_redirect_uris: gateways.map((url) => `${url}/`),
      },
    ],
    jwks: { keys: [key] as never },
    cookies: { keys: ['a key of the provider for its cookies'] },
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    conformIdTokenClaims: !inToken,
    // Said, so that it does not warn of what it takes for granted.
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    features: {
      rpInitiatedLogout: {
        logoutSource(context, form) {
          context.body = form;
        },
      },
    },
    pkce: { required: () => true },
    findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, ...people[id] }) }),
  });
  return {
    issuer,
    people,
    serve(...gateways) {
      handler = quietly(() => new Provider(issuer, configure(gateways))).callback();
    },
    leave() {
      handler = undefined;
    },
  };
};

/** Without its advice for whoever would run it for others. */
const quietly = <T>(make: () => T): T => {
  const { info, warn } = console;
  console.info = () => undefined;
  console.warn = () => undefined;
  try {
    return make();
  } finally {
    Object.assign(console, { info, warn });
  }
};
