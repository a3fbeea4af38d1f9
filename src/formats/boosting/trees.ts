import type { Budget } from '../../bytes/limits.ts';
import type { Remark } from '../../content/remark.ts';
import { printable, type Severity } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';

/** Arrays of a tree that have a value for each node (src/tree/tree_model.cc). */
const BY_NODE = [
  ...['left_children', 'right_children', 'parents', 'split_indices', 'split_conditions', 'default_left'],
  ...['base_weights', 'loss_changes', 'sum_hessian', 'split_type'],
];
const BOOSTERS = ['gbtree', 'dart', 'gblinear'];
const OBJECTIVES = /^(?:(?:reg|binary|multi|rank|count|survival):[a-z0-9_@:-]{1,40}|custom)$/;
/** The parent of the root: the largest 32-bit number. */
const NONE = 2_147_483_647;
/** Remarks about trees; more say nothing new. */
const REMARKS = 20;

/** The model inside a document of XGBoost; nothing when it is something else. */
export const boosterOf = (root: JsonValue): JsonObject | undefined => {
  const learner = isObject(root) ? root.entries.get('learner') : undefined;
  return isObject(learner) && learner.entries.has('gradient_booster') ? learner : undefined;
};

const field = (value: JsonValue | undefined, ...names: string[]): JsonValue | undefined => {
  let found = value;
  for (const name of names) found = isObject(found) ? found.entries.get(name) : undefined;
  return found;
};

/** Holds a model of XGBoost (JSON and UBJSON have the same shape) against what its reader indexes with. */
export const checkBooster = (learner: JsonObject, budget: Budget): Remark[] => {
  const remarks: Remark[] = [];
  const say = (rule: string, severity: Severity, message: string, offset: number, evidence = ''): void => {
    if (remarks.length < REMARKS)
      remarks.push({
        rule: `xgboost.${rule}`,
        severity,
        message,
        offset,
        evidence: printable(evidence),
        refs: ['CWE-129'],
      });
  };
  const objective = field(learner, 'objective', 'name');
  if (typeof objective === 'string' && !OBJECTIVES.test(objective))
    say('objective', 'medium', 'an objective that XGBoost does not have', learner.at, objective);
  const booster = field(learner, 'gradient_booster');
  const name = field(booster, 'name');
  if (typeof name !== 'string' || !BOOSTERS.includes(name))
    say('booster', 'medium', 'a booster that XGBoost does not have', learner.at, typeof name === 'string' ? name : '');
  const declared = Number(field(learner, 'learner_model_param', 'num_feature') ?? Number.NaN);
  // Dart keeps its trees one level deeper.
  const model = field(booster, 'model') ?? field(booster, 'gbtree', 'model');
  const trees = field(model, 'trees');
  for (const tree of isList(trees) ? trees : []) {
    const wrong = isObject(tree) ? wrongTree(tree, declared, budget) : 'it is no object';
    if (wrong !== undefined)
      say('tree', 'medium', `a tree cannot be walked: ${wrong}`, isObject(tree) ? tree.at : learner.at);
  }
  return remarks;
};

const wrongTree = (tree: JsonObject, features: number, budget: Budget): string | undefined => {
  const nodes = Number(field(tree, 'tree_param', 'num_nodes') ?? Number.NaN);
  const left = tree.entries.get('left_children');
  const right = tree.entries.get('right_children');
  const parents = tree.entries.get('parents');
  if (!isList(left) || !isList(right) || !isList(parents)) return 'children or parents are missing';
  if (left.length !== nodes) return 'the number of nodes is another';
  budget.spend('steps', nodes);
  const outputs = Math.max(1, Number(field(tree, 'tree_param', 'size_leaf_vector') ?? 1));
  for (const name of BY_NODE) {
    const values = tree.entries.get(name);
    const each = name === 'base_weights' ? outputs : 1;
    if (isList(values) && values.length !== nodes * each) return `${name} has not a value for each node`;
  }
  // A leaf with several values has, in place of its right child, the place of the first of them.
  const leaves = tree.entries.get('leaf_weights');
  const weights = isList(leaves) ? leaves.length : 0;
  for (let node = 0; node < nodes; node++) {
    const [a, b, parent] = [left[node], right[node], parents[node]];
    if (!isNode(a, nodes) || !isNode(b, nodes)) return 'a child does not exist';
    if (a === -1 && outputs > 1 && (b === -1 || (typeof b === 'number' && b * outputs < weights))) continue;
    if ((a === -1) !== (b === -1)) return 'a node has one child';
    // Each child names this node as its parent, so no path can go round.
    if (a !== -1 && (a === 0 || b === 0 || a === b || parents[Number(a)] !== node || parents[Number(b)] !== node))
      return 'a child has another parent';
    if (parent !== NONE && parent !== -1 && !isNode(parent, nodes)) return 'a parent does not exist';
  }
  const indices = tree.entries.get('split_indices');
  // A leaf keeps whatever its split had before it was pruned.
  const outside = (index: JsonValue, node: number): boolean =>
    left[node] !== -1 && (typeof index !== 'number' || index < 0 || (features > 0 && index >= features));
  if (isList(indices) && indices.some(outside)) return 'a feature does not exist';
  const categorical = tree.entries.get('categories_nodes');
  return isList(categorical) && !categorical.every((node) => isNode(node, nodes)) ? 'a node does not exist' : undefined;
};

const isNode = (value: JsonValue | undefined, nodes: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= -1 && value < nodes;
