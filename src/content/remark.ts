import type { Context } from '../formats/format.ts';

/** What a rule about text has to say: a finding whose `offset` is relative to the text that was checked. */
export type Remark = Parameters<Context['report']>[0];

/** Reports `remarks` as found at `base` in the source of `context`. */
export const reportAll = (context: Context, remarks: readonly Remark[], base: number): void => {
  for (const remark of remarks) context.report({ ...remark, offset: base + remark.offset });
};
