/**
 * Text that orders a language model about. Only the plain spellings, cheap enough for every string of a header: an
 * imperative to drop instructions, and control tokens are no use here (templates are full of them).
 */
const VERBS = ['ignore', 'disregard', 'forget', 'override', 'bypass'];
const OBJECTS = ['instructions', 'instruction', 'prompt', 'prompts', 'rules', 'guidelines', 'directives'];
const SCOPES = ['previous', 'prior', 'above', 'earlier', 'all', 'your', 'preceding', 'system', 'any'];

/** Words of text that talks about such orders instead of giving them. */
const TALKS = ['injection', 'jailbreak', 'attack'];

/** Words between verb and object. */
const REACH = 6;

/** The passage that tells a model to drop its instructions, or nothing. Linear in the length of `text`. */
export const obviousInjection = (text: string): string | undefined => {
  const lower = text.toLowerCase();
  if (!VERBS.some((verb) => lower.includes(verb)) || TALKS.some((word) => lower.includes(word))) return undefined;
  const words = lower.split(/[^\p{L}']+/u).filter((word) => word !== '');
  for (const [index, word] of words.entries()) {
    if (!VERBS.includes(word)) continue;
    const next = words.slice(index + 1, index + 1 + REACH);
    const object = next.findIndex((candidate) => OBJECTS.includes(candidate));
    if (object > 0 && next.slice(0, object).some((candidate) => SCOPES.includes(candidate))) {
      return words.slice(index, index + object + 2).join(' ');
    }
  }
  return undefined;
};
