import { textAt } from './places.ts';
import { type Line, type Token, tokenizePython } from './tokens.ts';

const KEYWORDS = new Set(
  `and as assert async await break class continue def del elif else except finally for from global if import in is lambda
   nonlocal not or pass raise return try while with yield match case type print exec`.split(/\s+/),
);
const COMPOUND = new Set(['if', 'for', 'while', 'with', 'try', 'def', 'class', 'async']);

/** Operators that need something on their left; `{%` opens no bracket of Python. */
const BINARY = new Set('% / | ^ & = < > !'.split(' '));

/**
 * Whether text is Python: every logical line could be a statement, and at least one can hardly be anything else (an
 * import, a definition, a call, an assignment). `cut` says that the text may stop in the middle.
 */
export const looksLikePython = (text: string, cut: boolean): boolean => readAsPython(text, cut) === 'yes';

/**
 * The same with a third answer for text that could be Python but gives no sign of it yet: only comments, strings and
 * bare names. More of the file decides.
 */
export const readAsPython = (text: string, cut: boolean): 'yes' | 'no' | 'unclear' => {
  const { tokens, lines, problem } = tokenizePython(text);
  if (problem !== '' && !cut) return 'no';
  const whole = cut ? lines.slice(0, -1) : lines;
  if (!whole.every((line) => plausible(tokens, line))) return 'no';
  return whole.some((line) => definite(tokens, line)) ? 'yes' : 'unclear';
};

/** No two operands stand side by side, and no sign that Python does not have. */
const plausible = (tokens: readonly Token[], { from, to }: Line): boolean => {
  let operand = '';
  for (let at = from; at < to; at++) {
    const token = tokens[at];
    if (token === undefined) return false;
    if (token.kind === 'sign') {
      if ('$?`'.includes(token.text) || (token.text === '!' && textAt(tokens, at + 1) !== '=')) return false;
      const opens = token.match > at;
      if (opens && token.text === '{' && operand !== '' && operand !== 'string') return false;
      if (opens && BINARY.has(textAt(tokens, at + 1))) return false;
      // The code of an f-string stands in braces behind it and belongs to the string.
      const embedded = opens && token.text === '{' && operand === 'string';
      if (opens) at = token.match;
      if (!embedded) operand = opens ? 'bracket' : '';
    } else if (token.kind === 'name' && KEYWORDS.has(token.text)) operand = '';
    else {
      if (operand !== '' && !(operand === 'string' && token.kind === 'string')) return false;
      operand = token.kind;
    }
  }
  return true;
};

const definite = (tokens: readonly Token[], { from, to }: Line): boolean => {
  const word = textAt(tokens, from);
  const named = tokens[from + 1]?.kind === 'name';
  if (word === 'import') return named;
  if (word === 'from') return tokens.slice(from, to).some(({ kind, text }) => kind === 'name' && text === 'import');
  if (word === '@') return named;
  if (COMPOUND.has(word)) return to - from > 1 && tokens.slice(from, to).some(({ text }) => text === ':');
  return calls(tokens, from, to) || assigns(tokens, from, to);
};

/** Anywhere in the line: what runs hides in lists, operators and conditions as well. */
const calls = (tokens: readonly Token[], from: number, to: number): boolean => {
  for (let at = from; at < to - 1; at++) {
    const callee = tokens[at];
    const callable =
      callee?.kind === 'name'
        ? !KEYWORDS.has(callee.text) || callee.text === 'exec'
        : callee?.text === ')' || callee?.text === ']';
    if (callable && textAt(tokens, at + 1) === '(') return true;
  }
  return false;
};

/** An assignment whose value has a string or a bracket in it: `version=v4` stands in many files that are no Python. */
const assigns = (tokens: readonly Token[], from: number, to: number): boolean => {
  if (tokens[from]?.kind === 'string' || tokens[from]?.kind === 'number') return false;
  for (let at = from + 1; at < to - 1; at++) {
    const token = tokens[at];
    if (token && token.match > at) at = token.match;
    else if (textAt(tokens, at) === '=')
      return textAt(tokens, at + 1) !== '=' && !'<>!='.includes(textAt(tokens, at - 1) || ' ');
  }
  return false;
};
