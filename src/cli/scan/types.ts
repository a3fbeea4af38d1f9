import type { Finding, Report } from '../../formats/format.ts';
import type { Action, Facts } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Indexes } from './beside.ts';

/** A file to scan: a local one, one of a repo on the Hub, or one behind a URL. */
export type Target = {
  /** What the file is called in the output. */
  readonly path: string;
  /** Inspects it. Rejects when it cannot be read as it was when it was named. */
  weigh(scale: Scale): Promise<Weighed>;
};

/** What files are weighed with. */
export type Scale = {
  readonly sandbox: Sandbox;
  /** Whether the policies let a file of these facts pass as it is. */
  readonly allows: (facts: Facts) => boolean;
  readonly indexes: Indexes;
  /** To be called when the first byte of the file is read. */
  readonly begin: () => void;
};

export type Weighed = { readonly report: Report; readonly facts: Facts };

/** What the scan says about one file; the fields of `scan --json`, with the coverage as a whole. */
export type Scanned = {
  readonly path: string;
  /** Of the bytes that were read; of a file read by Range the one that upstream lists, if it does. */
  readonly sha256: string;
  readonly size: number;
  readonly format: string;
  readonly content: string;
  readonly coverage: Report['coverage'];
  readonly action: Action;
  readonly rule: string;
  readonly reason: string;
  readonly findings: readonly Finding[];
  /** Milliseconds from the first byte read to the decision; waiting for a worker is not counted. */
  readonly ms: number;
  /** The file could not be read: the decision is a refusal and the scan has failed. */
  readonly unreadable: boolean;
};
