import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './bench.ts';
import type { Machine } from './machine.ts';

/** What is kept of a run: bench/results/<name>.json. */
export type Result = {
  readonly bench: string;
  readonly title: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
};

const folder = join(import.meta.dirname, '..');
const [BEGIN, END] = ['<!-- results: written by the runner -->', '<!-- /results -->'];

export const writeResult = (result: Result): void =>
  writeFileSync(join(folder, 'results', `${result.bench}.json`), `${JSON.stringify(result, null, 2)}\n`);

const readResult = (name: string): Result | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, 'results', `${name}.json`), 'utf8'));
  } catch {
    return undefined;
  }
};

/** The rows of one bench as a table, with what the machine could do at that time. */
export const tableOf = ({ title, machine, rows }: Result): string => {
  const about = `${machine.date}: ${machine.cores} cores, sha256 ${machine.sha256MBs} MB/s, fdatasync ${machine.fdatasyncPerSecond} /s, load ${machine.load} before`;
  return `### ${title}\n\n${about}\n\n${aligned([HEAD, ...rows.map(cells)])}\n`;
};

const HEAD = ['what', 'Weighbridge', 'peer', 'ratio', 'aim'];

const cells = ({ what, ours, peer, peerName, unit, ratio, aim }: Row): readonly string[] => {
  const against = peer === undefined ? '' : `${number(peer)} ${unit} (${peerName})`;
  return [what, `${number(ours)} ${unit}`, against, ratio === undefined ? '' : ratio.toFixed(2), aim];
};

/** A table as the formatter of this repo leaves it. */
const aligned = (table: readonly (readonly string[])[]): string => {
  const widths = HEAD.map((_, column) => Math.max(3, ...table.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...rows] = table;
  return [head, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('\n');
};

const number = (value: number): string => {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) < 1 ? value.toFixed(2) : value.toPrecision(3);
};

/** Puts the results of all benches into bench/README.md, in this order. */
export const writeReadme = (names: readonly string[]): void => {
  const path = join(folder, 'README.md');
  const [before = '', rest = ''] = readFileSync(path, 'utf8').split(BEGIN);
  const after = rest.split(END)[1] ?? '';
  const tables = names.map(readResult).flatMap((result) => (result === undefined ? [] : [tableOf(result)]));
  writeFileSync(path, `${before}${BEGIN}\n\n${tables.join('\n')}\n${END}${after}`);
};
