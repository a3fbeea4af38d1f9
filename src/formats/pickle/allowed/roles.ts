import type { Content } from '../../format.ts';
import { anyArguments, anyState, constantsOnly, noArguments, plainState } from '../rules/general.ts';
import type { Allowed, BuildRule, CallRule } from './types.ts';

/** Names of one module that share their roles. */
export type Row = readonly [module: string, names: readonly string[], roles: Allowed];

type Extra = { readonly reference?: boolean; readonly container?: Allowed['container'] };

/** May only be passed as data. */
export const reference = (content: Content): Allowed => ({
  content,
  reference: true,
  call: undefined,
  build: undefined,
  container: undefined,
  takesGlobals: false,
});

/** May only be called; `call` sees no globals among the arguments unless they may be passed as data. */
export const callable = (content: Content, call: CallRule, extra: Extra = {}): Allowed => ({
  content,
  reference: extra.reference ?? false,
  call,
  build: undefined,
  container: extra.container,
  takesGlobals: false,
});

/** May only be called, and `call` judges the globals among the arguments itself. */
export const callableWithGlobals = (
  content: Content,
  call: CallRule,
  build?: BuildRule,
  extra: Extra = {},
): Allowed => ({
  ...callable(content, call, extra),
  build,
  takesGlobals: true,
});

/** A class: may be passed, called and given a state. */
export const buildable = (content: Content, call: CallRule, build: BuildRule, extra: Extra = {}): Allowed => ({
  ...callable(content, call, { reference: true, ...extra }),
  build,
});

/** A class that picklers make empty and fill with its attributes. */
export const record = (content: Content): Allowed => buildable(content, noArguments, plainState);

/** A class whose `__setstate__` takes more than a dict. */
export const stateful = (content: Content): Allowed => buildable(content, anyArguments, anyState);

/** An enumeration: made from the value of a member, or by `getattr` with its name. */
export const enumeration = (content: Content): Allowed => ({
  ...buildable(content, constantsOnly(1), plainState),
  members: true,
});
