import { randomBytes } from 'node:crypto';
import { WeighbridgeError } from '../../errors.ts';
import type { Order } from '../../store/tables.ts';
import type { Records } from '../../store/types.ts';

/** An order with its id. */
export type Placed = Order & { readonly id: string };
export type OrderKind = Order['kind'];

/** What admins ordered beside the policies, in memory and in the records. */
export type OrderBook = {
  /** Those in force now. */
  live(): readonly Placed[];
  /** All of them, the newest first. */
  list(): readonly Placed[];
  find(id: string): Placed | undefined;
  place(order: Order): Promise<Placed>;
  /** Replaces an order by what has become of it. */
  change(order: Placed): Promise<Placed>;
};

/** Orders kept, also those that have ended. */
const MAX_ORDERS = 10_000;
const PAGE = 1_000;
/** ms of an hour. */
const HOUR = 3_600_000;

/** Loads the orders kept in `records`, of which nobody else may write the table. */
export const openOrders = async (records: Records, now: () => number = Date.now): Promise<OrderBook> => {
  const kept = new Map<string, Placed>();
  for (let after = ''; ; ) {
    const page = await records.list('order', '', PAGE, after);
    for (const { key, value } of page) kept.set(key, { ...value, id: key });
    after = page.at(-1)?.key ?? '';
    if (page.length < PAGE) break;
  }
  let unlifted: readonly Placed[] = [];
  const sort = (): void => {
    unlifted = [...kept.values()].filter(({ liftedAt }) => liftedAt === undefined);
  };
  const keep = async ({ id, ...order }: Placed): Promise<Placed> => {
    const placed = { ...order, id };
    // In force before it is on the disk: a full disk must not let through what was held.
    kept.set(id, placed);
    sort();
    await records.put('order', id, order, true);
    return placed;
  };
  sort();
  return {
    live: () => (unlifted.length === 0 ? unlifted : unlifted.filter((order) => isLive(order, now()))),
    list: () => [...kept.values()].sort((a, b) => b.at - a.at),
    find: (id) => kept.get(id),
    async place(order) {
      if (kept.size >= MAX_ORDERS)
        throw new WeighbridgeError('LIMIT_EXCEEDED', `there are ${MAX_ORDERS} orders already`);
      return keep({ ...order, id: `${order.kind}-${randomBytes(4).toString('hex')}` });
    },
    change: keep,
  };
};

/** When an order ends by itself, ms since the epoch. */
export const endOf = (order: Order): number =>
  order.kind === 'pass' && order.approvedAt !== undefined
    ? order.approvedAt + order.hours * HOUR
    : Number.POSITIVE_INFINITY;

const isLive = (order: Order, now: number): boolean => {
  if (order.liftedAt !== undefined) return false;
  return order.kind !== 'pass' || (order.approvedAt !== undefined && now < endOf(order));
};
