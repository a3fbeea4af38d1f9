import { z } from 'zod';
import { about, schema } from './schema.ts';

/** One setting: its path (`*` stands for a name that the admin chooses) and what it is. */
export type Key = {
  readonly path: readonly string[];
  readonly kind: string;
  readonly secret: boolean;
  /** `WEIGHBRIDGE_UPSTREAMS_HUGGINGFACE_URL` for `upstreams.huggingface.url`; `<NAME>` for `*`. */
  readonly variable: string;
};

const PREFIX = 'WEIGHBRIDGE';

const variable = (path: readonly string[]): string =>
  [PREFIX, ...path.map((part) => (part === '*' ? '<NAME>' : part.replace(/[A-Z]/g, '_$&').toUpperCase()))].join('_');

const walk = (node: unknown, path: readonly string[]): Key[] => {
  const known = node instanceof z.ZodType ? about.get(node) : undefined;
  if (known !== undefined) {
    const written = known.short === true ? path.slice(0, -1) : path;
    return [{ path: written, kind: known.kind, secret: known.secret === true, variable: variable(written) }];
  }
  if (node instanceof z.ZodDefault || node instanceof z.ZodPrefault || node instanceof z.ZodOptional) {
    return walk(node.def.innerType, path);
  }
  if (node instanceof z.ZodRecord) return walk(node.valueType, [...path, '*']);
  if (!(node instanceof z.ZodObject)) throw new Error(`setting ${path.join('.')} has no kind`);
  const named = Object.entries(node.shape).flatMap(([name, inner]) => walk(inner, [...path, name]));
  const rest = node.def.catchall;
  return rest === undefined || rest instanceof z.ZodNever ? named : [...named, ...walk(rest, [...path, '*'])];
};

/** Every setting, in the order of the schema. */
export const keys: readonly Key[] = walk(schema, []);
