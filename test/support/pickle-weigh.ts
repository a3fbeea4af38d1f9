import type t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { fromBytes } from '../../src/bytes/random-access.ts';
import type { Context, Finding } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { type PickleOptions, runPickle } from '../../src/formats/pickle/machine.ts';
import { assemble, named, op, type Piece, text } from './pickle-assembler.ts';

export type Weighed = ReturnType<typeof runPickle> & { findings: Finding[]; rules: string[] };

/** Runs one stream with the findings kept. */
export const weigh = (bytes: Uint8Array, options: Partial<PickleOptions> = {}): Weighed => {
  const findings: Finding[] = [];
  const context: Context = {
    path: [],
    budget: createBudget(),
    provisional: false,
    report: ({ offset, evidence = '', refs = [], ...finding }) =>
      findings.push({ ...finding, evidence, refs, where: { path: [], offset } }),
    nested: (source) => inspect(source),
  };
  const run = runPickle(fromBytes(bytes), 0, { context, ...options });
  return { ...run, findings, rules: findings.map(({ rule }) => rule) };
};

export const plainRanks = ['inert', 'tensors', 'data', 'trainer', 'library'];
export const severe = (findings: readonly Finding[]): boolean =>
  findings.some(({ severity }) => severity === 'high' || severity === 'critical');

/** Asserts that a stream can never be taken for harmless, and that a finding says so. */
export const refused = (test: Tap, bytes: Uint8Array, rule: string, content?: string): Weighed => {
  const weighed = weigh(bytes);
  test.ok(weighed.rules.includes(rule), `${rule} among ${weighed.rules.join(', ')}`);
  test.notOk(plainRanks.includes(weighed.content), weighed.content);
  if (content !== undefined) test.equal(weighed.content, content);
  return weighed;
};
type Tap = Pick<typeof t, 'ok' | 'notOk' | 'equal' | 'same'>;

export const accepted = (test: Tap, bytes: Uint8Array, content: string, message: string): Weighed => {
  const weighed = weigh(bytes);
  test.same([weighed.fault, weighed.content, weighed.rules], [undefined, content, []], message);
  return weighed;
};

export const call = (module: string, name: string, ...args: Piece[]): Uint8Array =>
  assemble(named(module, name), op.mark(), args, op.tuple(), op.reduce());

export const payload = call('os', 'system', text('true'));

/** Fixed seed, so that a failure can be repeated (mulberry32). */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};

export const storage = assemble(
  op.mark(),
  text('storage'),
  named('torch', 'FloatStorage'),
  text('0'),
  text('cpu'),
  op.binint1(12),
  op.tuple(),
  op.binpersid(),
);
export const tensor = (
  change: { offset?: number; size?: Piece; stride?: Piece; hooks?: Piece; of?: Piece } = {},
): Uint8Array =>
  call(
    'torch._utils',
    '_rebuild_tensor_v2',
    change.of ?? storage,
    op.binint1(change.offset ?? 0),
    change.size ?? assemble(op.binint1(3), op.binint1(4), op.tuple2()),
    change.stride ?? assemble(op.binint1(4), op.binint1(1), op.tuple2()),
    op.false(),
    change.hooks ?? call('collections', 'OrderedDict'),
  );
export const inTorch: Partial<PickleOptions> = { persistent: (id, offset) => ({ kind: 'persistent', id, offset }) };

export const dtype = (code: string, order = '<'): Uint8Array =>
  assemble(
    call('numpy', 'dtype', text(code), op.false(), op.true()),
    op.mark(),
    op.binint1(3),
    text(order),
    op.none(),
    op.none(),
    op.none(),
    op.binint(-1),
    op.binint(-1),
    op.binint1(0),
    op.tuple(),
    op.build(),
  );
export const array = (
  code: string,
  count: number,
  data: Piece,
  subtype: Piece = named('numpy', 'ndarray'),
): Uint8Array =>
  assemble(
    call('numpy.core.multiarray', '_reconstruct', subtype, assemble(op.binint1(0), op.tuple1()), op.shortBinbytes('b')),
    op.mark(),
    op.binint1(1),
    assemble(op.binint1(count), op.tuple1()),
    dtype(code),
    op.false(),
    data,
    op.tuple(),
    op.build(),
  );
