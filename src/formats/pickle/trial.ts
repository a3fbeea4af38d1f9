import type { RandomAccess } from '../../bytes/random-access.ts';
import { looksLikeWith, tryWith } from './attempt.ts';
import { runPickle } from './machine.ts';
import type { PickleRun } from './options.ts';

/** What the stream at `start` does when it is tried out, without findings and within a small budget. */
export const tryPickle = (source: RandomAccess, start: number, end: number): PickleRun =>
  tryWith(runPickle, source, start, end);

/** True when a loader that reads a pickle at `start` would do something; see `looksLikeWith`. */
export const looksLikePickle = (source: RandomAccess, start: number, end: number): boolean =>
  looksLikeWith(runPickle, source, start, end);
