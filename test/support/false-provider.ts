import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { CLIENT } from './identity-provider.ts';
import { answering } from './wire.ts';

/** What a provider that nobody should believe says next. */
export type Lies = {
  /** Over what it says of itself. */
  readonly document?: object;
  readonly claims?: object;
  readonly header?: object;
  /** Another key than the one that it shows. */
  readonly strangeKey?: boolean;
  /** Over the whole answer of the place of that path: a status, and a body as it is sent. */
  readonly answers?: Readonly<
    Record<string, { readonly status?: number; readonly body?: string; readonly wait?: number }>
  >;
};

export type FalseProvider = {
  readonly issuer: string;
  /** Requests so far: method, path, and Authorization. */
  readonly seen: { readonly path: string; readonly authorization: string; readonly body: string }[];
  /** From now on. */
  say(lies: Lies): void;
};

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A provider on loopback that says what a test wants; for a client that it is told nothing false, an honest one. */
export const startFalseProvider = async (t: Pick<Test, 'teardown'>): Promise<FalseProvider> => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const strange = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...keys.publicKey.export({ format: 'jwk' }), use: 'sig', kid: 'k', alg: 'RS256' };
  const seen: FalseProvider['seen'] = [];
  let lies: Lies = {};
  let issuer = '';

  const idToken = (): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, sub: 'mallory', aud: CLIENT.id, iat: now, exp: now + 300, groups: ['ml-admins'] };
    const head = { alg: 'RS256', kid: 'k', ...lies.header };
    const signed = `${base64(head)}.${base64({ ...claims, ...lies.claims })}`;
    if (head.alg === 'none') return `${signed}.`;
    const { privateKey } = lies.strangeKey === true ? strange : keys;
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  };
  const document = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
    userinfo_endpoint: `${issuer}/userinfo`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'none', 'HS256'],
    ...lies.document,
  });
  const answer = (path: string): object | undefined => {
    if (path === '/.well-known/openid-configuration') return document();
    if (path === '/jwks') return { keys: [jwk] };
    if (path === '/token') return { access_token: 'canary-access-token', token_type: 'Bearer', id_token: idToken() };
    if (path === '/userinfo') return { sub: 'mallory', groups: ['ml-viewers'] };
    return undefined;
  };

  const server = createServer(
    answering(async (request, response) => {
      const [path = ''] = (request.url ?? '').split('?');
      seen.push({ path, authorization: request.headers.authorization ?? '', body: await text(request) });
      const told = lies.answers?.[path];
      if (told?.wait !== undefined) await new Promise((resolve) => setTimeout(resolve, told.wait).unref());
      const json = answer(path);
      response.writeHead(told?.status ?? (json === undefined ? 404 : 200), { 'content-type': 'application/json' });
      response.end(told?.body ?? JSON.stringify(json));
    }),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    seen,
    say(next) {
      lies = next;
    },
  };
};
