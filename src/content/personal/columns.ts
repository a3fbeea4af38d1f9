import { printable } from '../../formats/format.ts';
import type { Remark } from '../remark.ts';
import { type Counts, KINDS, NOTHING, personalIn } from './count.ts';

/** Columns that are told apart; the others count as one. */
const COLUMNS = 500;

const NAMES: Readonly<Record<keyof Counts, string>> = {
  email: 'e-mail addresses',
  phone: 'telephone numbers',
  card: 'card numbers',
  iban: 'bank accounts',
  nationalId: 'national numbers',
};

/** Counts personal data of a data set by column and kind. Keeps nothing of what it counts. */
export type PersonalData = { cell(column: string, text: string): void; finish(): Remark[] };

export const createPersonalData = (): PersonalData => {
  const columns = new Map<string, { counts: Counts; cells: number }>();
  return {
    cell(name, text) {
      const counts = personalIn(text);
      if (KINDS.every((kind) => counts[kind] === 0)) return;
      const key = columns.has(name) || columns.size < COLUMNS ? name : '(other columns)';
      const known = columns.get(key) ?? { counts: NOTHING, cells: 0 };
      columns.set(key, { counts: sum(known.counts, counts), cells: known.cells + 1 });
    },
    finish: () => [...columns].map(([name, { counts, cells }]) => remarkOn(name, counts, cells)),
  };
};

const sum = (one: Counts, other: Counts): Counts => ({
  email: one.email + other.email,
  phone: one.phone + other.phone,
  card: one.card + other.card,
  iban: one.iban + other.iban,
  nationalId: one.nationalId + other.nationalId,
});

const remarkOn = (name: string, counts: Counts, cells: number): Remark => {
  const there = KINDS.filter((kind) => counts[kind] > 0);
  const told = there.map((kind) => `${counts[kind]} ${NAMES[kind]}`).join(', ');
  return {
    rule: 'dataset.personal-data',
    severity: 'low',
    message: `${printable(name === '' ? 'the text' : name, 60)}: ${told}, in ${cells} cells`,
    offset: 0,
    evidence: there.map((kind) => `${kind}=${counts[kind]}`).join(' '),
    refs: ['CWE-359', 'LLM02:2025', 'AML.T0057'],
  };
};
