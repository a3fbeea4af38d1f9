/** What a value under a key is looked at for: everything, a template, a path, a dotted name; most keys ask for nothing. */
export type Told = 'all' | 'template' | 'path' | 'name' | undefined;

/** Keys upon which loaders act, whatever stands under them (rules.ts, applications.ts, keras/config.ts, boosting/trees.ts). */
const ACTED_UPON = new Set([
  'auto_map',
  'custom_pipelines',
  'custom_pipeline',
  'trust_remote_code',
  '_target_',
  '_partial_target_',
  'py/object',
  'py/reduce',
  'py/function',
  'py/type',
  'py/mod',
  'py/repr',
  'py/newargs',
  'py/newargsex',
  'py/newobj',
  'py/initargs',
  'chat_template',
  '_class_name',
  '_diffusers_version',
  'template_format',
  'weight_map',
  'lc',
  'class_type',
  'widgets_values',
  'item_handlers',
  'restore_fn',
  'restore_function',
  'custom_restore',
  'restore_callback',
  'class_name',
  'arg_nodes',
  'gradient_booster',
  'modelName',
]);
const NAMES = new Set(['class_path', 'target', '__class__']);

/** What `key` asks to be looked at under it. The rules for entries are only asked about objects with a key that says something. */
export const toldBy = (key: string): Told => {
  if (ACTED_UPON.has(key)) return 'all';
  if (NAMES.has(key)) return 'name';
  if (/template|prompt/i.test(key)) return 'template';
  return /(?:_file|_path|_dir|filename)$/.test(key) ? 'path' : undefined;
};
