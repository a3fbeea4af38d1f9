import { printable } from '../formats/format.ts';
import type { Remark } from './remark.ts';
import { secretIn } from './secrets.ts';

/** Text shorter than this holds no credential. */
const CREDENTIAL = 20;
/** Columns and kinds of credential that are told apart. */
const TOLD = 100;

/** Counts credentials in the cells of a data set by column and kind. Keeps none of them. */
export type SecretCells = { cell(column: string, text: string, offset: number): void; finish(): Remark[] };

export const createSecretCells = (): SecretCells => {
  const found = new Map<string, { column: string; kind: string; cells: number; offset: number }>();
  return {
    cell(column, text, offset) {
      const kind = text.length < CREDENTIAL ? undefined : secretIn(text);
      if (kind === undefined) return;
      const key = `${column}\n${kind}`;
      const known = found.get(key);
      if (known !== undefined) known.cells += 1;
      else if (found.size < TOLD) found.set(key, { column, kind, cells: 1, offset });
    },
    finish: () =>
      [...found.values()].map(({ column, kind, cells, offset }) => ({
        rule: 'text.secret',
        severity: 'low',
        message: `${printable(column, 60)} holds a credential in ${cells} ${cells === 1 ? 'cell' : 'cells'}: ${kind}`,
        offset,
        refs: ['CWE-798'],
      })),
  };
};
