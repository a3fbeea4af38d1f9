import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { SEVERITIES } from '../formats/format.ts';
import { compileGlob } from './glob.ts';
import { LINEAGE, LINEAGE_TYPES } from './lineage.ts';

/** Size of one expression's syntax tree and its depth: far above what a person writes, far below what hurts. */
const MAX_AST_NODES = 500;
const MAX_DEPTH = 30;
/** Compiled patterns kept. Patterns are literals of the policy files, so there are few. */
const MAX_PATTERNS = 1000;

/**
 * What a condition sees. Every field has a type, so a misspelt name or a comparison of text with a number is an error
 * when the policy is loaded and not a rule that never matches.
 */
export const createEnvironment = (): Environment => {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    limits: { maxAstNodes: MAX_AST_NODES, maxDepth: MAX_DEPTH },
  });
  environment
    .registerType('Where', { fields: { path: 'list<string>', offset: 'int' } })
    .registerType('Finding', {
      fields: {
        rule: 'string',
        severity: 'int',
        message: 'string',
        where: 'Where',
        evidence: 'string',
        refs: 'list<string>',
      },
    })
    .registerType('RuleCount', { fields: { rule: 'string', rows: 'int' } })
    .registerType('TensorLineage', { fields: LINEAGE_TYPES.TensorLineage })
    .registerType('TokenizerLineage', { fields: LINEAGE_TYPES.TokenizerLineage })
    .registerType('TemplateLineage', { fields: LINEAGE_TYPES.TemplateLineage })
    .registerVariable('stage', 'string')
    .registerVariable('artefact', { schema: ARTEFACT })
    .registerVariable('coverage', {
      schema: { state: 'string', bytesInspected: 'int', bytesTotal: 'int', reason: 'string' },
    })
    .registerVariable('findings', 'list<Finding>')
    .registerVariable('convertible', 'bool')
    .registerVariable('explainedBy', { schema: { path: 'string', sha256: 'string', format: 'string' } })
    .registerVariable('dataset', { schema: DATASET })
    .registerVariable('lineage', { schema: LINEAGE })
    .registerVariable('upstream', { schema: UPSTREAM })
    .registerVariable('requester', {
      schema: { id: 'string', team: 'string', environment: 'string', teamFrom: 'string' },
    })
    .registerVariable('client', { schema: { name: 'string', version: 'string' } })
    .registerFunction('string.glob(string): bool', cached(compileGlob))
    .registerFunction('string.re2(string): bool', cached(compileRe2));
  SEVERITIES.forEach((name, rank) => {
    environment.registerConstant(name, 'int', BigInt(rank));
  });
  return environment;
};

const ARTEFACT = {
  ecosystem: 'string',
  repo: 'string',
  namespace: 'string',
  commit: 'string',
  path: 'string',
  size: 'int',
  sha256: 'string',
  format: 'string',
  content: 'string',
};

const DATASET = {
  rows: 'int',
  flagged: 'int',
  rules: 'list<RuleCount>',
  kinds: 'list<string>',
  droppable: 'bool',
  reason: 'string',
};

const UPSTREAM = {
  host: 'string',
  private: 'bool',
  gated: 'bool',
  licence: 'string',
  tags: 'list<string>',
  downloads: 'int',
  ageDays: 'int',
};

/** Compiles an RE2 pattern (linear time, no backtracking). Throws when it is not one. */
export const compileRe2 = (pattern: string): ((text: string) => boolean) => {
  const compiled = RE2JS.compile(pattern);
  return (text) => compiled.matcher(text).find();
};

const cached = (
  compile: (pattern: string) => (text: string) => boolean,
): ((text: string, pattern: string) => boolean) => {
  const known = new Map<string, (text: string) => boolean>();
  return (text, pattern) => {
    let test = known.get(pattern);
    if (test === undefined) {
      test = compile(pattern);
      if (known.size >= MAX_PATTERNS) known.clear();
      known.set(pattern, test);
    }
    return test(text);
  };
};
