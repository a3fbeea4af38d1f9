import type { ReleaseBook } from './book.ts';
import type { Clock } from './clock.ts';

/** What a judge asks of the quarantine. */
export type Releases = Pick<ReleaseBook, 'covering'> & Pick<Clock, 'hold'>;

/** Where nothing is ever released: a gateway in a test. */
export const NO_RELEASES: Releases = { covering: () => [], hold: async () => undefined };
