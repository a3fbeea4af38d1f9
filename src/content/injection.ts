import { tagText, undisguised } from './disguise.ts';

/**
 * Text that orders a language model to drop its instructions: a verb, a scope and what is to be dropped, close to each
 * other. Plain and disguised spellings in some languages; control tokens are no sign (chat data is full of them).
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));
const VERBS = words(`
  ignore disregard forget override bypass ignorez ignorer oubliez ignoriere vergiss missachte ignora ignorar olvida
  dimentica esqueça negeer zignoruj
`);
const OBJECTS = words(`
  instructions instruction prompt prompts rules guidelines directives consignes anweisungen regeln instrucciones reglas
  istruzioni regole instruções instructies instrukcje
`);
const SCOPES = words(`
  previous prior above earlier all your preceding system any précédentes toutes alle vorherigen bisherigen anteriores
  todas previas precedenti tutte vorige poprzednie wszystkie
`);

const verbs = [...VERBS];

/** Words of text that talks about such orders instead of giving them. */
const TALKS = ['injection', 'jailbreak', 'attack'];
/** Words between verb and object, and behind the object. */
const REACH = 6;
const BEHIND = 2;
/** Invisible characters that spell something: a single one may be a stray. */
const TAGS = 8;

/** The passage that orders a model to drop its instructions, or nothing. Linear in the length of `text`. */
export const obviousInjection = (text: string): string | undefined => {
  const hidden = tagText(text);
  if (hidden.length >= TAGS) return `hidden in tag characters: ${hidden}`;
  const link = sendingLink(text);
  if (link !== undefined) return link;
  const lower = text.toLowerCase();
  const plain = undisguised(lower);
  return ordered(lower) ?? (plain === lower ? undefined : ordered(plain));
};

/** Characters of a link that are looked at. */
const LINK = 500;

/** A Markdown link or image whose address has a placeholder: whoever fills it in sends what stands there. */
const sendingLink = (text: string): string | undefined => {
  for (let at = text.indexOf('](http'); at >= 0; at = text.indexOf('](http', at + 1)) {
    const address = text.slice(at + 2, at + LINK).split(')', 1)[0] ?? '';
    if (/[?&=/](?:\{\{|\$\{|\{%)/.test(address)) return address;
  }
  return undefined;
};

const ordered = (lower: string): string | undefined => {
  if (TALKS.some((word) => lower.includes(word))) return undefined;
  if (!verbs.some((verb) => lower.includes(verb))) return undefined;
  const found = lower.split(/[^\p{L}']+/u).filter((word) => word !== '');
  for (const [index, word] of found.entries()) {
    if (!VERBS.has(word)) continue;
    const next = found.slice(index + 1, index + 1 + REACH + BEHIND);
    const object = next.slice(0, REACH).findIndex((candidate) => OBJECTS.has(candidate));
    const passage = next.slice(0, object + 1 + BEHIND);
    if (object > 0 && passage.some((candidate) => SCOPES.has(candidate))) return [word, ...passage].join(' ');
  }
  return undefined;
};
