import type { Severity } from '../format.ts';

import { CHECKPOINT, judgeOperator, VOCABULARY } from '../tensorflow/judge.ts';
import { INERT } from '../tensorflow/operators.ts';
import { type FlatBuffer, scalar, stringOf, type Table } from './flatbuffer.ts';

/** BuiltinOperator in schema.fbs: the one for custom operators, the last one known, and the first that stands in the wide field. */
const CUSTOM = 32;
const LAST = 220;
const WIDE = 127;

/** Custom operators that the runtime's own resolver or MediaPipe's has, or that only compute on the accelerator they are compiled for. */
const OWN = new Set([
  'TFLite_Detection_PostProcess',
  'Mfcc',
  'AudioSpectrogram',
  'NumericVerify',
  'AvgPool3D',
  'MaxPool3D',
  'HashtableFind',
  'HashtableLookup',
  'HashtableSize',
  'Multinomial',
  'RandomStandardNormal',
  'RandomUniform',
  // MediaPipe brings these (mediapipe/util/tflite/cpu_op_resolver.cc); they compute on tensors.
  'MaxPoolingWithArgmax2D',
  'MaxUnpooling2D',
  'Convolution2DTransposeBias',
  'TransformTensorBilinear',
  'TransformLandmarks',
  'Landmarks2TransformMatrix',
]);

export type Verdict = {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  readonly evidence: string;
};

/** What an operator code stands for: nothing to say about builtin operators, which the runtime computes itself. */
export const judgeCode = (buffer: FlatBuffer, code: Table): Verdict | undefined => {
  const narrow = scalar(buffer, code, 0, 1);
  const wide = scalar(buffer, code, 3, 4) | 0;
  // Readers take the larger of the two; old ones know only the narrow field, which holds 127 for operators beyond it.
  const builtin = Math.max(narrow, wide);
  const name = stringOf(buffer, code, 1);
  if (narrow === CUSTOM || wide === CUSTOM) return judgeCustom(name);
  if (narrow !== 0 && wide !== 0 && narrow !== Math.min(wide, WIDE)) {
    const evidence = `${narrow} ${wide}`;
    return {
      rule: 'tflite.code-twice',
      severity: 'medium',
      message: 'an operator has two codes: readers differ',
      evidence,
    };
  }
  if (builtin <= LAST && wide >= 0) return undefined;
  const message = 'an operator code that no runtime knows';
  return { rule: 'tflite.unknown-operator', severity: 'medium', message, evidence: String(builtin) };
};

const judgeCustom = (name: string): Verdict | undefined => {
  if (OWN.has(name)) return undefined;
  if (!name.startsWith('Flex')) {
    const message = 'a custom operator: it runs a native library that the file does not hold';
    return { rule: 'tflite.custom-operator', severity: 'high', message, evidence: name };
  }
  const operator = name.slice('Flex'.length);
  if (INERT.has(operator)) {
    const message = 'an operator of TensorFlow, which computes only: it needs the Flex delegate';
    return { rule: 'tflite.flex-operator', severity: 'low', message, evidence: name };
  }
  const files = CHECKPOINT.has(operator) || VOCABULARY.has(operator);
  const message = files ? 'an operator of TensorFlow reads or writes files' : judgeOperator(operator)?.message;
  return {
    rule: 'tflite.flex-operator',
    severity: 'high',
    message: message ?? 'an operator of TensorFlow',
    evidence: name,
  };
};
