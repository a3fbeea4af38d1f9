import { type Context, printable, type Severity } from '../format.ts';
import { FILE_OPERATORS, OTHER_OPERATORS, TENSOR_OPERATORS } from './script-operators.ts';

/** Tokens of one source file; the largest traced models have some hundred thousand. */
const TOKEN_LIMIT = 5_000_000;
/** Characters that do not belong, after which the rest is not read. */
const STRANGER_LIMIT = 20;

/** Functions of the language itself (torch/jit/_builtins.py, and what the serialiser prints). */
const BUILTINS = new Set(
  (
    'annotate unchecked_cast uninitialized isinstance range len int float bool str complex list dict tuple min max abs round sum ' +
    'divmod ord chr hex oct bin pow all any sorted enumerate zip reversed getattr hasattr print fork wait awaitable ' +
    'unchecked_unwrap_optional Exception AssertionError List Dict Tuple Optional Union Final Future Await RRef Any NoneType'
  ).split(' '),
);
/** Statements and operators that serialised code consists of. */
const KEYWORDS = new Set(
  'class def return if elif else for while in is not and or pass break continue assert raise True False None with as del'.split(
    ' ',
  ),
);
/** Names that stand for values of the language. */
const VALUES = new Set([
  'CONSTANTS',
  '__annotations__',
  'inf',
  'nan',
  'Tensor',
  'Module',
  'NamedTuple',
  'Enum',
  'Interface',
  'Device',
  'Stream',
  'Generator',
  'number',
]);
const FORBIDDEN = new Set([
  'import',
  'from',
  'exec',
  'eval',
  'lambda',
  'global',
  'nonlocal',
  'async',
  'await',
  'yield',
  'try',
  'except',
  'finally',
]);
/** Dunder names that the serialiser itself writes. */
const DUNDERS =
  /^__(torch__|parameters__|buffers__|annotations__|forward_pre_hooks__|forward_hooks__|getstate__|setstate__|init__|new__|len__|call__|contains__|getitem__|setitem__|iter__|next__|eq__|ne__|lt__|gt__|le__|ge__|add__|sub__|mul__|str__|bool__|int__|float__|enter__|exit__|and__|or__|xor__|iand__|ior__|ixor__|lshift__|rshift__|ilshift__|irshift__|not__|is__|isnot__|interpolate|upsample_bilinear|upsample|range_length|derive_index|round_to_zero_floordiv)$/;

const STRING = String.raw`[rb]{0,2}"(?:[^"\\\n]|\\[\s\S])*"|[rb]{0,2}'(?:[^'\\\n]|\\[\s\S])*'`;
const TOKEN = new RegExp(
  [
    String.raw`(?<blank>[ \t\r\n]+|#[^\n]*)`,
    `(?<string>${STRING})`,
    String.raw`(?<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d+)`,
    String.raw`(?<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`,
    String.raw`(?<operator>[-+*/%@&|^~<>=!,.:;()[\]{}$])`,
    String.raw`(?<other>[\s\S])`,
  ].join('|'),
  'y',
);

type Chain = {
  readonly parts: readonly string[];
  readonly offset: number;
  readonly called: boolean;
  readonly method: boolean;
};
/** Operators of aten that reach files: a tensor has them as methods. */
const METHODS_ON_FILES = new Set(['from_file', 'save']);

const NAMESPACES = new Set(['torch', 'ops', 'math', '__torch__']);

type Judgement = { readonly rule: string; readonly severity: Severity; readonly message: string };

const unknownName: Judgement = {
  rule: 'torchscript.name-unknown',
  severity: 'medium',
  message: "the code uses a name that is neither its own nor the language's",
};
const unknownOperator: Judgement = {
  rule: 'torchscript.operator-unknown',
  severity: 'medium',
  message: 'the code uses an operator that is on no list',
};
const fileOperator: Judgement = {
  rule: 'torchscript.file-operator',
  severity: 'high',
  message: 'the code uses an operator that reaches files or other programs',
};
const forbidden: Judgement = {
  rule: 'torchscript.statement',
  severity: 'high',
  message: 'the code has a statement that TorchScript does not have',
};
const strange: Judgement = {
  rule: 'torchscript.syntax',
  severity: 'medium',
  message: 'the code has a character that TorchScript does not have',
};

/**
 * Judges one source file of a TorchScript archive (torch/csrc/jit/serialization/python_print.cpp writes it). Every operator
 * must be on the list of those that only compute, and every name must be the file's own. Returns true when all of it is.
 */
export const judgeScript = (text: string, context: Context): boolean => {
  let clean = true;
  const report = ({ rule, severity, message }: Judgement, offset: number, evidence: string) => {
    clean = false;
    context.report({ rule, severity, message, offset, evidence: printable(evidence), refs: ['CWE-94', 'CWE-829'] });
  };
  const { chains, strangers } = tokenise(text);
  for (const { offset, text: seen } of strangers) report(strange, offset, seen);
  const own = ownNames(chains, text);
  for (const chain of chains) {
    const judgement = judgeChain(chain, own);
    if (judgement !== undefined) report(judgement, chain.offset, chain.parts.join('.'));
  }
  return clean;
};

