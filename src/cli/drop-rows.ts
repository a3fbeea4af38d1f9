import type { FileHandle } from 'node:fs/promises';
import { WeighbridgeError } from '../errors.ts';
import { type Report, SEVERITIES } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { ROWS_VERSION, rowsOfRuns, sizeWithout, withoutRows } from '../transcode/rows.ts';
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
  if (rows?.runs === undefined) {
    const why = rows?.notDroppable ?? (rows === undefined ? 'it is no dataset' : 'no row is flagged');
    throw new WeighbridgeError('NOT_CONVERTIBLE', `no rows can be dropped (${report.format}): ${why}`);
  }
  const { runs, total } = rows;
  const source = { size, read: (offset: number, length: number) => readExactly(file, offset, length) };
  const left = sizeWithout(size, runs);
  const sha256 = await writeWhole(output, withoutRows(source, runs), async (written) => {
    if ((await digest(file, size)) !== before) {
      throw new WeighbridgeError('UPSTREAM_MISMATCH', 'it changed while it was read');
    }
    checkLeft(await sandbox.inspect({ size: left, read: (offset, length) => readExactly(written, offset, length) }));
  });
  const dropped = rowsOfRuns(runs);
  return {
    said: `${dropped} of ${total} rows dropped, ${left} bytes, sha256 ${sha256}`,
    statement: {
      source: { sha256: before },
      converter: ROWS_VERSION,
      ruleset: sandbox.ruleset,
      output: { sha256, size: left },
      rows: { before: total, after: total - dropped, dropped },
      dropped: runs.map(({ first, last, rule }) => ({ first, last, rule })),
    },
  };
};

const checkLeft = ({ coverage, findings, rows }: Report): void => {
  const serious = findings.find(({ severity }) => SEVERITIES.indexOf(severity) >= SERIOUS);
  const why = serious?.message ?? (coverage.state === 'complete' ? undefined : coverage.reason);
  if (why === undefined && (rows?.flagged ?? 0) === 0) return;
  const message = `found in what is left without the flagged rows: ${why ?? `${rows?.flagged} rows are flagged`}`;
  throw new WeighbridgeError('NOT_CONVERTIBLE', message);
};
