import type { AccessLog, Entry } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import { isGlob } from '../../policy/glob.ts';
import type { Order } from '../../store/tables.ts';
import type { Records } from '../../store/types.ts';
import { endOf, type OrderBook, type Placed } from './book.ts';
import { blobsOf } from './kept.ts';
import { wordMatch } from './match.ts';
import type { RunningBodies } from './running.ts';

/** Where orders are given and ended: in a running gateway, or by the command line when none runs. */
export type OrderOffice = {
  readonly book: OrderBook;
  readonly log: AccessLog;
  readonly records: Pick<Records, 'get' | 'list'>;
  /** Downloads that an order may cut. */
  readonly running: Pick<RunningBodies, 'recheck'>;
  /** Told what somebody should look at now. */
  readonly alert: (text: string, detail: Readonly<Record<string, string | number>>) => void;
};

/** An order as it was asked for. */
export type WantedOrder = { readonly reason: string } & (
  | ({ readonly kind: 'hold' | 'keep' } & {
      readonly [N in 'digest' | 'repo' | 'namespace' | 'rule']?: string | undefined;
    })
  | { readonly kind: 'freeze'; readonly since: number; readonly ecosystem?: string | undefined }
  | {
      readonly kind: 'pass';
      readonly token?: string | undefined;
      readonly team?: string | undefined;
      readonly rules: readonly string[];
      readonly hours: number;
    }
);

export type ByWhom = { readonly name: string; readonly request?: Entry['request'] };

/** Hours that a pass may last, and that its request may wait for approval. */
const MAX_HOURS = 24;
const DAY = 86_400_000;
/** Characters of a reason: it is told to whoever is refused. */
const MAX_REASON = 200;
const MAX_RULES = 50;
/** Blobs that were made of one another, one after the other. */
const MAX_SOURCES = 8;

/** Gives an order. It is in force before this resolves, but a pass, which waits for someone else's approval. */
export const placeOrder = async (office: OrderOffice, wanted: WantedOrder, by: ByWhom): Promise<Placed> => {
  const { book, log } = office;
  const order = await checked(office, wanted, log.pseudonym(by.name));
  const placed = await book.place(order);
  await enter(office, 'order.placed', placed, by, { cut: await office.running.recheck() });
  return placed;
};

/** Ends an order. Throws NOT_FOUND when there is none of this id; a second time changes nothing. */
export const liftOrder = async (office: OrderOffice, id: string, by: ByWhom): Promise<Placed> => {
  const order = found(office, id);
  if (order.liftedAt !== undefined) return order;
  const lifted = await office.book.change({ ...order, liftedAt: Date.now(), liftedBy: office.log.pseudonym(by.name) });
  await enter(office, 'order.lifted', lifted, by, { cut: await office.running.recheck() });
  return lifted;
};

/** Approves a pass, which is in force from now on. Throws FORBIDDEN for whoever asked for it. */
export const approveOrder = async (office: OrderOffice, id: string, by: ByWhom): Promise<Placed> => {
  const order = found(office, id);
  if (order.kind !== 'pass') throw invalid('only a pass waits for approval');
  if (order.liftedAt !== undefined || order.approvedAt !== undefined) throw invalid(`${id} does not wait for approval`);
  if (Date.now() - order.at > DAY) throw invalid(`${id} was asked for more than a day ago: ask again`);
  const approvedBy = office.log.pseudonym(by.name);
  if (approvedBy === order.by) throw new WeighbridgeError('FORBIDDEN', `${id} takes the approval of someone else`);
  const approved = { ...order, approvedAt: Date.now(), approvedBy };
  // Nobody passes unless the log has it.
  await enter(office, 'order.approved', approved, by, {});
  await office.book.change(approved);
  const until = new Date(endOf(approved)).toISOString();
  office.alert(`the glass is broken: ${whose(order)} passes ${order.rules.join(', ')} until ${until}`, {
    order: id,
    reason: order.reason,
  });
  return approved;
};

const found = ({ book }: OrderOffice, id: string): Placed => {
  const order = book.find(id);
  if (order === undefined) throw new WeighbridgeError('NOT_FOUND', `there is no order ${id}`);
  return order;
};

