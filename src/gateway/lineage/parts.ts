import { type Lineage, NO_TEMPLATE, NO_TENSORS, NO_TOKENIZER } from '../../policy/lineage.ts';
import { assess, confidenceOf } from './assess.ts';
import {
  type Template,
  type Tokenizer,
  type Told,
  templateIn,
  tokenizerIn,
  type Weights,
  weightsIn,
} from './reported.ts';
import { compareTensors } from './tensors.ts';
import { compareTemplates, compareTokenizers } from './words.ts';

/** What a report tells that can be compared. */
export type Parts = {
  readonly weights: Weights | undefined;
  readonly tokenizer: Tokenizer | undefined;
  readonly template: Template | undefined;
};

export const partsOf = (report: Told): Parts => ({
  weights: weightsIn(report),
  tokenizer: tokenizerIn(report),
  template: templateIn(report),
});

/** How the parts of a file differ from those of its base. `whole` is false for one shard of several. */
export const compareParts = (
  own: Parts,
  base: Parts,
  whole: boolean,
): Pick<Lineage, 'tensors' | 'tokenizer' | 'template' | 'confidence' | 'assessment'> => {
  const compared = {
    tensors: both(own.weights, base.weights, (a, b) => compareTensors(a, b, whole)) ?? NO_TENSORS,
    tokenizer: both(own.tokenizer, base.tokenizer, compareTokenizers) ?? NO_TOKENIZER,
    template: both(own.template, base.template, compareTemplates) ?? NO_TEMPLATE,
  };
  return { ...compared, confidence: confidenceOf(compared), assessment: assess(compared) };
};

const both = <A, B>(own: A | undefined, other: A | undefined, work: (own: A, other: A) => B): B | undefined =>
  own === undefined || other === undefined ? undefined : work(own, other);
