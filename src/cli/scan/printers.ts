import { json } from './json.ts';
import { junit } from './junit.ts';
import { markdown } from './markdown.ts';
import { sarif } from './sarif.ts';
import { table } from './table.ts';
import type { Fails } from './threshold.ts';
import type { Scanned } from './types.ts';

/** Turns what was scanned into text, piece by piece. */
export type Printer = {
  begin(): string;
  file(scanned: Scanned): string;
  end(): string;
};

/** What a printer may want to know. */
export type Look = { readonly colour: boolean; readonly fails: Fails };

/** The formats that `--format` takes. A new one is one file and one line here. */
export const printers: Readonly<Record<string, (look: Look) => Printer>> = { table, json, sarif, junit, markdown };
