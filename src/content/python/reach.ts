import type { Place } from './places.ts';
import type { Call } from './resolve.ts';

/** A function, or a method of a class, with the names it calls. */
type Unit = { readonly place: Place; readonly first: Set<string>; readonly later: Set<string> };

const keyOf = ({ owner, member }: Place): string => `${owner}.${member}`;

/** Methods that the interpreter calls of its own accord, once the class is used. */
const isImplicit = (member: string): boolean => member === '' || /^__\w+__$/.test(member);

/**
 * Tells whether code runs at import although it stands in a function: because something at module level calls that
 * function, directly or not. A method runs when its class is used and something calls a method of that name.
 */
export const reachedAtImport = (
  calls: readonly Call[],
  placeOf: (call: Call) => Place,
): ((place: Place) => boolean) => {
  const units = unitsOf(calls, placeOf);
  const first = new Set<string>();
  const later = new Set<string>();
  const reached = new Set<string>();
  const isReached = ({ owner, member }: Place): boolean =>
    first.has(owner) && (isImplicit(member) || later.has(member));
  let waiting = [...units];
  for (let changed = true; changed; ) {
    const ready = waiting.filter(([, { place }]) => place.atImport || isReached(place));
    changed = ready.length > 0;
    for (const [key, unit] of ready) {
      reached.add(key);
      for (const name of unit.first) first.add(name);
      for (const name of unit.later) later.add(name);
    }
    if (changed) waiting = waiting.filter(([key]) => !reached.has(key));
  }
  return (place) => isReached(place);
};

const unitsOf = (calls: readonly Call[], placeOf: (call: Call) => Place): Map<string, Unit> => {
  const units = new Map<string, Unit>();
  for (const call of calls) {
    const place = placeOf(call);
    const key = place.atImport ? '' : keyOf(place);
    const unit = units.get(key) ?? { place, first: new Set(), later: new Set() };
    units.set(key, unit);
    if (!call.path.startsWith('?')) continue;
    const [name = '', ...rest] = call.path.slice(1).split('.');
    unit.first.add(name.replace(/[([].*$/, ''));
    for (const part of rest) unit.later.add(part.replace(/[([].*$/, ''));
  }
  return units;
};
