import type { Sign } from './verdict.ts';

/** Control tokens of chat formats: ChatML, Llama 2 and 3, Gemma, Phi, Mistral, DeepSeek, Granite, Harmony. */
const TOKEN =
  /<\|[a-z_]{2,24}\|>|<｜[^｜<>]{1,30}｜>|\[\/?INST\]|<<\/?SYS>>|<(?:start|end)_of_turn>|\[\/?SYSTEM_PROMPT\]|<\/s>\s{0,4}<s>|<\/?tool_(?:call|response)>/g;
const STARTS = [
  '<|',
  '<｜',
  '[INST]',
  '[/INST]',
  '<<SYS>>',
  '_of_turn>',
  '[SYSTEM_PROMPT]',
  '</s>',
  '<tool_',
  '</tool_',
];
/** Tokens that open a turn: inside other text they speak for somebody else. */
const OPENS =
  /^(?:<\|(?:im_start|start_header_id|system|user|start_of_role|start|developer)\|>|\[INST\]|\[SYSTEM_PROMPT\]|<<SYS>>|<start_of_turn>|<\/s>\s{0,4}<s>|<｜(?:User|System)｜>)/;
const CLOSES =
  /^(?:<\|(?:im_end|eot_id|end|endoftext|end_of_text|end_of_role|end_of_turn|eom_id)\|>|\[\/INST\]|<end_of_turn>|<\/s>|<<\/SYS>>)/;
/** Words of text about chat formats. */
const ABOUT =
  /\b(?:chat[ _-]?templates?|chat[ _-]?ml|token(?:s|i[sz]er|i[sz]ed)?|format(?:s|ted)?|syntax|delimiters?|special|markup)\b|\{%|`/i;
/** Tokens of one text that are looked at. */
const MOST = 2000;

/**
 * Control tokens in a text. One that begins with a token and has several turns is a formatted conversation; tokens
 * behind ordinary text that close one turn and open another pretend to be the application.
 */
export const signsOfTokens = (text: string): Sign[] => {
  if (!STARTS.some((start) => text.includes(start))) return [];
  const found: { token: string; at: number }[] = [];
  for (const match of text.matchAll(TOKEN)) {
    found.push({ token: match[0], at: match.index });
    if (found.length >= MOST) break;
  }
  const first = found[0];
  const last = found.at(-1);
  if (first === undefined || last === undefined) return [];
  const sign = (weight: number): Sign[] => [
    { family: 'control tokens', weight, start: first.at, end: last.at + last.token.length },
  ];
  const opens = found.some(({ token }) => OPENS.test(token));
  const leads = text.slice(0, first.at).trim() === '' && !CLOSES.test(first.token);
  if (leads) return found.length >= 4 ? [] : sign(opens ? 1 : 0);
  return sign(opens && !ABOUT.test(text) ? 2 : 1);
};
