import { printable, worseContent } from '../format.ts';
import type { Allowed } from './allowed/types.ts';
import { attackOf } from './attacks.ts';
import { demandPlain } from './data.ts';
import { utf8Text } from './literals.ts';
import { badFrame } from './memory.ts';
import { importName } from './names.ts';
import type { Handler, Handlers } from './state.ts';
import { broken, type Machine, pop, popMark, report, top } from './state.ts';
import { type Call, type Entry, entriesOf, type Global, isGlobal, itemsOf, type Value } from './values.ts';

const nameOf = (global: Global): string => printable(`${global.module}.${global.name}`);

/** What a call really makes: the helpers of `copyreg` stand for the class in their first argument. */
const unwrap = (callee: Global, args: readonly Value[]): readonly [Global, readonly Value[]] | undefined => {
  const [first, second, third] = args;
  if (callee.module !== 'copyreg' || first?.kind !== 'global') return undefined;
  if (callee.name === '_reconstructor' && isGlobal(second, 'builtins', 'object') && third?.kind === 'none') {
    return args.length === 3 ? [first, []] : undefined;
  }
  return callee.name === '__newobj__' ? [first, args.slice(1)] : undefined;
};

/** Judges a call and returns what stands for its result. Nothing is ever called. */
const invoke = (machine: Machine, callee: Value, given: Value, kwargs: readonly Entry[] = []): Value => {
  machine.calls += 1;
  const args = given.kind === 'tuple' ? given.items : [];
  if (given.kind !== 'tuple') refuseArguments(machine, callee, 'its arguments are not a tuple');
  if (callee.kind !== 'global') return refuseComputed(machine, callee);
  const [made, plainArgs] = unwrap(callee, args) ?? [callee, args];
  const call: Call = {
    kind: 'call',
    callee: made,
    args: plainArgs,
    kwargs,
    states: [],
    items: [],
    entries: [],
    offset: machine.at,
  };
  judge(machine, call);
  return call;
};

const judge = (machine: Machine, call: Call): void => {
  const { allowed } = call.callee;
  if (allowed === undefined) demandArguments(machine, call, false);
  else judgeAllowed(machine, call, allowed);
};

const judgeAllowed = (machine: Machine, call: Call, allowed: Allowed): void => {
  if (allowed.call === undefined) {
    report(machine, {
      rule: 'pickle.call-forbidden',
      severity: 'high',
      message: 'A name that is only data is called.',
      evidence: nameOf(call.callee),
      content: 'unknown',
    });
  } else {
    const refused = call.kwargs.length > 0 ? 'it takes no keywords' : allowed.call(call, machine.rules);
    if (refused !== undefined) refuseArguments(machine, call.callee, refused);
  }
  demandArguments(machine, call, allowed.takesGlobals);
};

const demandArguments = (machine: Machine, call: Call, globalsJudged: boolean): void => {
  for (const arg of call.args) if (!(globalsJudged && arg.kind === 'global')) demandPlain(machine, arg);
  for (const [, value] of call.kwargs) demandPlain(machine, value);
};

const refuseArguments = (machine: Machine, callee: Value, why: string): void => {
  const attack = callee.kind === 'global' ? attackOf(callee.module, callee.name) : undefined;
  report(machine, {
    rule: attack === undefined ? 'pickle.argument' : 'pickle.global-dangerous',
    severity: attack === undefined ? 'high' : 'critical',
    message: `A call that may be made is given what it may not be: ${why}.`,
    evidence: callee.kind === 'global' ? nameOf(callee) : callee.kind,
    content: attack === undefined ? 'unknown' : 'active',
  });
};

const refuseComputed = (machine: Machine, callee: Value): Value => {
  const made = callee.kind === 'call' ? nameOf(callee.callee) : callee.kind;
  report(machine, {
    rule: 'pickle.callee-computed',
    severity: 'critical',
    message: 'The stream calls something that it computed: what runs cannot be known from its name.',
    evidence: `result of ${made}`.slice(0, 200),
    content: 'active',
  });
  return { kind: 'opaque', what: 'result of a computed call', offset: machine.at };
};

const reduce: Handler = (machine) => {
  const args = pop(machine);
  const callee = pop(machine);
  machine.stack.push(invoke(machine, callee, args));
};

const newObjectEx: Handler = (machine) => {
  const kwargs = pop(machine);
  const args = pop(machine);
  const callee = pop(machine);
  const entries = kwargs.kind === 'dict' ? kwargs.entries : undefined;
  if (entries === undefined) refuseArguments(machine, callee, 'its keywords are not a dict');
  machine.stack.push(invoke(machine, callee, args, entries ?? []));
};

const lineText = (machine: Machine): string => utf8Text(machine.reader.line());

const instance: Handler = (machine) => {
  const items = popMark(machine);
  const module = lineText(machine);
  const callee = importName(machine, module, lineText(machine));
  machine.stack.push(invoke(machine, callee, { kind: 'tuple', items }));
};

