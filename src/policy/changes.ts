import { parsePlaced } from './places.ts';
import { documentSchema } from './schema.ts';

type Files = Readonly<Record<string, string>>;

/** What an edit did to a set, by the names of policies, rules, waivers and other documents. */
export type Changes = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
};

/** The parts of a set by name, each as text to be compared. Where they stand, and comments, do not matter. */
const partsOf = (files: Files): ReadonlyMap<string, string> => {
  const parts = new Map<string, string>();
  for (const file of Object.keys(files).sort()) {
    for (const { value } of parsePlaced(file, files[file] ?? '').documents) {
      const parsed = documentSchema.safeParse(value);
      if (!parsed.success) continue;
      const { data } = parsed;
      if (data.kind === 'Policy') {
        const { rules, ...rest } = data;
        parts.set(`policy ${data.metadata.id}`, JSON.stringify([rest, rules.map(({ id }) => id)]));
        for (const rule of rules) parts.set(`${data.metadata.id}/${rule.id}`, JSON.stringify(rule));
      } else if (data.kind === 'Waiver') parts.set(`waiver ${data.metadata.id}`, JSON.stringify(data));
      else parts.set(data.kind === 'PolicySet' ? 'set' : `observe in ${file}`, JSON.stringify(data));
    }
  }
  return parts;
};

/** The difference between two sets that load. */
export const changesBetween = (before: Files, after: Files): Changes => {
  const [old, next] = [partsOf(before), partsOf(after)];
  return {
    added: [...next.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !next.has(name)),
    changed: [...next].flatMap(([name, text]) => (old.has(name) && old.get(name) !== text ? [name] : [])),
  };
};
