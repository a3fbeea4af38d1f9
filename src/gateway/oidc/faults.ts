import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { isFault, WeighbridgeError } from '../../errors.ts';

/** Causes of causes that are looked through. */
const MAX_DEPTH = 8;
/** What an error of the protocol may be called (RFC 6749, 4.1.2.1), so that nothing else is repeated to anybody. */
const CODE = /^[a-z_]{1,60}$/;
/** Errors of the protocol that are no fault of the person's. */
const OURS: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'invalid_scope',
  'invalid_request',
  'server_error',
  'temporarily_unavailable',
]);

/** Why the provider cannot be asked, as IDENTITY_UNAVAILABLE. What the library holds (answers, tokens) stays out of it. */
export const awayFrom = (error: unknown): WeighbridgeError => {
  const fault = faultIn(error);
  return fault?.code === 'IDENTITY_UNAVAILABLE' ? fault : away(fault?.message ?? wordsOf(error));
};

/**
 * Why nobody was signed in, as IDENTITY_UNAVAILABLE or FORBIDDEN. `subject` is the person where the provider has said who it
 * is. Answers, codes and tokens that the library's errors carry go no further.
 */
export const refusalOf = (error: unknown, subject?: string): WeighbridgeError => {
  const fault = faultIn(error);
  const details = { signIn: 'oidc', ...(subject !== undefined && { account: subject }) };
  if (fault !== undefined)
    return fault.code === 'FORBIDDEN' ? new WeighbridgeError('FORBIDDEN', fault.message, details) : awayFrom(fault);
  if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError) {
    const code = CODE.test(error.error) ? error.error : 'an error';
    if (OURS.has(code)) return away(`it says ${code}`);
    return new WeighbridgeError('FORBIDDEN', `the identity provider says ${code}`, details);
  }
  if (error instanceof ClientError && error.code === 'OAUTH_RESPONSE_IS_NOT_CONFORM') return away(wordsOf(error));
  return new WeighbridgeError(
    'FORBIDDEN',
    `what the identity provider said is not accepted: ${wordsOf(error)}`,
    details,
  );
};

const away = (why: string): WeighbridgeError =>
  new WeighbridgeError('IDENTITY_UNAVAILABLE', `nobody can sign in at the identity provider now: ${why}`);

const faultIn = (error: unknown): WeighbridgeError | undefined => {
  for (let [at, depth] = [error, 0]; at instanceof Error && depth < MAX_DEPTH; at = at.cause, depth += 1)
    if (isFault(at)) return at;
  return undefined;
};

/** The library's sentences are its own; those of other errors may quote what was read. */
const wordsOf = (error: unknown): string =>
  error instanceof ClientError ? error.message.slice(0, 200) : 'its answer cannot be read';
