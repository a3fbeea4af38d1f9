import { archiveSamples } from './archives.ts';
import { boostingSamples } from './boosting.ts';
import { dataSamples } from './data.ts';
import { documentSamples } from './documents.ts';
import { estimatorSamples } from './estimators.ts';
import { exportedSamples } from './exported.ts';
import { graphSamples } from './graphs.ts';
import { indexSamples } from './indexes.ts';
import { kerasSamples } from './keras.ts';
import { lanceSamples } from './lance.ts';
import { languageSamples } from './language.ts';
import { mediaSamples } from './media.ts';
import { modelSamples } from './models.ts';
import { mojoSamples } from './mojo.ts';
import { partSamples } from './parts.ts';
import { pickleSamples } from './pickles.ts';
import { programSamples } from './programs.ts';
import { qdrantSamples } from './qdrant.ts';
import { rocksdbSamples } from './rocksdb.ts';
import { serialisedSamples } from './serialised.ts';
import { storeSamples } from './stores.ts';
import { tensorflowSamples } from './tensorflow.ts';
import { tensorSamples } from './tensors.ts';
import { textSamples } from './text.ts';
import { torchSamples } from './torch.ts';
import type { Samples } from './types.ts';
import { vectorSamples } from './vectors.ts';

/** The samples of every registered format: a new format brings its own, or test/formats/registry.test.ts fails. */
export const samples: readonly Samples[] = [
  ...tensorSamples,
  ...pickleSamples,
  ...torchSamples,
  ...archiveSamples,
  ...textSamples,
  ...programSamples,
  ...dataSamples,
  ...mediaSamples,
  ...modelSamples,
  ...graphSamples,
  ...boostingSamples,
  ...mojoSamples,
  ...estimatorSamples,
  ...tensorflowSamples,
  ...serialisedSamples,
  ...documentSamples,
  ...kerasSamples,
  ...indexSamples,
  ...languageSamples,
  ...exportedSamples,
  ...vectorSamples,
  ...lanceSamples,
  ...storeSamples,
  ...rocksdbSamples,
  ...qdrantSamples,
  ...partSamples,
];
