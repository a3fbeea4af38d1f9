import type { Content } from '../../../src/formats/format.ts';

type Makers = Readonly<Record<string, () => Uint8Array>>;

/** Samples of one format, built by code, by what they show. */
export type Samples = {
  /** Name of the format in the registry. */
  readonly format: string;
  /** Files that are understood whole and without a finding above `info`. */
  readonly accept: Makers;
  /** Files that a loader of this format would open, and that must not pass. */
  readonly reject: Makers;
  /** The content of the accepted samples where it is not `inert`, by the name of the sample. */
  readonly contents?: Readonly<Record<string, Content>>;
  /** Why no file of this format passes, where none does: it then has no accepted sample. */
  readonly never?: string;
  /** Why a file that was cut can still be a whole file of this format, where it can. */
  readonly cuts?: string;
};
