import { WeighbridgeError } from '../errors.ts';

/** How long answers wait and what is kept back. Measured with real clients; a test may shorten them. */
export type Timings = {
  /** A HEAD and a listing wait this long for verdicts and plans (ms); clients give up after 10 s. */
  readonly answerWithin: number;
  /** While a verdict is pending, one withheld byte leaves this often (ms); clients time out after 10 s of silence. */
  readonly keepAlive: number;
  /** Bytes at the end of a file that stay back until the verdict. */
  readonly withheld: number;
  /** Of those, the bytes that keeping alive never touches. */
  readonly floor: number;
  /** Files below this size are fetched and judged before anything leaves: the wait is short anyway (bytes). */
  readonly sealedFrom: number;
};

export const TIMINGS: Timings = {
  answerWithin: 8_000,
  keepAlive: 4_000,
  withheld: 64 * 1024,
  floor: 16 * 1024,
  sealedFrom: 8 * 1024 * 1024,
};

const LATE = Symbol('late');

/** The value of `promise`, or undefined when it takes longer than `ms`. The promise goes on. */
export const within = async <V>(promise: Promise<V>, ms: number): Promise<V | undefined> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  try {
    const first = await Promise.race([promise, late]);
    return first === LATE ? undefined : first;
  } finally {
    clearTimeout(timer);
  }
};

/** The value of `promise`, or CANCELLED as soon as `signal` fires. The promise goes on for others. */
export const unlessGone = async <V>(promise: Promise<V>, signal: AbortSignal): Promise<V> => {
  const gone = (): WeighbridgeError => new WeighbridgeError('CANCELLED', 'the client has gone');
  if (signal.aborted) {
    promise.catch(() => undefined);
    throw gone();
  }
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(gone());
    const stay = (): void => signal.removeEventListener('abort', leave);
    signal.addEventListener('abort', leave, { once: true });
    promise.finally(stay).then(resolve, reject);
  });
};
