import type { Content, Inspection } from '../../format.ts';
import type { Bytes, Call, Value } from '../values.ts';

/** Where a constant stands in the source, or its bytes themselves. */
export type Constant = Pick<Bytes, 'offset' | 'length' | 'literal'>;

/** What a rule may ask of the machine that runs it. */
export type RuleContext = {
  /** The bytes of a constant, wherever they are. */
  bytes(value: Bytes): Uint8Array;
  /** Objects that others already rely on and that may not be changed any more. */
  readonly frozen: Set<Value>;
  /** Inspects a constant as a file of its own. */
  inspect(value: Constant): Inspection;
};

/** Looks at a call about to happen; a text says why it is refused. */
export type CallRule = (call: Call, context: RuleContext) => string | undefined;
/** Looks at BUILD of `state` on what `call` made; a text says why it is refused. */
export type BuildRule = (call: Call, state: Value, context: RuleContext) => string | undefined;

/** One name of the allow-list and the roles it may play; what is not said here is refused. */
export type Allowed = {
  /** The tier: what the content of a stream becomes by importing the name. */
  readonly content: Content;
  /** May be passed as data: a class, a dtype, a storage type, never a function that could do something when called. */
  readonly reference: boolean;
  /** May be called, with arguments that this accepts. */
  readonly call: CallRule | undefined;
  /** What it makes may receive BUILD, with a state that this accepts. */
  readonly build: BuildRule | undefined;
  /** What it makes is a list (APPEND), a set (ADDITEMS) or a mapping (SETITEM). */
  readonly container: 'list' | 'set' | 'mapping' | undefined;
  /** True when `call` judges the globals among its direct arguments itself; otherwise they need the role `reference`. */
  readonly takesGlobals: boolean;
  /** True for an enumeration: `getattr` may take a member of it by name. */
  readonly members?: boolean;
};