const invalid = (why: string): WeighbridgeError => new WeighbridgeError('REQUEST_INVALID', why);

const checked = async ({ log, records }: OrderOffice, wanted: WantedOrder, by: string): Promise<Order> => {
  const { reason } = wanted;
  if (reason.trim() === '' || reason.length > MAX_REASON)
    throw invalid(`reason: expected 1 to ${MAX_REASON} characters`);
  const common = { reason, at: Date.now(), by };
  if (wanted.kind === 'freeze') {
    const { ecosystem, since } = wanted;
    if (since > Date.now()) throw invalid('since: expected a time that has passed');
    return { ...common, kind: 'freeze', since, ...(ecosystem !== undefined && { ecosystem }) };
  }
  if (wanted.kind === 'pass') {
    const { hours, rules, team, token } = wanted;
    if ((team === undefined) === (token === undefined)) throw invalid('expected either a token or a team');
    if (rules.length === 0 || rules.length > MAX_RULES) throw invalid(`rules: expected 1 to ${MAX_RULES} names`);
    if (!(hours > 0 && hours <= MAX_HOURS)) throw invalid(`hours: expected at most ${MAX_HOURS}`);
    const whom = token === undefined ? { team: team ?? '' } : { token, actor: log.pseudonym(token) };
    return { ...common, kind: 'pass', ...whom, rules, hours };
  }
  const { digest, kind, reason: _reason, ...names } = wanted;
  if (digest !== undefined && !/^[0-9a-f]{64}$/.test(digest))
    throw invalid('digest: expected a sha256 of 64 hex digits');
  const named = Object.entries(names).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  if (digest === undefined && named.length === 0) throw invalid('expected a digest, repo, namespace or rule');
  for (const [name, value] of named) if (!isGlob(value)) throw invalid(`${name}: expected a name or a glob`);
  const digests = digest === undefined ? {} : { digests: await sourcesOf(records, digest) };
  const match = { ...digests, ...Object.fromEntries(named) };
  return kind === 'hold'
    ? { ...common, kind, match }
    : { ...common, kind, match, blobs: await blobsOf(records, match) };
};

/** What was made of another file is served in its place, and judged as that. */
const sourcesOf = async (records: OrderOffice['records'], digest: string): Promise<readonly string[]> => {
  const digests = [digest];
  for (let made: string | undefined = digest; made !== undefined && digests.length < MAX_SOURCES; ) {
    const statement: unknown = await records.get('statement', made);
    made = sourceIn(statement);
    if (made === undefined || digests.includes(made)) break;
    digests.push(made);
  }
  return digests;
};

const sourceIn = (statement: unknown): string | undefined => {
  if (typeof statement !== 'object' || statement === null || !('source' in statement)) return undefined;
  const { source } = statement;
  if (typeof source !== 'object' || source === null || !('sha256' in source)) return undefined;
  return typeof source.sha256 === 'string' ? source.sha256 : undefined;
};

const whose = ({ team, token }: { readonly team?: string; readonly token?: string }): string =>
  token === undefined ? `team ${team}` : `token ${token}`;

/** What an order says, in words. */
export const wordOrder = (order: Order): string => {
  if (order.kind === 'hold') return wordMatch(order.match);
  if (order.kind === 'keep') return `${wordMatch(order.match)}, with ${order.blobs.length} blobs`;
  if (order.kind === 'pass') return `${whose(order)} past ${order.rules.join(', ')} for ${order.hours} h`;
  return `${order.ecosystem ?? 'everything'} since ${new Date(order.since).toISOString()}`;
};

const enter = async (
  { log }: OrderOffice,
  kind: 'order.placed' | 'order.approved' | 'order.lifted',
  order: Placed,
  { name, request }: ByWhom,
  more: Readonly<Record<string, number>>,
): Promise<void> => {
  await log.append({
    kind,
    ...(request !== undefined && { request }),
    actor: log.pseudonym(name),
    detail: { order: order.id, what: wordOrder(order), reason: order.reason, ...more },
  });
};
