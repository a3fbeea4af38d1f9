import { huggingface } from './huggingface/plugin.ts';
import type { Ecosystem } from './types.ts';

/** Every ecosystem that is served. */
export const ecosystems: readonly Ecosystem[] = [huggingface];

/** Where each ecosystem is mounted, by name. */
export const mountsFor = (config: { readonly mounts: Readonly<Record<string, string>> }): Record<string, string> =>
  Object.fromEntries(ecosystems.map(({ name, mount }) => [name, config.mounts[name] ?? mount]));
