import type { FileHandle } from 'node:fs/promises';
import { WeighbridgeError } from '../errors.ts';
import { type Report, SEVERITIES } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { planRows, withoutRows } from '../transcode/rows.ts';
import { digest, readExactly } from './local-file.ts';
import { writeWhole } from './write-whole.ts';

/** Findings from this severity on keep what is left from being written. */
const SERIOUS = SEVERITIES.indexOf('medium');

/**
 * Writes a dataset without its flagged rows, and says what was done. `before` is the sha256 of the file that the report
 * speaks of. Throws NOT_CONVERTIBLE when rows cannot be left out or something is found in what is left, UPSTREAM_MISMATCH when
 * the file is not the one that was inspected any more. Nothing has the final name then.
 */
export const dropRows = async (
  sandbox: Sandbox,
  file: FileHandle,
  size: number,
  report: Report,
  before: string,
  output: string,
): Promise<{ readonly said: string; readonly statement: object }> => {
  const { rows } = report;
  const plan = planRows(size, rows);
  if (rows === undefined || plan === undefined) {
    const why = rows?.notDroppable ?? (rows === undefined ? 'it is no dataset' : 'no row is flagged');
    throw new WeighbridgeError('NOT_CONVERTIBLE', `no rows can be dropped (${report.format}): ${why}`);
  }
  const { total } = rows;
  const { dropped, runs, size: left } = plan;
  const source = { size, read: (offset: number, length: number) => readExactly(file, offset, length) };
  const bytes = plan.rewrites
    ? pulled((write) => sandbox.withoutRows(source, runs, { size: left, write }))
    : withoutRows(source, runs);
  const sha256 = await writeWhole(output, bytes, async (written) => {
    if ((await digest(file, size)) !== before) {
      throw new WeighbridgeError('UPSTREAM_MISMATCH', 'it changed while it was read');
    }
    checkLeft(await sandbox.inspect({ size: left, read: (offset, length) => readExactly(written, offset, length) }));
  });
  return {
    said: `${dropped} of ${total} rows dropped, ${left} bytes, sha256 ${sha256}`,
    statement: {
      source: { sha256: before },
      converter: plan.version,
      ruleset: sandbox.ruleset,
      output: { sha256, size: left },
      rows: { before: total, after: total - dropped, dropped },
      dropped: runs.map(({ first, last, rule }) => ({ first, last, rule })),
    },
  };
};

/** What is pushed piece by piece, as something to be read; the next piece waits until the last one was taken. */
async function* pulled(
  push: (write: (chunk: Uint8Array) => Promise<void>) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array>();
  const writer = writable.getWriter();
  const done = push((chunk) => writer.write(chunk)).then(
    () => writer.close(),
    (error) => writer.abort(error),
  );
  done.catch(() => undefined);
  yield* readable;
  await done;
}

const checkLeft = ({ coverage, findings, rows }: Report): void => {
  const serious = findings.find(({ severity }) => SEVERITIES.indexOf(severity) >= SERIOUS);
  const why = serious?.message ?? (coverage.state === 'complete' ? undefined : coverage.reason);
  if (why === undefined && (rows?.flagged ?? 0) === 0) return;
  const message = `found in what is left without the flagged rows: ${why ?? `${rows?.flagged} rows are flagged`}`;
  throw new WeighbridgeError('NOT_CONVERTIBLE', message);
};
