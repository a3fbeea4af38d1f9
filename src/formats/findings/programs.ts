import { toFindings } from './types.ts';
import { ASK, BROKEN, CODE, DELETE, FOREIGN_CODE, GRAPH_RUNS, NOT_WRITTEN } from './words.ts';

/** Graphs that PyTorch exports, and programs of its runtimes. */
export const programFindings = toFindings({
  'torch-export.expression': [
    'The size of a tensor is written as something else than arithmetic.',
    'The loader hands the text to a function that evaluates it as Python, as soon as the program is loaded.',
    DELETE,
    ['CWE-95', ...CODE],
  ],
  'torch-export.guard': [
    'A guard on the shape of the inputs is written as something else than a comparison.',
    'The loader compiles the text as Python.',
    DELETE,
    ['CWE-95', ...CODE],
  ],
  'torch-export.operator': [
    'A node of the graph calls what is no operator that only computes.',
    'The loader finds functions by their dotted names in all that PyTorch has imported.',
    ASK,
    ['CWE-470', ...FOREIGN_CODE],
  ],
  'executorch.operator': ['The program calls an operator that is on no list.', GRAPH_RUNS, ASK, FOREIGN_CODE],
  'executorch.instruction': ['The program has an instruction that does not exist.', NOT_WRITTEN, ASK, BROKEN],
});
