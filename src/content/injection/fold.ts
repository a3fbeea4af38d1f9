/**
 * Letters as a reader takes them: without case, accents, width and style, look-alikes of other scripts and digits that
 * stand for letters made one (Unicode TR 39, confusables that occur in words; TR 15 for width and style). `l`, `i`, `1`
 * and `|` are one letter. Everything that is no letter folds to 0 and is passed over, so that letters set apart, joined
 * by invisible characters or cut by punctuation still make words.
 */
const LOOKALIKES =
  'аaеeоoрpсcуyхxіiїiјjѕsԁdԛqԝwһhгrтtкkмmнhвbбbпnлnбbдdзzэeяrфfцuъbшwщwьbюoёeοoαaεeιiρpτtυuκkνvχxηnβbγyσoωwζzμuλaδdθo' +
  'ɡgıiɑaɩiᴀaʙbᴄcᴅdᴇeғfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzłlßsøoðdæaœoþpđdħhŧt' +
  // Cherokee, Armenian, Lisu, syllabics of Canada and Coptic.
  'ᎠdᎡrᎢtᎥiᎩyᎪaᎫjᎬeᎳwᎷmᎻhᎽyᏀgᏂhᏃzᏏbᏒrᏔwᏕsᏙvᏚsᏞlᏟcᏢpᏦkᏧdᏳgᏴb' +
  'ꭰdꭱrꭲtꭵiꭹyꭺaꭻjꭼeꮃwꮇmꮋhꮍyꮐgꮒhꮓzꮟbꮢrꮤwꮥsꮩvꮪsꮮlꮯcꮲpꮶkꮷd' +
  'օoոnսuհhցgզqյjռnաwլlտsՕoՏsՍuՀhԼlՈnꓐbꓑpꓓdꓔtꓖgꓗkꓙjꓚcꓜzꓝfꓟmꓠnꓡlꓢsꓣrꓦvꓧhꓪwꓫxꓬyꓮaꓰeꓲiꓳoꓴu' +
  'ᗩaᗅaᗷbᑕcᗪdᗞdᖴfᕼhᒍjᒪlᗰmᑎnᑭpᑫqᖇrᔕsᑌuᐯvᗯw᙭xᘔzⲟoⲞoⲥcⲤcⲣpⲢpⲭxⲬxⲩyⲨyⲓiⲒiⲕkⲔkⲏhⲎhⲛnⲚnⲧtⲦtⲙmⲘmⲁaⲀaⲉeⲈe';
/** Signs inside words. `l` becomes `i` for all, so signs for either need no decision. */
const SIGNS = '0o1i2z3e4a5s6g7t8b9g@a$s|i!i€e£l';
/** Blocks whose letters are styled, accented or wide forms of others. */
const STYLED: readonly (readonly [first: number, last: number])[] = [
  [0xaa, 0x24f],
  [0x370, 0x52f],
  [0x620, 0x64a],
  [0x1d00, 0x1d6a],
  [0x1e00, 0x1eff],
  [0x2070, 0x209c],
  [0x2100, 0x214f],
  [0x2460, 0x24ff],
  [0xff01, 0xff5e],
];
/** Mathematical letters (U+1D400 to U+1D7FF) share the lead unit 0xd835; the low unit says which letter. */
const STYLED_LEAD = 0xd835;

/** Letters of scripts that are kept as they are. */
const isOtherLetter = (code: number): boolean =>
  (code >= 0x370 && code < 0x600) ||
  (code >= 0x621 && code <= 0x64a && code !== 0x640) ||
  (code >= 0x66e && code <= 0x6d3) ||
  (code >= 0x900 && code <= 0x965) ||
  (code >= 0xe01 && code <= 0xe4e) ||
  (code >= 0x3041 && code <= 0x30ff) ||
  (code >= 0x3400 && code <= 0x9fff) ||
  (code >= 0xac00 && code <= 0xd7a3);

const asciiLetter = (code: number): number => {
  const lower = code >= 0x41 && code <= 0x5a ? code + 32 : code;
  if (lower < 0x61 || lower > 0x7a) return 0;
  return lower === 0x6c ? 0x69 : lower;
};

/** The letter that one character is made of, without accents; 0 for none. */
const baseOf = (letter: string, known: ReadonlyMap<number, number>): number => {
  const base = letter.normalize('NFKD').toLowerCase().charCodeAt(0);
  return known.get(base) ?? (asciiLetter(base) || (isOtherLetter(base) ? base : 0));
};

const pairs = (text: string): [number, number][] => {
  const letters = [...text];
  return letters.flatMap((letter, index) =>
    index % 2 === 0
      ? [[letter.charCodeAt(0), asciiLetter(letters[index + 1]?.charCodeAt(0) ?? 0)] as [number, number]]
      : [],
  );
};

const buildFolds = (): Uint16Array => {
  const folds = new Uint16Array(0x10000);
  const known = new Map([...pairs(LOOKALIKES), ...pairs(SIGNS)]);
  for (let code = 0x20; code < 0x10000; code++) {
    const letter = asciiLetter(code) || (isOtherLetter(code) ? code : 0);
    if (letter !== 0) folds[code] = letter;
    if (code === 0x7f) code = 0x36f;
  }
  for (const [first, last] of STYLED)
    for (let code = first; code <= last; code++) folds[code] = baseOf(String.fromCharCode(code), known);
  for (const [code, letter] of known) folds[code] = letter;
  for (let low = 0xdc00; low <= 0xdfff; low++) folds[low] = baseOf(String.fromCharCode(STYLED_LEAD, low), known);
  // 🄰 to 🅉, 🅐 to 🅩, 🅰 to 🆉: three alphabets in a row, and regional indicators.
  for (const first of [0xdd30, 0xdd50, 0xdd70, 0xdde6])
    for (let index = 0; index < 26; index++) folds[first + index] ||= asciiLetter(0x61 + index);
  return folds;
};

let built: Uint16Array | undefined;
/** What each UTF-16 unit folds to. Made once: an isolate that reads no text does not pay for it. */
export const foldsOf = (): Uint16Array => (built ??= buildFolds());

/** `text` folded, letters only: the form in which phrases are compared. */
export const foldedLetters = (text: string): number[] => {
  const folds = foldsOf();
  const out: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const letter = folds[text.charCodeAt(at)] ?? 0;
    if (letter !== 0) out.push(letter);
  }
  return out;
};

/** True for units that make words: a phrase may not begin or end in the middle of one. Digits and signs do not. */
export const isWordUnit = (unit: number): boolean =>
  unit < 0x80 ? (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a) : (foldsOf()[unit] ?? 0) !== 0;

/** True for scripts that write without spaces between words, or join particles to them. */
export const isUnspaced = (unit: number): boolean =>
  (unit >= 0x3041 && unit <= 0xd7a3) || (unit >= 0xe01 && unit <= 0xe4e);
