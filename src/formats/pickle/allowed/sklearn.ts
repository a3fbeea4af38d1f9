import { anyArguments, anyState, noArguments, plainState } from '../rules/general.ts';
import { fromPairs } from '../rules/stdlib.ts';
import { predictorState, tree, treeState } from '../rules/trees.ts';
import { SKLEARN_ESTIMATORS } from './estimators.ts';
import { buildable, callable, type Row, record, reference, stateful } from './roles.ts';

const LOSSES = [
  'HalfSquaredError',
  'AbsoluteError',
  'PinballLoss',
  'HuberLoss',
  'HalfPoissonLoss',
  'HalfGammaLoss',
  'HalfTweedieLoss',
  'HalfTweedieLossIdentity',
  'HalfBinomialLoss',
  'HalfMultinomialLoss',
  'ExponentialLoss',
];
const COMPILED_LOSSES = [...LOSSES.map((name) => `Cy${name}`)];

const SGD_LOSSES = [
  'Hinge',
  'Log',
  'ModifiedHuber',
  'SquaredHinge',
  'SquaredLoss',
  'Huber',
  'EpsilonInsensitive',
  'SquaredEpsilonInsensitive',
  'Regression',
  'Classification',
];

const KERNELS = [
  'Sum',
  'Product',
  'Exponentiation',
  'ConstantKernel',
  'WhiteKernel',
  'RBF',
  'Matern',
  'RationalQuadratic',
  'ExpSineSquared',
  'DotProduct',
  'PairwiseKernel',
  'CompoundKernel',
];

const METRICS = [
  'Euclidean',
  'SEuclidean',
  'Manhattan',
  'Chebyshev',
  'Minkowski',
  'Mahalanobis',
  'Hamming',
  'Canberra',
  'BrayCurtis',
  'Jaccard',
  'Matching',
  'Dice',
  'Kulsinski',
  'RogersTanimoto',
  'RussellRao',
  'SokalMichener',
  'SokalSneath',
  'Haversine',
].flatMap((name) => [`${name}Distance`, `${name}Distance64`, `${name}Distance32`]);

/** Functions that estimators and scorers keep by reference: they compute a number from arrays. */
const SCORES = {
  'sklearn.metrics._classification': [
    'accuracy_score',
    'balanced_accuracy_score',
    'brier_score_loss',
    'cohen_kappa_score',
    'f1_score',
    'fbeta_score',
    'hamming_loss',
    'hinge_loss',
    'jaccard_score',
    'log_loss',
    'matthews_corrcoef',
    'precision_score',
    'recall_score',
    'zero_one_loss',
  ],
  'sklearn.metrics._regression': [
    'explained_variance_score',
    'max_error',
    'mean_absolute_error',
    'mean_absolute_percentage_error',
    'mean_squared_error',
    'mean_squared_log_error',
    'median_absolute_error',
    'r2_score',
    'root_mean_squared_error',
  ],
  'sklearn.metrics._ranking': ['average_precision_score', 'ndcg_score', 'roc_auc_score', 'top_k_accuracy_score'],
};

const SPLITTERS = [
  'KFold',
  'GroupKFold',
  'StratifiedKFold',
  'StratifiedGroupKFold',
  'TimeSeriesSplit',
  'LeaveOneOut',
  'LeavePOut',
  'LeaveOneGroupOut',
  'LeavePGroupsOut',
  'RepeatedKFold',
  'RepeatedStratifiedKFold',
  'ShuffleSplit',
  'GroupShuffleSplit',
  'StratifiedShuffleSplit',
  'PredefinedSplit',
];

