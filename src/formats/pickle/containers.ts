import { demandPlain } from './data.ts';
import { broken, type Handlers, type Machine, pop, popMark, report, top } from './state.ts';
import { EMPTY_TUPLE, type Entry, type Value } from './values.ts';

const tuple = (machine: Machine, size: number): void => {
  const { stack } = machine;
  if (stack.length - machine.fence < size) broken('the stack is empty');
  stack.push({ kind: 'tuple', items: stack.splice(stack.length - size) });
};

const pairs = (items: readonly Value[]): Entry[] => {
  if (items.length % 2 !== 0) broken('odd number of items for a dict');
  const entries: Entry[] = [];
  for (let at = 0; at + 1 < items.length; at += 2) {
    const key = items[at];
    const value = items[at + 1];
    if (key !== undefined && value !== undefined) entries.push([key, value]);
  }
  return entries;
};

const addItems = (machine: Machine, into: Value, items: readonly Value[], what: 'list' | 'set'): void => {
  if (items.length === 0) return;
  if (into.kind === what) for (const item of items) into.items.push(item);
  else if (into.kind === 'call') {
    if (into.callee.allowed?.container !== what) refuse(machine, into, what === 'list' ? 'append' : 'add');
    for (const item of items) into.items.push(item);
  } else refuse(machine, into, what === 'list' ? 'append' : 'add');
  if (machine.plain.has(into)) for (const item of items) demandPlain(machine, item);
};

const setItems = (machine: Machine, into: Value, entries: readonly Entry[]): void => {
  if (entries.length === 0) return;
  if (into.kind === 'dict') for (const entry of entries) into.entries.push(entry);
  else if (into.kind === 'call') {
    if (into.callee.allowed?.container !== 'mapping') refuse(machine, into, '__setitem__');
    for (const entry of entries) into.entries.push(entry);
  } else refuse(machine, into, '__setitem__');
  if (machine.plain.has(into)) {
    for (const [key, value] of entries) {
      demandPlain(machine, key);
      demandPlain(machine, value);
    }
  }
};

/** The loader would call a method of whatever stands there (CVE-2026-24747 is this on a tensor). */
const refuse = (machine: Machine, into: Value, method: string): void => {
  const unlisted = into.kind === 'call' && into.callee.allowed === undefined;
  report(machine, {
    rule: 'pickle.target',
    severity: unlisted ? 'medium' : 'critical',
    message: `Items are added to something that is not a plain container: its method ${method} would run.`,
    evidence: into.kind === 'call' ? `${into.callee.module}.${into.callee.name}`.slice(0, 120) : into.kind,
    refs: ['CVE-2026-24747', 'CWE-502', 'CWE-843'],
    content: unlisted ? 'unknown' : 'active',
  });
};

/** Opcodes that make containers and fill them */
export const containers: Handlers = {
  EMPTY_TUPLE: (machine) => machine.stack.push(EMPTY_TUPLE),
  TUPLE1: (machine) => tuple(machine, 1),
  TUPLE2: (machine) => tuple(machine, 2),
  TUPLE3: (machine) => tuple(machine, 3),
  TUPLE: (machine) => machine.stack.push({ kind: 'tuple', items: popMark(machine) }),
  EMPTY_LIST: (machine) => machine.stack.push({ kind: 'list', items: [] }),
  LIST: (machine) => machine.stack.push({ kind: 'list', items: popMark(machine) }),
  EMPTY_DICT: (machine) => machine.stack.push({ kind: 'dict', entries: [] }),
  DICT: (machine) => machine.stack.push({ kind: 'dict', entries: pairs(popMark(machine)) }),
  EMPTY_SET: (machine) => machine.stack.push({ kind: 'set', items: [] }),
  FROZENSET: (machine) => machine.stack.push({ kind: 'set', items: popMark(machine) }),
  APPEND: (machine) => {
    const item = pop(machine);
    addItems(machine, top(machine), [item], 'list');
  },
  APPENDS: (machine) => {
    const items = popMark(machine);
    addItems(machine, top(machine), items, 'list');
  },
  ADDITEMS: (machine) => {
    const items = popMark(machine);
    addItems(machine, top(machine), items, 'set');
  },
  SETITEM: (machine) => {
    const value = pop(machine);
    const key = pop(machine);
    setItems(machine, top(machine), [[key, value]]);
  },
  SETITEMS: (machine) => {
    const items = popMark(machine);
    setItems(machine, top(machine), pairs(items));
  },
};
