import type { TemplateLineage, TensorLineage, TokenizerLineage } from '../../policy/lineage.ts';

/** How far apart two models are that have nothing in common: independent numbers of one size are 1.4 apart. */
const UNRELATED = 1;

/** What two reports were compared in. */
export type Compared = {
  readonly tensors: TensorLineage;
  readonly tokenizer: TokenizerLineage;
  readonly template: TemplateLineage;
};

/** What a comparison rests on. */
export const confidenceOf = ({ tensors, tokenizer, template }: Compared): string => {
  if (tensors.compared) return tensors.sampled > 0 ? 'sampled values' : 'structure';
  return tokenizer.compared || template.compared ? 'digests' : 'none';
};

/** What a comparison shows, in sentences. It never speaks anything free of harm: there is only no static evidence. */
export const assess = (compared: Compared): string => {
  const { tensors, tokenizer, template } = compared;
  const told = [
    ...(tensors.compared ? [ofTensors(tensors)] : []),
    ...(tokenizer.compared ? [ofTokenizer(tokenizer)] : []),
    ...(template.compared ? [ofTemplate(template)] : []),
  ];
  return told.length === 0 ? 'nothing could be compared' : told.join('. ');
};

const ofTensors = (tensors: TensorLineage): string => {
  const { total, same, retyped, reshaped, added, missing, sampled, changed, parts, distance } = tensors;
  const parted = [
    `${same} of ${total} tensors have the same name, type and shape`,
    ...(retyped > 0 ? [`${retyped} another type`] : []),
    ...(reshaped > 0 ? [`${reshaped} another shape`] : []),
    ...(added > 0 ? [`${added} are not in the base`] : []),
    ...(missing > 0 ? [`${missing} of the base are missing`] : []),
  ].join(', ');
  if (sampled === 0) return `${parted}; ${NOTHING_SHOWN}; confidence: low, values were not compared`;
  const sure = `confidence: low, samples of ${sampled} tensors were compared`;
  if (changed === 0) return `${parted}; no sampled value differs; ${NOTHING_SHOWN}; ${sure}`;
  if (distance >= UNRELATED && changed === sampled)
    return `${parted}; the sampled values have nothing in common with the base: this is another model, trained anew, or stored otherwise; ${NOTHING_SHOWN}; ${sure}`;
  return `${parted}; the samples of ${changed} of ${sampled} tensors differ (${parts.join(', ')}), in the median by ${distance} of their size; ${NOTHING_SHOWN}; ${sure}`;
};

const NOTHING_SHOWN = 'no static evidence of poisoning';

const ofTokenizer = ({ changed, added, removed }: TokenizerLineage): string =>
  changed.length === 0
    ? 'The tokenizer is that of the base; confidence: high, by digests'
    : `The tokenizer differs in: ${changed.join(', ')} (${added.length} added tokens more, ${removed.length} fewer), which by itself says nothing of harm; confidence: high that it differs`;

const ofTemplate = ({ changed, added }: TemplateLineage): string =>
  changed
    ? `The chat template differs, with ${added.length} constructs that the base does not have, which by itself says nothing of harm; confidence: high that it differs`
    : 'The chat template is that of the base; confidence: high, by digest';
