import type { RandomAccess } from '../../bytes/random-access.ts';
import type { Content, Context } from '../format.ts';
import type { Call, Value } from './values.ts';

/** What stands between two opcodes: its value, where the next opcode is, and what the content becomes by it. */
export type OutsideValue = { readonly value: Value; readonly end: number; readonly content?: Content };

/** Where the machine runs and what its surroundings allow. */
export type PickleOptions = {
  /** Receives the findings, each with the byte offset of the opcode in `source`, and pays for the steps. */
  readonly context: Context;
  /** First byte behind the last that may belong to the stream (a container's boundary); the end of `source` if not given. */
  readonly end?: number;
  /**
   * What PERSID and BINPERSID stand for. Called when the opcode executes; returns the value to push (usually
   * `{kind: 'persistent', id, offset}`), or undefined to refuse. Without it every persistent id is refused.
   */
  readonly persistent?: (id: Value, offset: number) => Value | undefined;
  /**
   * Names that only this container makes harmless (classes of a TorchScript archive). Asked before the allow-list;
   * a content means: may be imported, called and built with any plain arguments; undefined: ask the allow-list.
   */
  readonly allow?: (module: string, name: string) => Content | undefined;
  /**
   * Called after BUILD on a call's result; bytes that follow the opcode outside the pickle grammar (joblib's arrays)
   * are read here: returns where the next opcode is and what the object becomes; undefined when nothing follows.
   */
  readonly outside?: (built: Call, position: number) => OutsideValue | undefined;
  /** Pickles around this one (0 when not given): constants of nested pickles are looked into no deeper than 2. */
  readonly depth?: number;
  /** Opcodes that may execute; the machine's own limit when not given. */
  readonly opcodes?: number;
};

/** What one stream, from its first byte to STOP, did. */
export type PickleRun = {
  /** The object that the load would return; undefined when STOP was not reached. */
  readonly value: Value | undefined;
  /** Offset behind STOP, or of the opcode at which the stream broke. */
  readonly end: number;
  /** True when STOP was reached. */
  readonly stopped: boolean;
  /** Why it broke, when it did; the finding (`pickle.malformed` or `pickle.limit`) is already reported. */
  readonly fault: string | undefined;
  /** True when it was not the stream that broke but a limit that was reached. */
  readonly limited: boolean;
  /**
   * The worst of what was imported, called and built: `tensors` (plain values and the tensor core only), `data`,
   * `trainer`, `library`, `unknown` (a name on no list, a broken stream) or `active`.
   */
  readonly content: Content;
  /** The protocol of the last PROTO opcode, 0 without one. */
  readonly protocol: number;
  readonly opcodes: number;
  /** Calls of any kind that were executed, BUILD included. */
  readonly calls: number;
  /** Distinct imported names as `module.name`, in order, at most 256. */
  readonly globals: readonly string[];
};

/** `runPickle` itself, for what it uses in turn. */
export type RunPickle = (source: RandomAccess, start: number, options: PickleOptions) => PickleRun;
