import type { Json, Plan } from '../format.ts';
import { describeStructure } from './structure.ts';
import { UNREAD } from './values.ts';

/** The structure of a checkpoint by its plan: that of the safetensors file which the plan makes. */
export const structureOf = ({ tensors }: Plan): Json => ({
  ...describeStructure(
    tensors.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      elements: shape.reduce((product, dimension) => product * dimension, 1),
    })),
  ),
  assessment: UNREAD,
});
