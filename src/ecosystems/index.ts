import { huggingface } from './huggingface/plugin.ts';
import type { Ecosystem } from './types.ts';

/** Every ecosystem that is served. */
export const ecosystems: readonly Ecosystem[] = [huggingface];