const tokenise = (text: string): { chains: Chain[]; strangers: { offset: number; text: string }[] } => {
  const chains: Chain[] = [];
  const strangers: { offset: number; text: string }[] = [];
  const opening = /\s*\(/y;
  const reflected = /[gh](?:et|as)attr\s*\(\s*(?:torch|ops|math|__torch__)\b/y;
  let before = '';
  TOKEN.lastIndex = 0;
  for (let tokens = 0; TOKEN.lastIndex < text.length; tokens += 1) {
    const offset = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined || tokens > TOKEN_LIMIT || strangers.length > STRANGER_LIMIT) {
      strangers.push({ offset, text: text.slice(offset, offset + 20) });
      break;
    }
    const { blank, name, operator, other } = groups;
    if (blank !== undefined) continue;
    if (other !== undefined) strangers.push({ offset, text: other });
    if (name !== undefined) {
      opening.lastIndex = TOKEN.lastIndex;
      reflected.lastIndex = offset;
      const parts = reflected.test(text) ? [name, 'of a namespace'] : name.split('.');
      chains.push({ parts, offset, called: opening.test(text), method: before === '.' });
    }
    before = operator ?? '';
  }
  return { chains, strangers };
};

/** Names that the file binds: parameters, variables, attributes, functions and classes. */
const ownNames = (chains: readonly Chain[], text: string): ReadonlySet<string> => {
  const own = new Set<string>();
  const binding = /\s*(?:=(?!=)|:|,|in\b)/y;
  let before = '';
  for (const { parts, offset } of chains) {
    const [first = ''] = parts;
    binding.lastIndex = offset + first.length;
    if (before === 'def' || before === 'class' || before === 'as' || (parts.length === 1 && binding.test(text)))
      own.add(first);
    before = first;
  }
  return own;
};

const judgeChain = ({ parts, called, method }: Chain, own: ReadonlySet<string>): Judgement | undefined => {
  const [first = '', second = ''] = parts;
  if (parts.some((part) => /^__/.test(part) && !DUNDERS.test(part) && !/^___torch_mangle_\d+$/.test(part))) {
    return first === 'torch' && TENSOR_OPERATORS.has(parts.slice(1).join('.')) ? undefined : unknownName;
  }
  const last = parts.at(-1) ?? '';
  // Methods of tensors are operators of aten too; all others are methods of classes of this archive.
  if (called && first !== 'torch' && METHODS_ON_FILES.has(last)) return fileOperator;
  if (method) return undefined;
  // A namespace as a value could be given another name.
  if (last === 'of a namespace' || (parts.length === 1 && NAMESPACES.has(first))) return unknownOperator;
  if (FORBIDDEN.has(first) && parts.length === 1) return forbidden;
  if (first === 'torch' && parts.length > 1 && second !== 'ops') return judgeTorch(parts.slice(1));
  if (first === 'ops' && parts.length > 1) return judgeOperator(parts.slice(1));
  if (first === 'torch' && second === 'ops') return judgeOperator(parts.slice(2));
  if (first === '__torch__') return judgeClass(parts);
  if (first === 'math' && parts.length === 2) return undefined;
  if (KEYWORDS.has(first) || VALUES.has(first) || own.has(first) || BUILTINS.has(first)) return undefined;
  return called && FILE_OPERATORS.has(last) ? fileOperator : unknownName;
};

/** `torch.name` is an operator of aten, or a type. */
const judgeTorch = (parts: readonly string[]): Judgement | undefined => {
  const name = parts.join('.');
  if (TENSOR_OPERATORS.has(name) || /^(device|dtype|Generator|Stream|Size|_C\.(Future|Generator))$/.test(name))
    return undefined;
  return parts.some((part) => FILE_OPERATORS.has(part)) ? fileOperator : unknownOperator;
};

/** Judges an operator by its namespace and name; undefined when it only computes. */
export const judgeOperator = (parts: readonly string[]): Judgement | undefined => {
  const [namespace = '', name = ''] = parts;
  if (parts.length < 2) return unknownOperator;
  if (FILE_OPERATORS.has(name)) return fileOperator;
  if (namespace === 'aten' && TENSOR_OPERATORS.has(name)) return undefined;
  return OTHER_OPERATORS.has(`${namespace}.${name}`) || OTHER_OPERATORS.has(`${namespace}.*`)
    ? undefined
    : unknownOperator;
};

/** Classes of the archive; those under `torch.classes` are native code of a library. */
const judgeClass = (parts: readonly string[]): Judgement | undefined => {
  if (parts[1] !== 'torch' || parts[2] !== 'classes') return undefined;
  return parts[3] === 'quantized' || parts[3] === 'rnn' || parts[3] === 'sparse' ? undefined : unknownOperator;
};
