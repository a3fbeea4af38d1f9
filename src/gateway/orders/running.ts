import type { Entry } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Decision } from '../../policy/types.ts';

/** A body on its way, by what its outcome would say. */
type Running = { readonly entry: () => Going; stopped: Stop | undefined };
type Going = Pick<Entry, 'actor' | 'decision' | 'evidence'>;

/** Why a body ends here: the fault, and the decision that its outcome is entered with. */
export type Stop = { readonly fault: WeighbridgeError; readonly decision?: Decision };

/** What is asked about a body before it begins, and again whenever orders change. */
export type Recheck = (entry: Going) => Promise<Decision | undefined>;

/** Bodies on their way out, so that they can be cut. */
export type RunningBodies = {
  join(entry: Running['entry']): {
    /** Resolves before the first byte: an order may have been placed since the decision. */
    begin(): Promise<void>;
    /** Set once it must end; looked at before each chunk leaves. */
    readonly stopped: Stop | undefined;
    leave(): void;
  };
  /** Ends those of this actor, now and for as long as the process lives. */
  bar(actor: string): void;
  /** Asks about all of them again; resolves to how many were cut. */
  recheck(): Promise<number>;
};

/** No one orders anything where nothing is given: a gateway in a test. */
export const createRunning = (recheck?: { readonly needed: () => boolean; readonly check: Recheck }): RunningBodies => {
  const bodies = new Set<Running>();
  const barred = new Set<string>();

  const stopFor = async (body: Running): Promise<void> => {
    if (body.stopped !== undefined) return;
    const entry = body.entry();
    if (entry.actor !== undefined && barred.has(entry.actor)) {
      body.stopped = { fault: new WeighbridgeError('UNAUTHENTICATED', 'the token was revoked') };
      return;
    }
    if (recheck?.needed() !== true) return;
    const decision = await recheck.check(entry);
    if (decision === undefined) return;
    const { action, reason, rule } = decision;
    body.stopped = { fault: new WeighbridgeError('REFUSED', reason, { action, rule }), decision };
  };

  /** What cannot be asked about does not go on. */
  const stop = (body: Running): Promise<void> =>
    stopFor(body).catch((cause: unknown) => {
      body.stopped = { fault: new WeighbridgeError('REFUSED', 'an order could not be checked', {}, { cause }) };
    });

  return {
    join(entry) {
      const body: Running = { entry, stopped: undefined };
      bodies.add(body);
      return {
        begin: () => stop(body),
        get stopped() {
          return body.stopped;
        },
        leave: () => void bodies.delete(body),
      };
    },
    bar(actor) {
      barred.add(actor);
      for (const body of bodies) void stop(body);
    },
    async recheck() {
      const running = [...bodies];
      await Promise.all(running.map(stop));
      return running.filter(({ stopped }) => stopped !== undefined).length;
    },
  };
};
