import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientOptions, jsonFrom, runPython } from './clients.ts';
import { type PythonEnvironment, repository } from './environments.ts';
import type { LogEntry, World } from './world.ts';

/** What became of one call of a client. Times in ms since 1970. */
export type Outcome = {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the call returned, compared by the test
  readonly value?: any;
  /** Class of the exception. */
  readonly error?: string;
  readonly text?: string;
  /** The exception and what it came from. */
  readonly chain?: readonly { readonly type: string; readonly text: string }[];
  readonly begun: number;
  readonly ended: number;
};

export type Outcomes = Readonly<Record<string, Outcome>>;

const scripts = join(repository, 'test/clients/python');

/**
 * Runs `test/clients/python/<script>.py` in one process with HF_ENDPOINT as its only setting (and over https the authority
 * to trust), and reads its outcomes.
 */
export const runChecks = async (
  environment: PythonEnvironment,
  script: string,
  { endpoint, trust }: Pick<World, 'endpoint' | 'trust'>,
  plan: object,
  { env, ...options }: Omit<ClientOptions, 'args'> = {},
): Promise<Outcomes> => {
  const text = ['prelude', script].map((name) => readFileSync(join(scripts, `${name}.py`), 'utf8')).join('\n');
  const result = await runPython(environment, text, {
    ...options,
    env: { HF_ENDPOINT: endpoint, ...trust, ...env },
    args: [JSON.stringify(plan)],
  });
  return jsonFrom(result) as Outcomes;
};

/** Entries of the access log of the files that were asked for while a call ran. */
export const entriesDuring = async (world: World, { begun, ended }: Outcome): Promise<readonly LogEntry[]> =>
  (await world.entries()).filter(({ kind, time }) => {
    const at = Date.parse(time);
    return kind === 'artefact.decision' && at >= Math.floor(begun) && at <= Math.ceil(ended);
  });

/** The exception of an outcome with those behind it, as a person would see it who reads the whole traceback. */
export const traceback = ({ chain }: Outcome): string => (chain ?? []).map(({ text }) => text).join('\n');
