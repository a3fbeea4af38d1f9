import type { Sign } from './verdict.ts';

/** Control tokens of chat formats: ChatML, Llama 2 and 3, Gemma, Phi, Mistral, DeepSeek, Granite, Harmony. */
const TOKEN =
  /<\|[a-z_]{2,24}\|>|<｜[^｜<>]{1,30}｜>|\[\/?INST\]|<<\/?SYS>>|<(?:start|end)_of_turn>|\[\/?SYSTEM_PROMPT\]|<\/s>\s{0,4}<s>|<\/?tool_(?:call|response)>/g;
export const TOKEN_STARTS = [
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
export const signsOfTokens = (text: string): Sign[] => [...signsOfRoles(text), ...signsOfSpecial(text)];

/** Turns of an agent that are written into a text: a thought and an action, or a call of a tool as JSON. */
const ACTS =
  /(?:^|\n)[ \t]{0,8}(?:thought|observation)[ \t]{0,2}:[^\n]{0,400}\n?[^\n]{0,200}\baction[ \t]{0,2}:[ \t]{0,4}(\w{1,60})|"(?:tool_calls?|function_call)"[^\n]{0,80}"name"\s{0,4}:\s{0,4}"(\w{1,60})"/i;
const HARMFUL = /shell|exec|delete|remove|transfer|send|mail|post|upload|payment|write|drop|grant|curl|bash/i;
/** Who speaks above all others: at the beginning of a line, as a heading, in brackets, as a tag or a fence. */
const ABOVE =
  '(?:^|\\n)[ \\t]{0,8}(?:#{1,4} {0,2}|\\*\\*|\\[|<|```)?(?:system|admin(?:istrator)?|developer|root)(?: (?:message|override|prompt|note|directive|instruction)s?)?(?:\\*\\*|\\]|>)?[ \\t]{0,2}:?';
/** A role that takes over, and speaks of what must be done. */
const ROLE = new RegExp(
  `${ABOVE}[^\\n]{0,20}\\s(?:you (?:must|are now|will)|ignore|disregard|reveal|override|disable|new (?:directive|instruction))`,
  'i',
);
/** One that takes over beyond doubt: it drops what came before, or demands what no application demands of its model. */
const TAKES_OVER = new RegExp(
  `${ABOVE}[^\\n]{0,20}\\s(?:(?:ignore|disregard|forget|override|disable) (?:the user|all|any|every|your|safety|filters|previous|prior)|you (?:must|are now|will)(?: now)? (?:reveal|disclose|obey|ignore|disregard|unrestricted|an? unrestricted|evil|in (?:maintenance|debug|admin|developer|god|sudo) mode))`,
  'i',
);
/** The end of what a user may say, and somebody else who speaks behind it. */
const BEHIND_END =
  /\bend of (?:user |the )?(?:input|document|prompt|context|text|data|message)|-{3,20} ?end (?:user|of|document|input|context|prompt|data)/i;

/** The turns that follow the first one in a conversation written down: its system prompt may say what it likes. */
const TURN = /\n[ \t]{0,8}(?:#{1,4} {0,2}|\*\*|\[|<)?(?:user|human|assistant|customer|ai|bot)\b[^\n:]{0,12}:/i;
const leadsConversation = (text: string, at: number): boolean => text.slice(0, at).trim() === '' && TURN.test(text);

const signsOfRoles = (text: string): Sign[] => {
  const signs: Sign[] = [];
  const acts = /action|"name"/i.test(text) ? ACTS.exec(text) : null;
  if (acts !== null) {
    const harmful = HARMFUL.test(acts[1] ?? acts[2] ?? '') && !ABOUT.test(text.slice(0, acts.index));
    signs.push({
      family: 'control tokens',
      weight: harmful ? 2 : 1,
      start: acts.index,
      end: acts.index + acts[0].length,
    });
  }
  const role = ROLE.exec(text);
  if (role !== null && !(leadsConversation(text, role.index) && !TAKES_OVER.test(text))) {
    const sure = TAKES_OVER.test(text) || BEHIND_END.test(text.slice(0, role.index));
    signs.push({
      family: 'control tokens',
      weight: sure && !ABOUT.test(text.slice(0, role.index)) ? 2 : 1,
      start: role.index,
      end: role.index + role[0].length,
    });
  }
  return signs;
};

const signsOfSpecial = (text: string): Sign[] => {
  if (!TOKEN_STARTS.some((start) => text.includes(start))) return [];
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
