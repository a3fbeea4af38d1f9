/** Characters of an expression; honest ones have some hundred. */
const LENGTH = 8192;

/** Functions of sympy and of torch that sizes are written with (torch/_export/serde/serialize.py, sympy_functions; srepr). */
const FUNCTIONS = new Set(
  `Symbol Integer Float Rational Add Mul Pow Mod Max Min Abs Eq Ne Lt Le Gt Ge Equality Unequality StrictLessThan LessThan
   StrictGreaterThan GreaterThan And Or Not Piecewise ExprCondPair Tuple floor ceiling sqrt log exp FloorDiv ModularIndexing
   Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv IntTrueDiv
   IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat Identity BitwiseFn_bitwise_and
   true false True False oo int_oo inf IntInfinity NegativeIntInfinity Infinity NegativeInfinity integer positive nonnegative
   negative real nonzero finite even odd precision`.split(/\s+/),
);
/** What guards are written with besides: places of arguments and what is asked of their shapes. */
const GUARDS = new Set('L args size stride storage_offset and or not math'.split(' '));
/** Powers and shifts of one expression, and what makes one of another: numbers of which no memory is large enough. */
const POWERS = 8;
const TOWER =
  /\)\s{0,8}(?:\*\*|<<)|(?:\*\*|<<)\s{0,8}[-(]?\s{0,8}\w{1,40}\s{0,8}(?:\*\*|<<)|(?:Pow|LShift)[^)]{0,400}(?:Pow|LShift)/;
const SYMBOL = /^[a-z]{1,4}[0-9]{1,9}$/;
const TOKEN =
  /\s+|([A-Za-z_][A-Za-z_0-9]*)|('(?:[A-Za-z_0-9.]{0,200})')|([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)|(\*\*|\/\/|<<|>>|<=|>=|==|!=|[-+*/%<>(),=&|~])|([.[\]])/y;

/**
 * Whether text that a loader evaluates (sympify and `exec` run it as Python) is arithmetic on sizes: known functions,
 * symbols, numbers, no attribute but those of guards, and powers that stay small. Says why when it is not.
 */
export const notArithmetic = (text: string, guard = false): string | undefined => {
  if (text.length > LENGTH) return 'it is too long';
  let powers = 0;
  let before = '';
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return 'it has signs that sizes are not written with';
    const [whole, name, quoted, number, sign, access] = match;
    if (whole.trim() === '') continue;
    if (access !== undefined && !guard) return 'it reaches into something';
    if (quoted !== undefined && !guard && before !== '(') return 'it holds text';
    if (name !== undefined && !(FUNCTIONS.has(name) || SYMBOL.test(name) || (guard && GUARDS.has(name))))
      return `it names ${name.slice(0, 60)}`;
    if (sign === '**' || sign === '<<' || (name !== undefined && /Pow|LShift/.test(name))) powers += 1;
    if (number !== undefined && powers > 0 && number.length > 4 && /^[0-9]+$/.test(number))
      return 'it takes a large power';
    before = whole;
  }
  return powers > POWERS || TOWER.test(text) ? 'it takes powers of powers' : undefined;
};
