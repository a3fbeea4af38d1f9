import type { Format } from './format.ts';
import { isArrayWrapper } from './pickle/arrays.ts';
import { inspectPickle, isPickle } from './pickle/format.ts';

export const joblib: Format = {
  name: 'joblib',
  title: 'joblib dump',
  recognisedBy:
    'a pickle that names joblib.numpy_pickle.NumpyArrayWrapper; compressed dumps are recognised by their compression',
  checks:
    'As for pickles; array bytes between the opcodes are handed over as joblib does: padding, shape and dtype must give exactly the ' +
    'bytes that are there, arrays of objects are pickles of their own.',
  references: ['joblib/numpy_pickle.py', 'CVE-2024-34997', 'CVE-2020-13092'],
  recognise: (head, source) => isPickle(head, source) && isArrayWrapper(source),
  inspect: inspectPickle,
};
