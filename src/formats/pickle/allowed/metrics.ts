import { constantsOnly, plainState } from '../rules/general.ts';
import { fromPairs } from '../rules/stdlib.ts';
import { buildable, type Row, record, reference } from './roles.ts';

/** Letters of its alias that a class of chemprop is made with (`__getnewargs__` of a text). */
const LETTERS = 64;

/** chemprop 2: modules of torch whose attributes a pickle sets; no `__setstate__`, `__reduce__` or `__new__` of their own. */
const CHEMPROP: Readonly<Record<string, readonly string[]>> = {
  transforms: ['ScaleTransform', 'UnscaleTransform', 'GraphTransform'],
  agg: ['MeanAggregation', 'SumAggregation', 'NormAggregation', 'AttentiveAggregation'],
  'message_passing.base': ['BondMessagePassing', 'AtomMessagePassing'],
  predictors: [
    ...['RegressionFFN', 'MveFFN', 'EvidentialFFN', 'QuantileFFN', 'BinaryClassificationFFN', 'BinaryDirichletFFN'],
    ...['MulticlassClassificationFFN', 'MulticlassDirichletFFN', 'SpectralFFN', '_Exp'],
  ],
};
/**
 * Metrics of chemprop over torchmetrics, whose `__setstate__` updates the attributes and wraps `update` and `compute`
 * without calling them.
 */
const METRICS = [
  ...['MSE', 'MAE', 'RMSE', 'BoundedMSE', 'BoundedMAE', 'BoundedRMSE', 'R2Score', 'MVELoss', 'EvidentialLoss'],
  ...['PointQuantileLoss', 'BCELoss', 'CrossEntropyLoss', 'BinaryMCCLoss', 'BinaryMCCMetric', 'MulticlassMCCLoss'],
  ...['MulticlassMCCMetric', 'BinaryAUROC', 'BinaryAUPRC', 'BinaryAccuracy', 'BinaryF1Score', 'DirichletLoss', 'SID'],
  ...['Wasserstein', 'QuantileLoss'],
];

/** What checkpoints of Lightning keep beside their weights: parameters, metrics, and what a model was trained for. */
export const metricRows: readonly Row[] = [
  ...Object.entries(CHEMPROP).map(([module, names]): Row => [`chemprop.nn.${module}`, names, record('library')]),
  ['chemprop.nn.metrics', METRICS, buildable('library', constantsOnly(LETTERS), plainState)],
  // Each reduces a tensor along its first axis, or asks whether processes are connected.
  [
    'torchmetrics.utilities.data',
    ['dim_zero_sum', 'dim_zero_cat', 'dim_zero_mean', 'dim_zero_max', 'dim_zero_min'],
    reference('library'),
  ],
  ['torchmetrics.metric', ['jit_distributed_available'], reference('library')],
  // A dict whose attributes are its items.
  [
    'lightning.fabric.utilities.data',
    ['AttributeDict'],
    buildable('trainer', fromPairs, plainState, { container: 'mapping' }),
  ],
  // An empty class, kept for models from before pyannote.audio 3.
  ['pyannote.audio.core.model', ['Introspection'], record('trainer')],
];
