import { WeighbridgeError } from '../errors.ts';

/** KiB, MiB and GiB in bytes. */
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/**
 * What one inspection may use. A limit that is reached ends the inspection as `partial` or `opaque`, never as a pass.
 * A limit that belongs to one format alone stands at the head of that format's file.
 */
export type Limits = {
  /** Bytes read from the source, counting repeats: a parser that loops over a file reads it again and again. */
  readonly bytesRead: number;
  /** Bytes that decompression may produce in all, over every nested container. */
  readonly bytesInflated: number;
  /** Containers inside containers. Real files nest two deep (a checkpoint in a zip in a tar). */
  readonly depth: number;
  /** Findings kept; more are counted and the report says so. */
  readonly findings: number;
  /** Abstract steps (opcodes, tokens, members, tensors) of all parsers together. */
  readonly steps: number;
};

export const DEFAULT_LIMITS: Limits = {
  bytesRead: 64 * GIB,
  bytesInflated: 1 * GIB,
  depth: 6,
  findings: 1000,
  steps: 20_000_000,
};

/** What is left of the limits of one inspection; shared by all parsers that work on the same file. */
export type Budget = {
  readonly limits: Limits;
  spend(what: 'bytesRead' | 'bytesInflated' | 'steps', amount: number): void;
  spent(what: 'bytesRead' | 'bytesInflated' | 'steps'): number;
};

/** A fresh budget. `spend` throws LIMIT_EXCEEDED, naming the limit and its value, once more than it allows is asked. */
export const createBudget = (limits: Limits = DEFAULT_LIMITS): Budget => {
  const used = { bytesRead: 0, bytesInflated: 0, steps: 0 };
  return {
    limits,
    spend(what, amount) {
      used[what] += amount;
      if (used[what] > limits[what]) exceeded(what, limits[what]);
    },
    spent: (what) => used[what],
  };
};

/** Throws LIMIT_EXCEEDED with the limit's name and value. */
export const exceeded = (limit: string, value: number): never => {
  throw new WeighbridgeError('LIMIT_EXCEEDED', `limit ${limit} of ${value} reached`, { limit, value });
};

/** Throws LIMIT_EXCEEDED when `value` is over `limit`; returns it otherwise. For numbers that were read from a file. */
export const within = (name: string, value: number, limit: number): number =>
  value > limit ? exceeded(name, limit) : value;
