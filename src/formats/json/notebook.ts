import type { Budget } from '../../bytes/limits.ts';
import { analysePython } from '../../content/python/analyse.ts';
import type { Remark } from '../../content/remark.ts';
import { downloadsAndRuns } from '../../content/shell.ts';
import { printable } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from './parse.ts';

/** True for a Jupyter notebook (nbformat 3 and 4). */
export const isNotebook = (value: JsonValue): value is JsonObject =>
  isObject(value) && value.entries.has('nbformat') && (value.entries.has('cells') || value.entries.has('worksheets'));

/** Cells of every worksheet and of the notebook itself. */
const cellsOf = (notebook: JsonObject): readonly JsonObject[] => {
  const sheets = notebook.entries.get('worksheets');
  const holders = [notebook, ...(isList(sheets) ? sheets.filter(isObject) : [])];
  return holders.flatMap((holder) => {
    const cells = holder.entries.get('cells');
    return isList(cells) ? cells.filter(isObject) : [];
  });
};

const textOf = (value: JsonValue | undefined): string => {
  if (typeof value === 'string') return value;
  return isList(value) ? value.filter((line) => typeof line === 'string').join('') : '';
};

/**
 * Checks a notebook's code as if it were run from top to bottom: shell lines, and the Python between them. A cell that
 * cannot be read as Python (another kernel's language) is told with low severity.
 */
export const checkNotebook = (notebook: JsonObject, budget: Budget): Remark[] =>
  cellsOf(notebook)
    .filter((cell) => cell.entries.get('cell_type') === 'code')
    .flatMap((cell) => checkCell(textOf(cell.entries.get('source') ?? cell.entries.get('input')), cell.at, budget));

const checkCell = (source: string, offset: number, budget: Budget): Remark[] => {
  const remarks: Remark[] = [];
  const command = downloadsAndRuns(source);
  if (command !== undefined) {
    const message = 'a cell fetches a program and runs it';
    remarks.push({
      rule: 'notebook.download-and-run',
      severity: 'high',
      message,
      offset,
      evidence: printable(command),
      refs: ['CWE-494', 'CWE-506'],
    });
  }
  if (source.startsWith('%%')) return remarks;
  const python = source
    .split('\n')
    .map((line) => (/^\s{0,200}[!%?]/.test(line) || line.endsWith('?') ? '' : line))
    .join('\n');
  for (const remark of analysePython(python, budget).remarks) {
    remarks.push({
      ...remark,
      severity: severityIn(remark),
      rule: remark.rule.replace('python.', 'notebook.'),
      offset,
    });
  }
  return remarks;
};

/** What no notebook does to show a model: it has no honest explanation, wherever it stands. */
const NEVER = new Set(['python.exfiltration', 'python.reverse-shell']);
/** What few notebooks do. Starting a program or fetching a page is common. */
const SELDOM = new Set(['python.evaluate', 'python.native', 'python.internal', 'python.private-file']);

const severityIn = ({ rule, severity }: Remark): Remark['severity'] => {
  if (NEVER.has(rule)) return 'high';
  const odd = SELDOM.has(rule) && (severity === 'high' || rule !== 'python.evaluate');
  return odd ? 'medium' : 'low';
};
