import { constantsOnly, noArguments } from '../rules/general.ts';
import { catboostState, fileResourceState, lightgbmState, xgboostState } from '../rules/models.ts';
import { buildable, callable, type Row, record } from './roles.ts';

/**
 * Models in formats of their own, which a pickle carries as a constant. Read in the sources of lightgbm 4.7,
 * xgboost 1.7, catboost 1.2, sklearn-crfsuite 0.5 and python-crfsuite 0.9.12.
 */
export const boostingRows: readonly Row[] = [
  // BaseEstimator: `__setstate__` of scikit-learn updates the attributes; nothing is constructed from them.
  ['lightgbm.sklearn', ['LGBMModel', 'LGBMClassifier', 'LGBMRegressor', 'LGBMRanker'], record('library')],
  ['lightgbm.basic', ['Booster'], buildable('library', noArguments, lightgbmState)],
  [
    'xgboost.sklearn',
    ['XGBModel', 'XGBClassifier', 'XGBRegressor', 'XGBRanker', 'XGBRFClassifier', 'XGBRFRegressor'],
    record('library'),
  ],
  ['xgboost.core', ['Booster'], buildable('library', noArguments, xgboostState)],
  [
    'catboost.core',
    ['CatBoost', 'CatBoostClassifier', 'CatBoostRegressor', 'CatBoostRanker'],
    buildable('library', noArguments, catboostState),
  ],
  // BaseEstimator without a `__setstate__` of its own; the model is opened when it predicts.
  ['sklearn_crfsuite.estimator', ['CRF'], record('library')],
  ['sklearn_crfsuite._fileresource', ['FileResource'], buildable('library', noArguments, fileResourceState)],
  // What a training wrote, as text and numbers; no methods that a pickle calls.
  ['pycrfsuite._logparser', ['TrainLogParser'], record('library')],
  ['pycrfsuite._logparser', ['LabelScore'], callable('library', constantsOnly(6))],
];
