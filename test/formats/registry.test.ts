import t from 'tap';
import { MIB } from '../../src/bytes/limits.ts';
import { checkRange, fromBytes, head, type RandomAccess } from '../../src/bytes/random-access.ts';
import { type Report, SEVERITIES } from '../../src/formats/format.ts';
import { formats, inspect } from '../../src/formats/index.ts';
import { readReport } from '../../src/sandbox/answer.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import { bitFlips, splices, truncations, worst } from '../support/reports.ts';
import { samples } from './samples/index.ts';
import type { Samples } from './samples/types.ts';

/** Every prefix shorter than this is tried; of a longer sample also the prefixes of a power of two. */
const CUTS = 2048;
const FLIPS = 300;
const SPLICES = 50;
/** Milliseconds that one damaged sample may take on a busy machine; an honest one takes less than one. */
const PATIENCE = 5000;
/** What the inspection of a sample of some hundred bytes may use: a number in it that is believed is found out. */
const limits = { steps: 1_000_000, bytesRead: 64 * MIB, bytesInflated: 16 * MIB };

type Kind = 'accept' | 'reject';
const listed = (kind: Kind) =>
  samples.flatMap((of) =>
    Object.entries(of[kind]).map(([name, make]) => ({ of, kind, what: `${of.format}: ${name}`, name, make })),
  );
const all = [...listed('accept'), ...listed('reject')];

/** The default intent: understood whole, of a kind that may pass, and nothing found from medium on. */
const passes = (report: Report): boolean =>
  report.coverage.state === 'complete' &&
  report.content !== 'unknown' &&
  report.content !== 'active' &&
  SEVERITIES.indexOf(worst(report)) < SEVERITIES.indexOf('medium');

t.setTimeout(240_000);

t.test('every registered format has samples that it accepts and samples that it rejects', async (t) => {
  const names = formats.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'no name twice');
  t.same(
    samples.map(({ format }) => format).filter((name) => !names.includes(name)),
    [],
    'no samples of a format that is not registered',
  );
  for (const format of formats) {
    const own = samples.filter((entry) => entry.format === format.name);
    if (own.length !== 1) t.fail(`${format.name}: ${own.length} entries in test/formats/samples/`);
    for (const { accept, reject, never } of own) {
      const accepted = Object.keys(accept).length;
      if (never === undefined && accepted === 0) t.fail(`${format.name}: no sample that is accepted`);
      if (never !== undefined && accepted > 0) t.fail(`${format.name}: accepts what it never accepts`);
      const recognised = Object.values(reject).filter((make) => {
        const source = fromBytes(make());
        return format.recognise(head(source, 4096), source);
      });
      if (recognised.length < 3) t.fail(`${format.name}: ${recognised.length} rejected samples that it recognises`);
    }
  }
  t.ok(formats.length > 30);
});

t.test('a format takes no file that begins otherwise than it says its files begin', async (t) => {
  const told = formats.filter(({ begins }) => begins !== undefined);
  t.ok(told.length > 30);
  for (const { name, begins = [], recognise } of told) {
    const own = all
      .map(({ make }) => make())
      .filter((bytes) => recognise(head(fromBytes(bytes), 4096), fromBytes(bytes)));
    t.ok(own.length > 0, name);
    t.ok(
      own.every((bytes) => begins.includes(bytes[0] ?? 0)),
      name,
    );
    const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !begins.includes(byte));
    const taken = own.slice(0, 20).flatMap((bytes) =>
      others.filter((byte) => {
        const other = Uint8Array.from(bytes);
        other[0] = byte;
        return recognise(head(fromBytes(other), 4096), fromBytes(other));
      }),
    );
    t.same(taken, [], `${name} with another first byte`);
  }
});

t.test('accepted samples are understood whole, as what they are, without a finding', async (t) => {
  for (const { of, what, name, make } of listed('accept')) {
    const report = inspect(fromBytes(make()));
    const told = report.findings.filter(({ severity }) => severity !== 'info').map(({ rule }) => rule);
    t.same(
      [report.format, report.content, report.coverage.state, told],
      [of.format, of.contents?.[name] ?? 'inert', 'complete', []],
      what,
    );
  }
  for (const { format, accept, contents = {} } of samples)
    t.same(
      Object.keys(contents).filter((name) => !(name in accept)),
      [],
      `${format}: contents of no sample`,
    );
});

t.test('rejected samples never pass', async (t) => {
  for (const { what, make } of listed('reject')) {
    const report = inspect(fromBytes(make()));
    t.notOk(passes(report), `${what}: ${report.format} ${report.content}`);
  }
});

/** A source whose every answer is a copy of its own, put together from small windows. */
const inWindows = (bytes: Uint8Array, window: number): RandomAccess => ({
  size: bytes.length,
  read(offset, length) {
    checkRange(bytes.length, offset, length);
    const answer = new Uint8Array(length);
    for (let at = 0; at < length; at += window) {
      const start = offset + at;
      answer.set(bytes.slice(start, Math.min(start + window, offset + length)), at);
    }
    return answer;
  },
});

/** The sample in the middle of other bytes, so that a view of it does not begin where its buffer does. */
const inTheMiddle = (bytes: Uint8Array): RandomAccess => {
  const around = new Uint8Array(bytes.length + 16).fill(0xa5);
  around.set(bytes, 8);
  return fromBytes(around.subarray(8, 8 + bytes.length));
};

