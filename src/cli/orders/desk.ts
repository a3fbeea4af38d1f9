import { z } from 'zod';
import { loadConfig } from '../../config.ts';
import { openOrders, type Placed } from '../../gateway/orders/book.ts';
import {
  approveOrder,
  liftOrder,
  type OrderOffice,
  placeOrder,
  type WantedOrder,
} from '../../gateway/orders/office.ts';
import type { CommandIo } from '../command.ts';
import { HERE, openAlone } from '../desk/alone.ts';
import { openAsk } from '../desk/ask.ts';
import { readToken } from '../desk/token.ts';

/** Where orders are given: in the data folder when no gateway runs on it, else at the running gateway. */
export type Desk = {
  place(wanted: WantedOrder): Promise<Placed>;
  approve(id: string): Promise<Placed>;
  lift(id: string): Promise<Placed>;
  list(): Promise<readonly Placed[]>;
  close(): Promise<void>;
};

/** Options that say which gateway is meant. */
export const DESK_OPTIONS = {
  config: { type: 'string' },
  data: { type: 'string' },
  gateway: { type: 'string' },
  'token-file': { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** The same for the help of a command. */
export const DESK_USAGE = `  --config FILE       settings (weighbridge.yaml here, when there is one)
  --data DIR          the data folder of those settings
  --gateway URL       ask this gateway, on whatever machine
  --token-file FILE   your token; - reads it from standard input
  --json              one object a line`;

type Values = {
  readonly [O in 'config' | 'data' | 'gateway' | 'token-file']?: string | undefined;
};

/** Opens the desk that the options name. */
export const openDesk = async (values: Values, io: CommandIo): Promise<Desk> => {
  const config = loadConfig({ file: values.config, overrides: { data: values.data } });
  const alone = values.gateway === undefined ? await openAlone(config) : undefined;
  if (alone !== undefined) {
    const { close, log, records } = alone;
    const alert: OrderOffice['alert'] = (text) => io.stderr.write(`${text}\n`);
    const office = { book: await openOrders(records), log, records, running: { recheck: async () => 0 }, alert };
    return {
      place: (wanted) => placeOrder(office, wanted, HERE),
      approve: (id) => approveOrder(office, id, HERE),
      lift: (id) => liftOrder(office, id, HERE),
      list: async () => office.book.list(),
      close,
    };
  }
  const { ask, close } = openAsk(config, values.gateway, await readToken(values['token-file'], io.stdin));
  return {
    place: (wanted) => ask(placed, 'orders', onWire(wanted)),
    approve: (id) => ask(placed, `orders/${encodeURIComponent(id)}/approve`, {}),
    lift: (id) => ask(placed, `orders/${encodeURIComponent(id)}/lift`, {}),
    list: async () => (await ask(z.object({ orders: z.array(placed) }), 'orders')).orders,
    close,
  };
};

const onWire = (wanted: WantedOrder): object =>
  wanted.kind === 'freeze' ? { ...wanted, since: new Date(wanted.since).toISOString() } : wanted;

const text = z.string();
const time = z.number();
const common = {
  id: text,
  reason: text,
  at: time,
  by: text,
  liftedAt: time.exactOptional(),
  liftedBy: text.exactOptional(),
};
const named = text.exactOptional();
const match = z.object({ digests: z.array(text).exactOptional(), repo: named, namespace: named, rule: named });
const placed: z.ZodType<Placed> = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('hold'), match }),
  z.object({ ...common, kind: z.literal('keep'), match, blobs: z.array(text) }),
  z.object({ ...common, kind: z.literal('freeze'), since: time, ecosystem: named }),
  z.object({
    ...common,
    kind: z.literal('pass'),
    token: named,
    actor: named,
    team: named,
    rules: z.array(text),
    hours: time,
    approvedAt: time.exactOptional(),
    approvedBy: named,
  }),
]);
