import { MIB, within } from '../../bytes/limits.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { type Context, printable } from '../format.ts';
import type { ZipDirectory, ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { countOf, type ModelInfo, parseModelInfo } from './info.ts';
import { invalid } from './invalid.ts';

/** Bytes of a `model.ini`, in which networks keep their weights, as text; and of a list of categories. */
const TEXT = 128 * MIB;
/** Models inside each other: ensembles have some hundreds, one deep. */
const MODELS = 10_000;

/**
 * What the factory of the library makes of `algorithm` (hex/genmodel/ModelMojoFactory.java), with the `algo` that belongs to
 * it. Models of Deep Water bring native networks, pipelines bring steps of other libraries: neither is here.
 */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['Distributed Random Forest', 'drf'],
  ['Gradient Boosting Method', 'gbm'],
  ['Gradient Boosting Machine', 'gbm'],
  ['Uplift Distributed Random Forest', 'upliftdrf'],
  ['Isolation Forest', 'isolationforest'],
  ['Extended Isolation Forest', 'extendedisolationforest'],
  ['XGBoost', 'xgboost'],
  ['Generalized Low Rank Modeling', 'glrm'],
  ['Generalized Low Rank Model', 'glrm'],
  ['Generalized Linear Modeling', 'glm'],
  ['Generalized Linear Model', 'glm'],
  ['Generalized Additive Model', 'gam'],
  ['Cox Proportional Hazards', 'coxph'],
  ['Isotonic Regression', 'isotonicregression'],
  ['Principal Components Analysis', 'pca'],
  ['K-means', 'kmeans'],
  ['Word2Vec', 'word2vec'],
  ['TargetEncoder', 'targetencoder'],
  ['Deep Learning', 'deeplearning'],
  ['deep learning', 'deeplearning'],
  ['RuleFit', 'rulefit'],
  ['StackedEnsemble', 'stackedensemble'],
  ['Stacked Ensemble', 'stackedensemble'],
  ['k-LIME', 'klime'],
  ['Support Vector Machine (*Spark*)', 'svm'],
]);

export type Model = {
  /** The folder of its members in the archive: empty, or with a slash at its end. */
  readonly prefix: string;
  readonly algorithm: string;
  readonly info: ModelInfo;
};

/**
 * The model of the archive and the models that it is made of, by their folders. Throws FORMAT_INVALID for an algorithm that
 * is not known, for what the library would stumble over, and for files that are named and not there.
 */
export const readModels = (directory: ZipDirectory, context: Context): ReadonlyMap<string, Model> => {
  const members = new Map(directory.members.map((member) => [member.name, member]));
  const models = new Map<string, Model>();
  const waiting = [''];
  for (let prefix = waiting.pop(); prefix !== undefined; prefix = waiting.pop()) {
    const member = members.get(`${prefix}model.ini`);
    if (member === undefined) return invalid(`a part of the model is missing: ${printable(prefix, 80)}`, 0);
    if (models.has(prefix)) invalid('a model is a part of itself, or twice a part', member.entry);
    within('H2O models', models.size + 1, MODELS);
    const model = readModel(directory, member, context, prefix);
    models.set(prefix, model);
    for (const { column, count, file } of model.info.domains) {
      const lines = linesOf(directory, members.get(`${prefix}domains/${file}`), context);
      if (lines !== count) invalid(`the categories of column ${column} are not as many as told`, member.entry);
    }
    waiting.push(...partsOf(model));
  }
  return models;
};

const readModel = (directory: ZipDirectory, member: ZipMember, context: Context, prefix: string): Model => {
  const info = parseModelInfo(textOf(directory, member, context));
  const [algorithm, algo] = [info.values.get('algorithm') ?? '', info.values.get('algo')];
  const known = ALGORITHMS.get(algorithm);
  if (known === undefined || (algo !== undefined && algo !== known))
    invalid(`the algorithm is not known: ${printable(algorithm, 40)} (${printable(algo ?? '', 40)})`, member.entry);
  if (info.values.get('endianness') !== 'LITTLE_ENDIAN') invalid('the order of bytes is another', member.entry);
  if (!/^1\.\d{1,2}$/.test(info.values.get('mojo_version') ?? '')) invalid('the version is not known', member.entry);
  return { prefix, algorithm: known ?? '', info };
};

/** Folders of the models that a model is made of (hex/genmodel/MultiModelMojoReader.java). */
const partsOf = ({ prefix, info }: Model): readonly string[] => {
  const count = within('H2O models', countOf(info, 'submodel_count') ?? 0, MODELS);
  return Array.from({ length: count }, (_, index) => {
    const folder = info.values.get(`submodel_dir_${index}`) ?? '';
    return folder.endsWith('/') ? `${prefix}${folder}` : invalid('a part of the model has no folder', 0);
  });
};

/** What is wrong with the bytes is found when the member is inspected by itself. */
const textOf = (directory: ZipDirectory, member: ZipMember, context: Context): string => {
  const opened = openMember(directory, member, { ...context, report: () => undefined }, 'h2o-mojo');
  if ('unreadable' in opened) return invalid(`${printable(member.name, 80)} cannot be read`, member.entry);
  within('H2O text bytes', opened.bytes.size, TEXT);
  context.budget.spend('steps', Math.ceil(opened.bytes.size / 64));
  return decodeUtf8(opened.bytes.read(0, opened.bytes.size));
};

const linesOf = (directory: ZipDirectory, member: ZipMember | undefined, context: Context): number | undefined => {
  if (member === undefined) return undefined;
  const text = textOf(directory, member, context);
  return (text.match(/\r\n|\r|\n/g) ?? []).length;
};
