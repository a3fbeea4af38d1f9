/** Ways in which text tries to steer whoever reads it. */
export type Family =
  | 'override'
  | 'control tokens'
  | 'persona'
  | 'extraction'
  | 'exfiltration'
  | 'concealment'
  | 'addresses a model'
  | 'steering'
  | 'tool use'
  | 'hidden'
  | 'disguised'
  | 'encoded'
  | 'sending link'
  | 'invisible text';

/** One sign: two points together are an order to a model, three are one beyond doubt. */
export type Sign = {
  readonly family: Family;
  readonly weight: number;
  readonly start: number;
  readonly end: number;
};

/** What one text says. */
export type Verdict = {
  readonly signs: readonly Sign[];
  /** Sum of the heaviest sign of every family, control tokens left out. */
  readonly score: number;
  /** Weight of control tokens: they count unless the whole column is made of them. */
  readonly tokens: number;
  /** The text speaks about such orders: it quotes them or introduces them as examples. */
  readonly discussed: boolean;
  /** The passage, from the first sign on. */
  readonly passage: string;
};

/** Points from which a text is an order, and from which nothing speaks for chance. */
export const ORDER = 2;
export const CERTAIN = 3;

/** Characters of a passage that are shown. */
const SHOWN = 160;

/** The heaviest sign of every family. */
export const heaviest = (signs: readonly Sign[]): readonly Sign[] => {
  const best = new Map<Family, Sign>();
  for (const sign of signs) {
    const known = best.get(sign.family);
    if (known === undefined || known.weight < sign.weight) best.set(sign.family, sign);
  }
  return [...best.values()];
};

/** Sums up the signs of a text. */
export const judge = (text: string, signs: readonly Sign[], discussed: boolean): Verdict => {
  const best = heaviest(signs);
  const first = best.reduce((start, sign) => Math.min(start, sign.start), text.length);
  return {
    signs: best,
    score: best.reduce((sum, { family, weight }) => (family === 'control tokens' ? sum : sum + weight), 0),
    tokens: best.find(({ family }) => family === 'control tokens')?.weight ?? 0,
    discussed,
    passage: text.slice(first, first + SHOWN),
  };
};
