import { printable } from '../format.ts';
import { type Machine, report } from './state.ts';
import type { Value } from './values.ts';

/** Reports every global in `value`, at any depth, that may not be passed as data. Each container is walked once. */
export const demandPlain = (machine: Machine, value: Value): void => {
  const pending: Value[] = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'global') judge(machine, next);
    else if (isContainer(next) && !machine.plain.has(next)) {
      machine.plain.add(next);
      pushParts(next, pending);
    }
  }
};

/**
 * The same for what a stream loads in the end, arguments and states of its calls included: a container may have got
 * something after it was first looked at, and a bare dict of functions is never an argument of anything.
 */
export const demandPlainResult = (machine: Machine, result: Value): void => {
  machine.plain.clear();
  const pending: Value[] = [result];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'global') judge(machine, next);
    else if (isContainer(next) && !machine.plain.has(next)) {
      machine.plain.add(next);
      pushParts(next, pending);
      if (next.kind !== 'call') continue;
      for (const held of [...next.args, ...next.states]) if (held.kind !== 'global') pending.push(held);
    }
  }
};

const isContainer = (value: Value): boolean =>
  value.kind === 'tuple' ||
  value.kind === 'list' ||
  value.kind === 'set' ||
  value.kind === 'dict' ||
  value.kind === 'call';

/** The values that a container holds. A call's arguments are not among them: they were judged when it happened. */
const pushParts = (value: Value, into: Value[]): void => {
  if (value.kind === 'tuple' || value.kind === 'list' || value.kind === 'set') {
    for (const item of value.items) into.push(item);
  } else if (value.kind === 'dict' || value.kind === 'call') {
    for (const [key, held] of value.entries) into.push(key, held);
    if (value.kind === 'call') for (const item of value.items) into.push(item);
  }
};

const judge = (machine: Machine, value: Value & { kind: 'global' }): void => {
  if (value.allowed === undefined || value.allowed.reference) return;
  report(machine, {
    rule: 'pickle.global-as-data',
    severity: 'high',
    message: 'A function that may only be called is handed on as a value.',
    evidence: printable(`${value.module}.${value.name}`),
    content: 'unknown',
  });
};
