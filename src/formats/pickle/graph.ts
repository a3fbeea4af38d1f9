import { type Machine, report } from './state.ts';
import type { Value } from './values.ts';

/** Containers inside containers. Python's own recursion limit is 1,000; real checkpoints stay under 50. */
const MAX_DEPTH = 1000;

/** Nodes of the object when every shared part is counted each time it is reached: what walking or printing it costs. */
const MAX_EXPANDED = 50_000_000;

/** How much larger the expanded object may be than the real one before it counts as a bomb. */
const MAX_RATIO = 100;

type Extent = { readonly depth: number; readonly size: number };
const LEAF: Extent = { depth: 0, size: 1 };

/** Reports an object that is nested too deep, or that shares its parts so often that walking it never ends. */
export const checkGraph = (machine: Machine, root: Value): void => {
  const extents = new Map<Value, Extent>();
  measure(root, extents);
  const { depth, size } = extents.get(root) ?? LEAF;
  if (depth > MAX_DEPTH) {
    report(machine, {
      rule: 'pickle.depth',
      severity: 'medium',
      message: `The object is nested deeper than ${MAX_DEPTH}, which exhausts the stack of its readers.`,
      evidence: `${depth} levels`,
      refs: ['CWE-674'],
      content: 'unknown',
    });
  }
  if (size > MAX_EXPANDED && size > MAX_RATIO * extents.size) {
    report(machine, {
      rule: 'pickle.expansion',
      severity: 'high',
      message: 'The object shares its parts so often that walking or printing it takes for ever.',
      evidence: `${extents.size} objects expand to ${size.toExponential(1)}`,
      refs: ['CWE-776', 'CWE-400'],
      content: 'unknown',
    });
  }
};

/** Depth and expanded size of every container under `root`, without recursion; a cycle counts once. */
const measure = (root: Value, extents: Map<Value, Extent>): void => {
  const path: { readonly node: Value; readonly parts: readonly Value[]; next: number }[] = [];
  const enter = (node: Value): void => {
    if (extents.has(node)) return;
    const parts = partsOf(node);
    if (parts.length === 0) return;
    extents.set(node, LEAF);
    path.push({ node, parts, next: 0 });
  };
  enter(root);
  for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
    const part = step.parts[step.next];
    step.next += 1;
    if (part !== undefined) enter(part);
    else {
      extents.set(step.node, sum(step.parts, extents));
      path.pop();
    }
  }
};

const sum = (parts: readonly Value[], extents: ReadonlyMap<Value, Extent>): Extent => {
  let depth = 0;
  let size = 1;
  for (const part of parts) {
    const extent = extents.get(part) ?? LEAF;
    depth = Math.max(depth, extent.depth);
    size += extent.size;
  }
  return { depth: depth + 1, size };
};

const partsOf = (value: Value): readonly Value[] => {
  switch (value.kind) {
    case 'tuple':
    case 'list':
    case 'set':
      return value.items;
    case 'dict':
      return value.entries.flat();
    case 'call':
      return [...value.args, ...value.kwargs.flat(), ...value.states, ...value.items, ...value.entries.flat()];
    case 'persistent':
      return [value.id];
    default:
      return [];
  }
};
