/** Longest pattern; longer ones are written by nobody and cost time on every request. */
const MAX_PATTERN_CHARACTERS = 256;

type Piece = { readonly kind: 'text'; readonly character: string } | { readonly kind: 'one' | 'segment' | 'any' };

/** Whether a pattern is acceptable: not empty and not over the limit. */
export const isGlob = (pattern: string): boolean => pattern.length > 0 && pattern.length <= MAX_PATTERN_CHARACTERS;

/**
 * Compiles a glob: `*` is any run of characters without `/`, `**` any run, `?` one character without `/`; everything
 * else is itself. Matching walks the text once and keeps the set of pattern positions that are still possible, so its
 * cost is text times pattern and no pattern can make it explode.
 */
export const compileGlob = (pattern: string): ((text: string) => boolean) => {
  if (!isGlob(pattern)) return () => false;
  const pieces = toPieces(pattern);
  return (text) => {
    let possible = withSkips(new Set([0]), pieces);
    for (const character of text) {
      const next = new Set<number>();
      for (const position of possible) step(pieces, position, character, next);
      if (next.size === 0) return false;
      possible = withSkips(next, pieces);
    }
    return possible.has(pieces.length);
  };
};

const toPieces = (pattern: string): Piece[] => {
  const pieces: Piece[] = [];
  const characters = [...pattern];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*' && characters[index + 1] === '*') {
      pieces.push({ kind: 'any' });
      index += 1;
    } else if (character === '*') pieces.push({ kind: 'segment' });
    else if (character === '?') pieces.push({ kind: 'one' });
    else pieces.push({ kind: 'text', character });
  }
  return pieces;
};

/** A star may match nothing: every position behind one is possible as well. */
const withSkips = (positions: Set<number>, pieces: readonly Piece[]): Set<number> => {
  for (const position of positions) {
    const kind = pieces[position]?.kind;
    if (kind === 'segment' || kind === 'any') positions.add(position + 1);
  }
  return positions;
};

const step = (pieces: readonly Piece[], position: number, character: string, next: Set<number>): void => {
  const piece = pieces[position];
  if (piece === undefined) return;
  if (piece.kind === 'any') next.add(position);
  else if (piece.kind === 'segment') {
    if (character !== '/') next.add(position);
  } else if (piece.kind === 'one') {
    if (character !== '/') next.add(position + 1);
  } else if (piece.kind === 'text' && piece.character === character) next.add(position + 1);
};
