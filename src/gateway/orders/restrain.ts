import type { Decision, Facts, PolicySet } from '../../policy/types.ts';
import { createMemo } from '../memo.ts';
import type { OrderBook, Placed } from './book.ts';
import { matches } from './match.ts';

/** The decision that stands when the orders in force are obeyed as well as the policies. */
export type Restrain = (decision: Decision, facts: Facts, set: PolicySet) => Promise<Decision>;

/** Whether the log has an entry before `since` (ms since the epoch) that these bytes were served. */
export type ServedBefore = (sha256: string, since: number) => Promise<boolean>;

type OrderOf<K extends Placed['kind']> = Extract<Placed, { readonly kind: K }>;

/** Answers about digests that are remembered: what was before a past date does not change. */
const MAX_REMEMBERED = 100_000;

/** Names the order in the place of a policy's rule. */
export const orderRule = ({ id }: Pick<Placed, 'id'>): string => `order/${id}`;

/** Whether a decision was made by an order, and by no rule of a policy. */
export const isOrderRule = (rule: string): boolean => /^order\/(?:hold|freeze|pass)-[0-9a-f]{8}$/.test(rule);

/**
 * Obeys orders. A hold and a freeze stop what the policies allow, also where those are only observed; what is denied stays
 * denied. A pass lets its pipeline past the rules that it names, orders among them, and past no other.
 */
export const createRestraint = (book: OrderBook, servedBefore: ServedBefore): Restrain => {
  const remembered = createMemo<boolean>(MAX_REMEMBERED);

  const wasServed = async (sha256: string, since: number): Promise<boolean> => {
    const key = `${since} ${sha256}`;
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const served = await servedBefore(sha256, since);
    // What lies ahead of the date may still come.
    if (since <= Date.now()) remembered.set(key, served);
    return served;
  };

  const freezes = async ({ ecosystem, since }: OrderOf<'freeze'>, { artefact, stage }: Facts): Promise<boolean> => {
    if (ecosystem !== undefined && ecosystem !== artefact.ecosystem) return false;
    // Before its bytes are here, nobody knows the digest of a file that upstream lists without one.
    if (artefact.sha256 === '') return stage === 'content';
    return !(await wasServed(artefact.sha256, since));
  };

  const stops = async (order: Placed, decision: Decision, facts: Facts): Promise<Decision | undefined> => {
    if (order.kind === 'hold' && matches(order.match, facts, decision)) return held(order, facts, order.reason);
    if (order.kind !== 'freeze' || !(await freezes(order, facts))) return undefined;
    const since = new Date(order.since).toISOString();
    return held(order, facts, `only what was served before ${since} passes: ${order.reason}`);
  };

  return async (decision, facts, set) => {
    const orders = book.live();
    if (orders.length === 0) return decision;
    const passes = orders.filter((order) => order.kind === 'pass').filter((order) => isFor(order, facts));
    const [pass] = passes;
    const named = new Set(passes.flatMap(({ rules }) => rules));
    const lifted = pass === undefined ? undefined : passed(pass, named, decision, facts, set);
    const standing = lifted ?? decision;
    if (standing.action === 'deny') return standing;
    for (const order of orders) {
      if (named.has(orderRule(order))) continue;
      const stopped = await stops(order, decision, facts);
      if (stopped !== undefined) return stopped;
    }
    return standing;
  };
};

const held = (order: Placed, { artefact }: Facts, why: string): Decision => ({
  action: 'quarantine',
  rule: orderRule(order),
  reason: `${artefact.path}: ${why} (rule ${orderRule(order)})`,
  obligations: {},
});

/** A team that only the path of the request names is not proven, so that nobody passes by it. */
const isFor = ({ actor, team }: OrderOf<'pass'>, { requester }: Facts): boolean =>
  actor === undefined ? requester.teamFrom === 'token' && requester.team === team : requester.id === actor;

/** What a pass makes of a refusal: nothing, unless it names every rule that refuses. */
const passed = (
  pass: Placed,
  named: ReadonlySet<string>,
  { action, rule }: Decision,
  facts: Facts,
  set: PolicySet,
): Decision | undefined => {
  if (action !== 'deny' && action !== 'quarantine') return undefined;
  const enforced = new Set(set.rules.filter(({ mode }) => mode === 'enforce').map(({ name }) => name));
  const refusing = set
    .explain(facts, Date.now())
    .filter((one) => one.matched && enforced.has(one.rule) && (one.action === 'deny' || one.action === 'quarantine'))
    .map((one) => one.rule);
  if (![rule, ...refusing].every((one) => named.has(one))) return undefined;
  const why = `let through by ${pass.id} past ${rule}: ${pass.reason}`;
  return { action: 'allow', rule: orderRule(pass), reason: `${facts.artefact.path}: ${why}`, obligations: {} };
};