t.test('the report does not depend on how the bytes are handed over', async (t) => {
  for (const { what, make } of all) {
    const bytes = make();
    const report = inspect(fromBytes(bytes));
    for (const window of [1, 7, 64])
      t.same(inspect(inWindows(bytes, window)), report, `${what} in windows of ${window}`);
    t.same(inspect(inTheMiddle(bytes)), report, `${what} in the middle of other bytes`);
    const remote = inspect(inWindows(bytes, 64), { provisional: true });
    if (remote.content === 'active') t.equal(report.content, 'active', `${what} by Range`);
  }
});

t.test('the sandbox reports what the parsers report', async (t) => {
  const sandbox = await createSandbox({ workers: 1, memory: 256 * MIB, timeout: 60_000, require: 'isolate' });
  t.teardown(() => sandbox.close());
  const firsts = all.filter(({ of, kind, name }) => Object.keys(of[kind])[0] === name);
  t.ok(firsts.length > formats.length);
  for (const { what, make } of firsts) {
    const bytes = make();
    const source = { size: bytes.length, read: async (at: number, length: number) => bytes.slice(at, at + length) };
    t.same(await sandbox.inspect(source), JSON.parse(JSON.stringify(inspect(fromBytes(bytes)))), what);
  }
});

const names = new Set([...formats.map(({ name }) => name), 'unknown', 'empty']);
const ASCII = /^[\x20-\x7e]*$/;

/** What is wrong with a report, whatever the bytes were; nothing when the host believes it and it may be shown. */
const illFormed = (report: Report, size: number): string | undefined => {
  const { state, reason } = report.coverage;
  if (!names.has(report.format)) return `the format ${report.format} is not registered`;
  if (state !== 'complete' && reason === '') return `${state} without a reason`;
  for (const { rule, message, evidence, refs, where } of report.findings) {
    if (!/^[a-z0-9-]+\.[a-z0-9-]+$/.test(rule)) return `the rule ${rule}`;
    if (message === '') return `${rule} says nothing`;
    if (![message, evidence, ...refs, ...where.path].every((text) => ASCII.test(text))) return `${rule}: not ASCII`;
  }
  const sent = JSON.stringify(report);
  return JSON.stringify(readReport(sent, size)).length === sent.length ? undefined : 'it changes when it is sent';
};

/** Inspects damaged bytes and says what went wrong, if anything. */
const trouble = (bytes: Uint8Array, mayPassAs: (format: string) => boolean): string | undefined => {
  const from = performance.now();
  try {
    const report = inspect(fromBytes(bytes), { limits });
    const wrong = illFormed(report, bytes.length);
    if (wrong !== undefined) return wrong;
    if (passes(report) && !mayPassAs(report.format)) return `passes as ${report.format}`;
  } catch (error) {
    return `${error instanceof Error ? error.stack : error}`;
  }
  const took = performance.now() - from;
  return took > PATIENCE ? `took ${Math.round(took)} ms` : undefined;
};

t.test('every sample makes a report that can be shown and sent', async (t) => {
  for (const { what, make } of all) {
    const bytes = make();
    t.equal(illFormed(inspect(fromBytes(bytes)), bytes.length), undefined, what);
  }
});

/** All that `make` damages, as one assertion: `name` of the sample and what went wrong, at most five times. */
const survives = (
  test: { same: typeof t.same; ok: typeof t.ok },
  what: string,
  damaged: Iterable<Uint8Array>,
  mayPassAs: (format: string) => boolean = () => true,
): void => {
  const troubles: string[] = [];
  let tried = 0;
  // Most of the time of a parse that fails would go into stack traces that nobody reads.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (const bytes of damaged) {
    tried += 1;
    const wrong = trouble(bytes, mayPassAs);
    if (wrong !== undefined && troubles.length < 5)
      troubles.push(`${wrong} (${tried}: ${Buffer.from(bytes.slice(0, 2048)).toString('hex')})`);
  }
  Error.stackTraceLimit = stackTraceLimit;
  test.same(troubles, [], `${what} (${tried})`);
  test.ok(tried > 0, what);
};

const cuts = function* (content: Uint8Array): Generator<Uint8Array> {
  yield* truncations(content.subarray(0, CUTS + 1));
  for (let length = 2 * CUTS; length < content.length; length *= 2) yield content.subarray(0, length);
};

/** What a loader of this format takes for whole it may not be when it was cut, where the format can tell. */
const notAs =
  ({ format, cuts: reason }: Samples) =>
  (found: string): boolean =>
    reason !== undefined || found !== format;

t.test('a sample that is cut anywhere makes a report, and does not pass for whole', async (t) => {
  for (const { of, what, make } of listed('accept')) survives(t, what, cuts(make()), notAs(of));
});

t.test('a sample with bits turned or pieces moved makes a report', async (t) => {
  for (const [seed, { what, make }] of listed('accept').entries()) {
    survives(t, `${what}, bits turned`, bitFlips(make(), FLIPS, seed + 1));
    survives(t, `${what}, pieces moved`, splices(make(), SPLICES, seed + 1));
  }
  for (const [seed, { what, make }] of listed('reject').entries())
    survives(t, `${what}, bits turned`, bitFlips(make(), 20, seed + 1));
});
