import { boostingRows } from './allowed/boosting.ts';
import { checkpointRows } from './allowed/checkpoints.ts';
import { metricRows } from './allowed/metrics.ts';
import { moduleRows } from './allowed/modules.ts';
import { numpyRows } from './allowed/numpy.ts';
import { pandasRows } from './allowed/pandas.ts';
import type { Row } from './allowed/roles.ts';
import { sklearnRows } from './allowed/sklearn.ts';
import { stdlibRows } from './allowed/stdlib.ts';
import { torchRows } from './allowed/torch.ts';
import { trainerRows } from './allowed/trainer.ts';
import type { Allowed } from './allowed/types.ts';

const ROWS: readonly Row[] = [
  ...torchRows,
  ...checkpointRows,
  ...stdlibRows,
  ...numpyRows,
  ...trainerRows,
  ...moduleRows,
  ...sklearnRows,
  ...pandasRows,
  ...boostingRows,
  ...metricRows,
];

/** A module and a name may both hold dots; a line feed between them keeps `a` + `b.c` and `a.b` + `c` apart. */
const TABLE: ReadonlyMap<string, Allowed> = new Map(
  ROWS.flatMap(([module, names, roles]) => names.map((name) => [`${module}\n${name}`, roles] as const)),
);

/** What the allow-list says of `module.name`, compared as a whole; undefined when it is on no list. */
export const allowedName = (module: string, name: string): Allowed | undefined => TABLE.get(`${module}\n${name}`);

/** Top-level packages that an allowed pickle imports; a file of that name beside a model would be imported instead. */
export const allowedRoots: ReadonlySet<string> = new Set(ROWS.map(([module]) => module.split('.')[0] ?? module));

/** Names on the allow-list. */
export const allowedCount = TABLE.size;
