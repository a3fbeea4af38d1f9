import { WeighbridgeError } from '../errors.ts';
import { recognise, type SignInOffice } from '../gateway/account-office.ts';
import { createThrottle } from './throttle.ts';

/** Whoever finds a browser open may guess as slowly as whoever signs in. */
const OF_ACCOUNT = { burst: 10, perSecond: 1 / 60, slots: 16_384 };

/** Lets who is signed in with an account prove it by its password. Throws RATE_LIMITED, and what `recognise` throws. */
export const createProof = (office: SignInOffice): ((name: string, password: string) => Promise<void>) => {
  const attempts = createThrottle(OF_ACCOUNT);
  return async (name, password) => {
    if (!attempts.take(name))
      throw new WeighbridgeError('RATE_LIMITED', 'too many attempts; wait a minute', { signIn: 'account' });
    await recognise(office, name, password);
  };
};
