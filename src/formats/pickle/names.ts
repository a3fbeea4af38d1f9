import { type Content, printable, worseContent } from '../format.ts';
import type { Allowed } from './allowed/types.ts';
import { allowedName } from './allowed.ts';
import { attackOf } from './attacks.ts';
import { fixImport } from './python2.ts';
import { type Machine, report } from './state.ts';
import type { Global } from './values.ts';

/** What a module or attribute name is made of; a loader would take more, an honest pickler writes nothing else. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/** Imports a name as the loader would: mapped from Python 2 below protocol 3, one object for each name, judged when new. */
export const importName = (machine: Machine, rawModule: string, rawName: string): Global => {
  const [module, name] = machine.protocol < 3 ? fixImport(rawModule, rawName) : [rawModule, rawName];
  const key = `${module}\n${name}`;
  const known = machine.globals.get(key);
  if (known !== undefined) return known;
  const wellFormed = NAME.test(module) && NAME.test(name);
  const allowed = wellFormed ? lookUp(machine, module, name) : undefined;
  const global: Global = { kind: 'global', module, name, offset: machine.at, allowed };
  machine.globals.set(key, global);
  judge(machine, global, wellFormed);
  return global;
};

const lookUp = (machine: Machine, module: string, name: string): Allowed | undefined => {
  const content = machine.options.allow?.(module, name);
  return content === undefined ? allowedName(module, name) : anything(content);
};

/** The rule of a name that the container vouches for. */
const anything = (content: Content): Allowed => ({
  content,
  reference: true,
  call: () => undefined,
  build: () => undefined,
  container: undefined,
  takesGlobals: false,
});

const judge = (machine: Machine, { module, name, allowed }: Global, wellFormed: boolean): void => {
  const evidence = printable(`${module}.${name}`);
  if (allowed !== undefined) {
    machine.content = worseContent(machine.content, allowed.content);
    return;
  }
  const attack = attackOf(module, name);
  if (attack !== undefined) {
    report(machine, {
      rule: 'pickle.global-dangerous',
      severity: 'critical',
      message: `The stream imports a name that ${attack}.`,
      evidence,
      content: 'active',
    });
  } else if (!wellFormed) {
    report(machine, {
      rule: 'pickle.global-malformed',
      severity: 'high',
      message: 'The stream imports a name that is not made of identifiers.',
      evidence,
      content: 'unknown',
    });
  } else {
    report(machine, {
      rule: 'pickle.global-unknown',
      severity: 'medium',
      message: 'The stream imports a name that is on no list of names known to be harmless.',
      evidence,
      content: 'unknown',
    });
  }
};
