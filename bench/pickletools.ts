import { DIFFERENCES } from '../test/support/pickle-differences.ts';
import { type Comparison, compareStreams } from '../test/support/pickle-differential.ts';
import type { Bench, Row } from './support/bench.ts';

const STREAMS = 1_000_000;
/** Batches have this seed and those that follow. */
const SEED = 1;
/** Streams between two lines of progress. */
const PROGRESS = 50_000;
/** Mistakes that are shown. */
const SHOWN = 20;

/**
 * The pickle machine against CPython's pickletools over generated streams: opcode, operand and position of every token,
 * and where a stream is refused. Fails on a difference that is not documented (test/support/pickle-differences.ts), on
 * one that is documented and did not occur, and when a stream was executed.
 */
export const bench: Bench = {
  name: 'pickletools',
  title: 'A million generated pickle streams, token by token, against pickletools',
  async run() {
    const began = performance.now();
    const compared = await compareStreams(STREAMS, SEED, ({ streams, unexplained }) => {
      if (streams % PROGRESS !== 0) return;
      process.stderr.write(`pickletools: ${streams} streams, ${unexplained.length} unexplained differences\n`);
    });
    const wrong = compared.unexplained.slice(0, SHOWN).join('\n\n');
    if (wrong !== '') throw new Error(`${compared.unexplained.length} differences that nothing explains:\n${wrong}`);
    const unseen = DIFFERENCES.filter(({ name, ofOlder }) => !ofOlder && !compared.explained.has(name)).map(
      ({ name }) => name,
    );
    if (unseen.length > 0) throw new Error(`documented, but did not occur: ${unseen.join('; ')}`);
    return rowsOf(compared, (performance.now() - began) / 1000);
  },
};

const rowsOf = (compared: Comparison, seconds: number): Row[] => {
  const count = (what: string, ours: number, unit: string, aim = ''): Row => ({ what, ours, unit, aim });
  const documented = [...compared.explained].sort(([a], [b]) => a.localeCompare(b));
  return [
    count('streams', compared.streams, 'streams', '1,000,000'),
    count('tokens', compared.tokens, 'tokens'),
    count('read to STOP by both, token by token the same', compared.stopped, 'streams'),
    count('refused by both at the same opcode', compared.refused, 'streams'),
    count('run to STOP by the machine with its stack', compared.ran, 'streams'),
    ...documented.map(([name, times]) => count(name, times, 'streams')),
    count('differences that nothing explains', compared.unexplained.length, 'streams', '0'),
    count('streams compared', compared.streams / seconds, '/s'),
  ];
};