/** Estimators of scikit-learn and what they keep inside. */
export const sklearnRows: readonly Row[] = [
  ...Object.entries(SKLEARN_ESTIMATORS).map(([module, names]): Row => [module, names, record('library')]),
  ['sklearn.tree._tree', ['Tree'], buildable('library', tree, treeState)],
  [
    'sklearn.ensemble._hist_gradient_boosting.predictor',
    ['TreePredictor'],
    buildable('library', noArguments, predictorState),
  ],
  ['sklearn._loss.loss', LOSSES, record('library')],
  ['sklearn._loss._loss', COMPILED_LOSSES, stateful('library')],
  ['_loss', COMPILED_LOSSES, stateful('library')],
  ['sklearn.metrics._scorer', ['_passthrough_scorer'], reference('library')],
  ['sklearn.impute._iterative', ['_ImputerTriplet'], callable('library', anyArguments)],
  [
    'sklearn.covariance._graph_lasso',
    ['_DictWithDeprecatedKeys'],
    buildable('library', fromPairs, plainState, { container: 'mapping' }),
  ],
  ['sklearn.cluster._birch', ['_CFNode', '_CFSubcluster'], record('library')],
  ['sklearn.cluster._bisect_k_means', ['_BisectingTree'], record('library')],
  ['sklearn.cluster._kmeans', ['_kmeans_single_lloyd', '_kmeans_single_elkan'], reference('library')],
  ['sklearn.utils._metadata_requests', ['MetadataRequest', 'MethodMetadataRequest'], record('library')],
  ['numpy', ['mean', 'median', 'average'], reference('data')],
  ['scipy._lib.array_api_compat.numpy._aliases', ['asarray'], reference('data')],
  ['sklearn._loss._loss', COMPILED_LOSSES.map((name) => `__pyx_unpickle_${name}`), stateful('library')],
  ['_loss', COMPILED_LOSSES.map((name) => `__pyx_unpickle_${name}`), stateful('library')],
  [
    'sklearn._loss.link',
    ['Interval', 'IdentityLink', 'LogLink', 'LogitLink', 'HalfLogitLink', 'MultinomialLogit'],
    buildable('library', anyArguments, plainState),
  ],
  ['sklearn.linear_model._sgd_fast', SGD_LOSSES, stateful('library')],
  ['sklearn.linear_model.sgd_fast', SGD_LOSSES, stateful('library')],
  ['sklearn.calibration', ['_CalibratedClassifier', '_SigmoidCalibration'], record('library')],
  ['sklearn.model_selection._split', SPLITTERS, record('library')],
  ['sklearn.neural_network._stochastic_optimizers', ['SGDOptimizer', 'AdamOptimizer'], record('library')],
  [
    'sklearn.metrics._scorer',
    ['_Scorer', '_PredictScorer', '_ProbaScorer', '_ThresholdScorer', '_PassthroughScorer'],
    record('library'),
  ],
  ...Object.entries(SCORES).map(([module, names]): Row => [module, names, reference('library')]),
  ['sklearn.gaussian_process.kernels', ['Hyperparameter'], stateful('library')],
  ['scipy.interpolate._interpolate', ['interp1d'], record('library')],
  ['scipy.interpolate.interpolate', ['interp1d'], record('library')],
  ['scipy.interpolate._bsplines', ['BSpline'], record('library')],
  ['sklearn.linear_model._linear_loss', ['LinearModelLoss'], record('library')],
  ['sklearn.gaussian_process.kernels', KERNELS, record('library')],
  ['sklearn.neighbors._kd_tree', ['KDTree', 'KDTree64', 'KDTree32', 'newObj'], stateful('library')],
  ['sklearn.neighbors._ball_tree', ['BallTree', 'BallTree64', 'BallTree32', 'newObj'], stateful('library')],
  ['sklearn.metrics._dist_metrics', [...METRICS, 'newObj'], stateful('library')],
  ['sklearn.utils._bunch', ['Bunch'], buildable('library', fromPairs, plainState, { container: 'mapping' })],
  ['sklearn.utils', ['Bunch'], buildable('library', fromPairs, plainState, { container: 'mapping' })],
  [
    'sklearn.utils.deprecation',
    ['DeprecationDict'],
    buildable('library', fromPairs, anyState, { container: 'mapping' }),
  ],
  [
    'sklearn.ensemble._gb_losses',
    ['BinomialDeviance', 'MultinomialDeviance', 'LeastSquaresError', 'ExponentialLoss'],
    record('library'),
  ],
  [
    'sklearn.feature_selection._univariate_selection',
    ['f_classif', 'chi2', 'f_regression', 'f_oneway', 'r_regression'],
    reference('library'),
  ],
];
