import { printable } from '../../formats/format.ts';
import { endOf, type OrderKind, type Placed } from '../../gateway/orders/book.ts';
import { wordOrder } from '../../gateway/orders/office.ts';
import { type CommandIo, EXIT } from '../command.ts';

/** Prints orders, one a line. */
export const printOrders = (orders: readonly Placed[], json: boolean | undefined, io: CommandIo): number => {
  for (const order of orders) io.stdout.write(`${json === true ? JSON.stringify(order) : worded(order)}\n`);
  return EXIT.ok;
};

/** Those of these kinds. */
export const ofKind = (orders: readonly Placed[], ...kinds: readonly OrderKind[]): readonly Placed[] =>
  orders.filter(({ kind }) => kinds.includes(kind));

const worded = (order: Placed): string => {
  const { at, id, reason } = order;
  return printable(`${id}  ${stateOf(order).padEnd(20)}  ${when(at)}  ${wordOrder(order)}  (${reason})`, 2000);
};

const when = (time: number): string => `${new Date(time).toISOString().slice(0, 16)}Z`;

const stateOf = (order: Placed): string => {
  if (order.liftedAt !== undefined) return `lifted ${when(order.liftedAt).slice(0, 10)}`;
  if (order.kind !== 'pass') return 'in force';
  if (order.approvedAt === undefined) return 'waits for approval';
  return Date.now() < endOf(order) ? 'in force' : 'over';
};
