import { bitOf } from './automaton.ts';
import type { Group } from './phrases.ts';

/** Groups that make an order together: a text that has no such set gives none. */
const SETS: readonly (readonly Group[])[] = [
  ['disobey'],
  ['drop', 'order'],
  ['drop', 'prompt'],
  ['persona', 'free'],
  ['show', 'prompt'],
  ['send', 'loot'],
  ['send', 'prompt'],
  ['agent', 'steer'],
  ['agent', 'send'],
  ['agent', 'tool'],
  ['conceal'],
  ['tool', 'drop'],
  ['mirrored'],
  ['rotated'],
];
const MASKS = SETS.map((groups) => groups.reduce((mask, group) => mask | bitOf(group), 0));

/** Whether phrases of these groups can make an order. */
export const mayOrder = (groups: number): boolean => MASKS.some((mask) => (groups & mask) === mask);
