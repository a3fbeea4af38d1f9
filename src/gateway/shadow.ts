import { allowedRoots } from '../formats/pickle/allowed.ts';

/**
 * The module that a file of a model repo would be imported in the place of, where a loader puts the repo's folder first
 * on Python's path: `collections.py`, `torch/__init__.py`, `numpy/core.so`. A pickle that only names allowed modules would
 * then run the repo's code (arXiv 2607.17503, CWE-1395). Undefined for every other path.
 */
export const shadowing = (path: string): string | undefined => {
  const [first = '', ...rest] = path.split('/');
  const file = rest.at(-1) ?? first;
  if (!/\.(py|pyc|pyd|so|pyw)$/.test(file)) return undefined;
  const module = rest.length === 0 ? (first.split('.')[0] ?? '') : first;
  return allowedRoots.has(module) ? module : undefined;
};
