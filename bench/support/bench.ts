/** One measurement: ours, the peer's in the same run, and their ratio beside the aim. */
export type Row = {
  readonly what: string;
  readonly ours: number;
  readonly peer?: number;
  readonly peerName?: string;
  readonly unit: string;
  /** Ours over the peer's, or the peer's over ours where less is better: above 1 is always in our favour. */
  readonly ratio?: number;
  readonly aim: string;
};

/** One bench: one file in `bench/`, one line in `bench/index.ts`. */
export type Bench = {
  readonly name: string;
  readonly title: string;
  run(): Promise<readonly Row[]>;
};

/** The middle value. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** The value below which `share` (0 to 1) of all values lie. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
};
