import { reportAll } from '../../content/remark.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection, printable } from '../format.ts';
import { isObject } from '../json/parse.ts';
import { boosterOf, checkBooster } from './trees.ts';
import { readUbjson } from './ubjson.ts';

/** XGBoost models as UBJSON, what `save_model` writes unless asked for JSON. */
export const xgboostUbj: Format = {
  name: 'xgboost-ubj',
  title: 'XGBoost model (UBJSON)',
  begins: [0x7b],
  recognisedBy:
    'a UBJSON object whose first key has a length of 8, 16, 32 or 64 bits and is `learner`, `version` or `Config`',
  checks:
    'grammar to the last byte, depth, counts against bytes, no key twice; nodes, children and features of every tree exist and no path goes round',
  references: ['https://ubjson.org/', 'https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html'],
  recognise: (head) =>
    (head[1] ?? 0) > 0x40 &&
    /^\{[iUIlL]\0{0,7}(?:\x07(?:learner|version)|\x06Config)/.test(String.fromCharCode(...head.subarray(0, 20))),
  inspect(source, context): Inspection {
    const { value, end, duplicate } = readUbjson(source, context.budget);
    if (end !== source.size)
      throw new WeighbridgeError('FORMAT_INVALID', 'UBJSON: bytes follow the value', { offset: end });
    if (duplicate !== undefined) {
      const message = 'a key occurs twice in its object: readers disagree about which counts';
      context.report({
        rule: 'xgboost.duplicate-key',
        severity: 'medium',
        message,
        offset: 0,
        evidence: printable(duplicate),
        refs: ['CWE-436'],
      });
    }
    // A snapshot, as boosters pickle themselves, has the model beside how it was configured.
    const snapshot = isObject(value) ? value.entries.get('Model') : undefined;
    const learner = boosterOf(snapshot ?? value);
    if (learner === undefined)
      throw new WeighbridgeError('FORMAT_INVALID', 'XGBoost: no learner with a booster', { offset: 0 });
    reportAll(context, checkBooster(learner, context.budget), 0);
    return { format: 'xgboost-ubj', content: 'inert', coverage: complete(source.size) };
  },
};
