import type { FastifyRequest } from 'fastify';
import type { AccessLog } from '../audit/types.ts';
import type { WeighbridgeError } from '../errors.ts';

/** Told of every call that was not let in. */
export type Refusals = (request: FastifyRequest, fault: WeighbridgeError) => void;

/** Entries of refused calls that may follow at once, and those of each second after that: nobody fills a disk by knocking. */
const BURST = 100;
const PER_SECOND = 5;

/**
 * Enters refused calls (401, 403 and 429), and refused attempts to sign in, in the log, as many as the rate allows. The next entry after that says how many were
 * left out in `detail.unlisted`, so that none goes uncounted.
 */
export const refusalsInto = (log: AccessLog, now: () => number = Date.now): Refusals => {
  let [allowance, at, unlisted] = [BURST, now(), 0];
  return ({ caller, id, ip, method, routeOptions }, { code, details, message, status }) => {
    const time = now();
    allowance = Math.min(BURST, allowance + ((time - at) / 1000) * PER_SECOND);
    at = time;
    if (allowance < 1) {
      unlisted += 1;
      return;
    }
    const { token, signIn, account } = details;
    const named = [token, account].find((name) => typeof name === 'string');
    const counted = {
      ...(unlisted > 0 && { unlisted }),
      ...(typeof token === 'string' && { token }),
      ...(typeof signIn === 'string' && { via: signIn }),
    };
    try {
      log.enqueue({
        kind: signIn === undefined ? 'access.refused' : 'session.refused',
        request: { id, method, route: routeOptions.url ?? '' },
        actor: log.pseudonym(caller?.name ?? named ?? ip),
        ...(caller !== undefined && caller.team !== '' && { team: caller.team }),
        detail: { status, code, why: message, ...counted },
      });
      [allowance, unlisted] = [allowance - 1, 0];
    } catch {
      // A log that takes nothing refuses everybody; that this one was refused already changes nothing.
      unlisted += 1;
    }
  };
};
