import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { WeighbridgeError } from '../errors.ts';
import { type Key, keys } from './keys.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting that came from an environment variable. */
export type EnvironmentSetting = {
  readonly path: readonly string[];
  readonly value: unknown;
  /** Name of the variable, for messages. */
  readonly origin: string;
};

/** Variables that begin like ours and are no settings. */
const OURS = new Set(['WEIGHBRIDGE_CONFIG', 'WEIGHBRIDGE_CARRIED_NODE']);
/** What Kubernetes puts into every container beside a service called `weighbridge`. */
const KUBERNETES = /^WEIGHBRIDGE_(SERVICE_|PORT_\d)/;
const KUBERNETES_PORT = /^tcp:\/\//;

const pattern = (key: Key): RegExp => new RegExp(`^${key.variable.replace('<NAME>', '([A-Z0-9_]+?)')}(_FILE)?$`);
// Literal names first: WEIGHBRIDGE_UPSTREAMS_ALLOW_PRIVATE is not an upstream.
const patterns = keys
  .map((key) => ({ key, pattern: pattern(key) }))
  .sort((a, b) => Number(a.key.path.includes('*')) - Number(b.key.path.includes('*')));

/** The settings in environment variables. Throws CONFIG_INVALID for a variable of ours that is no setting. */
export const readEnvironment = (environment: Environment): readonly EnvironmentSetting[] =>
  Object.entries(environment).flatMap(([name, value]) => {
    if (!name.startsWith('WEIGHBRIDGE_') || value === undefined || foreign(name, value)) return [];
    return [readVariable(name, value)];
  });

const foreign = (name: string, value: string): boolean =>
  OURS.has(name) || KUBERNETES.test(name) || (name === 'WEIGHBRIDGE_PORT' && KUBERNETES_PORT.test(value));

const readVariable = (name: string, value: string): EnvironmentSetting => {
  for (const { key, pattern: expected } of patterns) {
    const match = expected.exec(name);
    if (match === null) continue;
    const [, first, second] = match;
    const chosen = key.path.includes('*') ? first : undefined;
    const fromFile = key.path.includes('*') ? second : first;
    if (fromFile !== undefined && !key.secret) continue;
    const path = key.path.map((part) => (part === '*' ? (chosen ?? '').toLowerCase().replaceAll('_', '-') : part));
    return { path, value: typed(key, fromFile === undefined ? value : secretFrom(name, value)), origin: name };
  }
  throw new WeighbridgeError('CONFIG_INVALID', `${name}: no setting has this name (docs/configuration.md lists them)`);
};

const secretFrom = (name: string, file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new WeighbridgeError(
      'CONFIG_INVALID',
      `${name}: expected a readable file, ${file} is not`,
      {},
      { cause: error },
    );
  }
};

/** Variables are text: numbers and switches are read as YAML reads them, lists are separated by commas or spaces. */
const typed = (key: Key, value: string): unknown => {
  if (key.kind === 'list') return value.split(/[\s,]+/).filter((item) => item !== '');
  if (key.kind === 'number' || key.kind === 'switch') return parse(value);
  return value;
};