const object: Handler = (machine) => {
  const [callee, ...items] = popMark(machine);
  machine.stack.push(invoke(machine, callee ?? broken('OBJ without a class'), { kind: 'tuple', items }));
};

const global: Handler = (machine) => {
  const module = lineText(machine);
  machine.stack.push(importName(machine, module, lineText(machine)));
};

/** Calls of the allow-list whose result may be a string; loaders take only `str` itself, no subclass. */
const MAKE_TEXT = ['str', 'getattr'];

/** True for a value that is certainly no string, with which every loader stops at STACK_GLOBAL. */
const isNoText = (value: Value): boolean =>
  value.kind === 'call'
    ? value.callee.allowed !== undefined && !MAKE_TEXT.includes(value.callee.name)
    : ['none', 'bool', 'int', 'float', 'bytes', 'tuple', 'list', 'set', 'dict', 'global', 'persistent'].includes(
        value.kind,
      );

const stackGlobal: Handler = (machine) => {
  const name = pop(machine);
  const module = pop(machine);
  if (name.kind === 'str' && module.kind === 'str' && name.whole && module.whole) {
    machine.stack.push(importName(machine, module.text, name.text));
    return;
  }
  if (isNoText(name) || isNoText(module)) broken('STACK_GLOBAL without two strings');
  report(machine, {
    rule: 'pickle.name-computed',
    severity: 'critical',
    message: 'The stream imports a name that is not a constant string.',
    evidence: `${module.kind}, ${name.kind}`,
    content: 'active',
  });
  machine.stack.push({ kind: 'opaque', what: 'import of a computed name', offset: machine.at });
};

const build: Handler = (machine) => {
  const state = pop(machine);
  const target = top(machine);
  machine.calls += 1;
  if (target.kind !== 'call')
    return refuseBuild(machine, target.kind, 'it is not an object that the stream made', 'active');
  const { allowed } = target.callee;
  target.states.push(state);
  demandPlain(machine, state);
  if (allowed === undefined) return;
  if (allowed.build === undefined) return refuseBuild(machine, nameOf(target.callee), 'it takes no state', 'active');
  const refused = allowed.build(target, state, machine.rules);
  if (refused !== undefined) return refuseBuild(machine, nameOf(target.callee), refused, 'unknown');
  readOutside(machine, target);
};

/** joblib puts arrays between the opcodes: the container reads them and says where the stream goes on. */
const readOutside = (machine: Machine, built: Call): void => {
  const outside = machine.options.outside?.(built, machine.reader.position);
  if (outside === undefined) return;
  if (outside.content !== undefined) machine.content = worseContent(machine.content, outside.content);
  // joblib's unpickler has read the frame whole: in the middle of one it would take the array from behind it.
  if (machine.frameEnd >= 0 && machine.frameEnd !== machine.reader.position) badFrame(machine, 'array inside a frame');
  machine.frameEnd = -1;
  machine.reader.position = outside.end;
  machine.stack[machine.stack.length - 1] = outside.value;
};

const refuseBuild = (machine: Machine, evidence: string, why: string, content: 'unknown' | 'active'): void =>
  report(machine, {
    rule: 'pickle.build',
    severity: content === 'active' ? 'critical' : 'high',
    message: `The stream sets the state of something where it may not: ${why}.`,
    evidence,
    content,
  });

const persistent = (machine: Machine, id: Value): void => {
  const value = machine.options.persistent?.(id, machine.at);
  if (value === undefined) {
    report(machine, {
      rule: 'pickle.persistent-id',
      severity: 'high',
      message: 'The stream asks its loader for an object by a persistent id that this container does not have.',
      evidence: id.kind === 'str' ? printable(id.text) : (itemsOf(id) ?? entriesOf(id) ?? []).length.toString(),
      content: 'unknown',
    });
  }
  machine.stack.push(value ?? { kind: 'opaque', what: 'persistent id', offset: machine.at });
};

/** EXT1, EXT2 and EXT4 import a name that only the loader's registry knows. */
const extension = (machine: Machine, code: number): void => {
  report(machine, {
    rule: 'pickle.extension',
    severity: 'high',
    message: 'The stream imports by a number of the extension registry; the name is not in the file.',
    evidence: `code ${code}`,
    content: 'unknown',
  });
  machine.stack.push({ kind: 'opaque', what: 'extension registry', offset: machine.at });
};

/** Opcodes that import, call, or set state */
export const calls: Handlers = {
  GLOBAL: global,
  STACK_GLOBAL: stackGlobal,
  REDUCE: reduce,
  NEWOBJ: reduce,
  NEWOBJ_EX: newObjectEx,
  INST: instance,
  OBJ: object,
  BUILD: build,
  PERSID: (machine) => persistent(machine, { kind: 'str', text: lineText(machine), whole: true }),
  BINPERSID: (machine) => persistent(machine, pop(machine)),
  EXT1: (machine) => extension(machine, machine.reader.u8()),
  EXT2: (machine) => extension(machine, machine.reader.u16()),
  EXT4: (machine) => extension(machine, machine.reader.i32()),
};
