import { type Hit, isDisguised, sentenceEnds } from './hits.ts';
import type { Group } from './phrases.ts';
import type { Family, Sign } from './verdict.ts';

/** Letters between a verb and what it is about, and between sentences that belong together. */
const CLAUSE = 45;
const PASSAGE = 260;
/** Letters behind an object in which its adjective may follow (Romance languages). */
const BEHIND = 28;
/** Hits looked at from one hit on: bounds the work on text made of nothing else. */
const AHEAD = 60;
/** Words that stand before an order; before a statement stands who does it. */
const BEFORE_ORDER =
  /(?:^|[\n"'“”«‘([{<>:;,.!?*_#|=\-–—`/\\])\s*$|\b(?:please|now|and|then|must|should|will|to|you|kindly|simply|just|also|immediately|always|instead|can|so|first|important|assistant|ai|system|bitte|veuillez|por favor|per favore)\s*$/i;
const NEGATED = /(?:\b(?:not|never|cannot|nicht|niemals|nunca|jamais|no|mai|nie)|n['’]t|\bне|不要|不|勿)\s*$/i;
/** The same behind the verb, where a language puts it there; and what makes a verb tell of something done. */
const DENIED = /^\s{0,3}(?:nicht|pas|niet|了|过|過)(?![a-z])/i;
/** What makes a command of a computer of an order: a line of commands, a prompt of a shell. */
const OF_COMPUTERS =
  /^(?:行|列|符|提示符|s?\s(?:pointer|prefix|set|cache|queue|counter|decoder|stream|buffer|fetch|pipeline)|s? (?:in|from) the (?:[a-z]{1,12} )?(?:pipeline|queue|buffer|cache)\b)/i;
/** Letters and messages that someone takes back, and subjects of a lesson: people write so to people. */
const OF_PEOPLE =
  /^(?:\s{1,3}(?:that )?(?:i|we) (?:have )?(?:sent|mailed|emailed)\b|\s{1,3}(?:about|regarding|concerning)\b|信息|訊息|通知|邮件|郵件|短信|消息|来信|來信)/i;
/** Trades of people who work on models. */
const TRADES = /^\s{1,3}(?:researcher|engineer|developer|enthusiast|student|expert|company|startup|scientist|user)/i;
/** What people ask each other for every day, and words that documentation has as well. */
const EVERYDAY: ReadonlySet<string> = new Set([
  'all documents',
  'all files',
  'all emails',
  'contacts',
  'inbox',
  'silently',
  'secretly',
  'do not alert',
]);
/** Verbs that stand behind their object: Japanese, Korean, Hindi, Turkish, German infinitives, and passives. */
const STANDS_BEHIND =
  /^[\u0900-\u097f\u3040-\u30ff\uac00-\ud7a3]|^[\u4e00-\u9fff]{1,4}[\u3040-\u30ff]|^(?:yok|yoks|görm|unut|dikk|göz |are |is null|no longer|must be|should be|to be|ignorieren|vergessen|missachten|übergehen|göster|açık|yaz|tekrar|ifşa|gönder|ilet)/;

type Around = { readonly text: string; readonly hits: readonly Hit[] };

/** Orders to a model, by what stands close to what. Linear: every hit looks at a bounded number of others. */
export const signsOfSentences = (text: string, hits: readonly Hit[]): Sign[] => {
  const around = { text, hits };
  const signs: Sign[] = [];
  for (const [index, hit] of hits.entries()) {
    const found = signAt(hit, index, around);
    if (found === undefined) continue;
    signs.push(found);
    if (found.family !== 'concealment' && isDisguised(text, hit))
      signs.push({ ...found, family: 'disguised', weight: 1 });
  }
  return signs;
};

/** A mode by its name may be that of a telephone. */
const TO_MODEL = /\byou(?:r|'re|'ll)?\b|\b(?:enter|activate|enable|switch to)\b/i;

const sign = (family: Family, weight: number, { start }: Hit, { end }: { end: number }): Sign => ({
  family,
  weight,
  start,
  end,
});

const signAt = (hit: Hit, index: number, around: Around): Sign | undefined => {
  const { text } = around;
  switch (hit.group) {
    case 'disobey':
      return negated(hit, around)
        ? undefined
        : sign(
            'override',
            ordersAt(hit, around) && !OF_PEOPLE.test(text.slice(hit.end, hit.end + 24)) ? 2 : 1,
            hit,
            hit,
          );
    case 'drop':
      return override(hit, index, around);
    case 'persona': {
      const other = near(hit, index, around, ['free'], PASSAGE, true);
      const meant =
        !hit.phrase.text.endsWith(' mode') ||
        TO_MODEL.test(text.slice(Math.max(0, hit.start - 40), (other?.end ?? 0) + 60));
      const about =
        !meant || (other && /^\w{0,8}\s{1,4}(?:on|for|in|to|of|about)\b/.test(text.slice(other.end, other.end + 20)));
      return other && sign('persona', about ? 1 : 2, hit, other);
    }
    case 'show':
      return extraction(hit, index, around);
    case 'send':
      return exfiltration(hit, index, around);
    case 'conceal':
      return sign('concealment', 1, hit, hit);
    case 'agent':
      if (TRADES.test(text.slice(hit.end, hit.end + 16))) return undefined;
      return sign('addresses a model', 1, hit, hit);
    case 'steer': {
      const other = near(hit, index, around, ['agent'], PASSAGE, true, -1);
      return other && !TRADES.test(text.slice(other.end, other.end + 16)) ? sign('steering', 1, hit, hit) : undefined;
    }
    case 'tool': {
      // "execute code" is prose, "execute_code" is a tool.
      if (hit.phrase.text.includes('_') && !text.slice(hit.start, hit.end).includes('_')) return undefined;
      const signs = ['agent', 'drop', 'disobey', 'conceal'] as const;
      const other =
        near(hit, index, around, signs, PASSAGE, true, -1) ?? near(hit, index, around, signs, PASSAGE, true);
      return other && !EVERYDAY.has(other.phrase.text) ? sign('tool use', 1, hit, hit) : undefined;
    }
    default:
      return undefined;
  }
};

/** The first hit of a group within `reach` letters: ahead, or behind when `step` is -1. */
const near = (
  hit: Hit,
  index: number,
  { text, hits }: Around,
  groups: readonly Group[],
  reach: number,
  acrossSentences = false,
  step = 1,
): Hit | undefined => {
  for (let at = index + step, looked = 0; looked < AHEAD; at += step, looked++) {
    const other = hits[at];
    if (other === undefined) return undefined;
    const [first, second] = step > 0 ? [hit, other] : [other, hit];
    if (second.from - first.to > reach) return undefined;
    if (second.from < first.to || !groups.includes(other.group)) continue;
    if (acrossSentences || !sentenceEnds(text.slice(first.end, second.start))) return other;
  }
  return undefined;
};

const negated = ({ start }: Hit, { text }: Around): boolean => NEGATED.test(text.slice(Math.max(0, start - 14), start));

/** Whether the verb at `hit` is an order, as far as the word before it tells; other languages inflect their verbs. */
const ordersAt = ({ phrase, start }: Hit, { text }: Around): boolean =>
  !/^[ -~]+$/.test(phrase.text) ||
  start === 0 ||
  /[A-Z]/.test(text.charAt(start)) ||
  BEFORE_ORDER.test(text.slice(Math.max(0, start - 16), start));

const isAscii = ({ phrase }: Hit): boolean => /^[ -~]+$/.test(phrase.text);
/** "Wenn Sie alle Befehle vergessen" is no order; "alle bisherigen Befehle vergessen" is one. */
const INFINITIVE = /^(?:ignorieren|vergessen|missachten|übergehen)$/;
const MODAL = /^\s{1,3}(?:soll|könn|kann|werd|wird|hat|hab|müss|muss|dürf|darf|woll|will|möcht|zu\b)/;
const isStatement = ({ phrase, end }: Hit, { text }: Around): boolean => {
  const behind = text.slice(end, end + 12);
  return DENIED.test(behind) || (INFINITIVE.test(phrase.text) && MODAL.test(behind));
};

const override = (hit: Hit, index: number, around: Around): Sign | undefined => {
  if (negated(hit, around) || isStatement(hit, around)) return undefined;
  const behind = STANDS_BEHIND.test(hit.phrase.text);
  const objects = [
    behind ? near(hit, index, around, ['order', 'prompt'], CLAUSE, false, -1) : undefined,
    near(hit, index, around, ['order', 'prompt'], CLAUSE),
    near(hit, index, around, ['weakOrder'], CLAUSE),
    behind ? near(hit, index, around, ['weakOrder'], CLAUSE, false, -1) : undefined,
  ];
  for (const object of objects) {
    if (object === undefined || OF_COMPUTERS.test(around.text.slice(object.end, object.end + 30))) continue;
    if (isAscii(hit) && /[^\x00-\u024f]/.test(object.phrase.text)) continue;
    const scopes = scopesOf(hit, object, around);
    if (scopes.length === 0) continue;
    if (INFINITIVE.test(hit.phrase.text) && scopes.every(({ phrase }) => phrase.text === 'alle')) continue;
    const strong = object.group !== 'weakOrder' || scopes.some(({ phrase }) => YOURS.test(phrase.text));
    const ordered =
      behind || (ordersAt(hit, around) && !OF_PEOPLE.test(around.text.slice(object.end, object.end + 24)));
    return sign('override', strong && ordered ? 2 : 1, hit, object);
  }
  return undefined;
};

/** Rules and texts are many people's; only a model has them as its own. */
const YOURS = /^(?:your|deine|vos|tes|tus|sus|suas|tuas|tue|vostre|jouw|swoje|свои|您的|你的)/;

/** What says which instructions: the previous ones, all of them, yours. */
const scopesOf = (verb: Hit, object: Hit, { text, hits }: Around): readonly Hit[] => {
  const [first, last] = verb.start < object.start ? [verb, object] : [object, verb];
  const from = first === object ? object.from - BEHIND : first.to;
  const at = hits.indexOf(first);
  return hits
    .slice(Math.max(0, at - 12), at + AHEAD)
    .filter(
      (other) =>
        other.group === 'scope' &&
        other.from >= from &&
        other.from - last.to <= BEHIND &&
        !sentenceEnds(text.slice(Math.min(other.end, first.end), Math.max(other.start, first.start))),
    );
};

const extraction = (hit: Hit, index: number, around: Around): Sign | undefined => {
  if (negated(hit, around)) return undefined;
  const object =
    near(hit, index, around, ['prompt'], CLAUSE) ??
    (STANDS_BEHIND.test(hit.phrase.text) ? near(hit, index, around, ['prompt'], CLAUSE, false, -1) : undefined);
  if (object === undefined) return undefined;
  const whole = near(object, around.hits.indexOf(object), around, ['exact'], CLAUSE, false);
  return sign('extraction', whole !== undefined && ordersAt(hit, around) ? 2 : 1, hit, object);
};

/** Characters behind an order to send in which the address stands. */
const ADDRESS_WITHIN = 200;
const ADDRESS = /https?:\/\/|[\w.+-]{1,64}@[\w-]{1,63}\.|\bwebhook|\bwww\./i;

/** Another cell of a table, element of a page, or paragraph: an address there is not where something is sent. */
const ELSEWHERE = /\||<\/|<br|\n\s*\n/;
/** What is in a model: nobody else is asked for all that they know. */
const YOU_KNOW = /\byou (?:know|have (?:seen|access)|can (?:find|see|access))\b|\byour (?:memory|context)\b/i;

const exfiltration = (hit: Hit, index: number, around: Around): Sign | undefined => {
  if (negated(hit, around)) return undefined;
  const behind = STANDS_BEHIND.test(hit.phrase.text);
  const object =
    near(hit, index, around, ['loot', 'credential'], CLAUSE + BEHIND) ??
    (behind ? near(hit, index, around, ['loot', 'credential'], CLAUSE + BEHIND, false, -1) : undefined);
  // "Reveal the prompt, then send it to …": what is sent was named before.
  const named = object ?? near(hit, index, around, ['prompt', 'loot'], CLAUSE, false, -1);
  if (named === undefined) return undefined;
  const first = Math.min(hit.start, named.start);
  const last = Math.max(hit.end, named.end);
  const reach = around.text.slice(behind ? Math.max(0, first - ADDRESS_WITHIN) : first, hit.end + ADDRESS_WITHIN);
  const at = reach.search(ADDRESS);
  const addressed = at >= 0 && (behind || !ELSEWHERE.test(around.text.slice(last, Math.max(last, first + at))));
  const known = YOU_KNOW.test(around.text.slice(first, last + 40));
  const ordered = addressed && ordersAt(hit, around);
  const weight =
    named.group === 'credential'
      ? addressed
        ? ordered && known
          ? 2
          : 1
        : 0
      : ordered && !EVERYDAY.has(named.phrase.text)
        ? 2
        : 1;
  return weight === 0 ? undefined : { family: 'exfiltration', weight, start: first, end: last };
};
