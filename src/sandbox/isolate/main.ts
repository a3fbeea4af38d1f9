import './text.ts';
import { prepareRules } from '../../content/injection/prepare.ts';
import { inspect } from '../../formats/index.ts';
import { overRanges, type ReadRange } from './ranges.ts';
import { warmUp } from './warm-up.ts';

/** What the worker calls in a fresh isolate: the report of a file of `size` bytes, as JSON. `options` is JSON too. */
const inspectFile = (read: ReadRange, size: number, options: string): string => {
  const parsed: Parameters<typeof inspect>[1] = JSON.parse(options);
  return JSON.stringify(inspect(overRanges(size, read, parsed?.provisional), parsed));
};

// Made here, the tables are part of the snapshot: no isolate makes them again.
prepareRules();

Object.assign(globalThis, { inspectFile, warmUp });
