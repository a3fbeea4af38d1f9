import type { Format } from '../format.ts';
import { qdrantLog } from '../rocksdb/qdrant-log.ts';
import { qdrantGraph } from './graph.ts';
import { qdrantMappings } from './mappings.ts';
import { qdrantNumbers } from './numbers.ts';
import { qdrantPage } from './page.ts';
import { qdrantTracker } from './tracker.ts';
import { qdrantValues } from './values.ts';
import { qdrantVectors } from './vectors.ts';

/** The log of Qdrant and files of its segments; bits and numbers without a mark lie beside those that tell of them. */
export const qdrantFormats: readonly Format[] = [
  qdrantLog,
  qdrantPage,
  qdrantTracker,
  qdrantMappings,
  qdrantGraph,
  qdrantVectors,
  qdrantValues,
  qdrantNumbers,
];
