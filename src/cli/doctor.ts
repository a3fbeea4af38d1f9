import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Config, loadConfig } from '../config.ts';
import { isFault } from '../errors.ts';
import { version } from '../package.ts';
import { type Check, checkPolicySet, checkSandbox, checkStore, checkUpstreams } from './checks.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge doctor [OPTIONS]

Looks at everything the gateway needs: settings, each wall of the sandbox, store, policies, upstreams and clock.
Exit code 0: it can run (a weak point is named but does not count); 1: something has to be put right first.

  --config FILE  settings (weighbridge.yaml here, when there is one)
  --json         one JSON object a line: {name, state, detail, remedy}`;

const MARKS = { ok: 'ok  ', weak: 'weak', fail: 'FAIL' } as const;

const worded = ({ name, state, detail, remedy }: Check): string => {
  const line = `${MARKS[state]}  ${name.padEnd(22)}  ${detail}`;
  return remedy === undefined ? line : `${line}\n      -> ${remedy}`;
};

/** How long one check may take (ms): a start of the sandbox takes 1 s, on a busy machine some. */
const CHECK_TIMEOUT = 12_000;

/** What a check finds, or that it failed or found nothing in time: then the others are told all the same. */
export const inTime = async (
  name: string,
  look: () => Promise<readonly Check[]>,
  timeout = CHECK_TIMEOUT,
): Promise<readonly Check[]> => {
  const clock = new AbortController();
  const late = wait(timeout, undefined, { signal: clock.signal }).then((): readonly Check[] => [
    { name, state: 'fail', detail: `no result within ${timeout / 1000} s`, remedy: REMEDY },
  ]);
  // It is told of only when it comes first.
  late.catch(() => undefined);
  try {
    return await Promise.race([look(), late]);
  } catch (error) {
    return [{ name, state: 'fail', detail: error instanceof Error ? error.message : String(error), remedy: REMEDY }];
  } finally {
    clock.abort();
  }
};

const REMEDY = 'see that disk, network and machine are well, and look again';

const run = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  let failures = 0;
  const tell = (checks: readonly Check[]): void => {
    for (const check of checks) {
      if (check.state === 'fail') failures += 1;
      io.stdout.write(`${values.json ? JSON.stringify(check) : worded(check)}\n`);
    }
  };
  tell([{ name: 'runtime', state: 'ok', detail: `Weighbridge ${version} on Node ${process.versions.node}` }]);
  const config = checkSettings(values.config, tell);
  if (config === undefined) return EXIT.refused;
  // Side by side, each with its own time, and told in this order.
  const looks = [
    inTime('sandbox', () => checkSandbox(config)),
    inTime('store', () => checkStore(config)),
    inTime('policies', () => checkPolicySet(config)),
    inTime('upstreams', () => checkUpstreams(config)),
  ];
  for (const look of looks) tell(await look);
  return failures === 0 ? EXIT.ok : EXIT.refused;
};

const checkSettings = (file: string | undefined, tell: (checks: readonly Check[]) => void): Config | undefined => {
  const name = 'settings';
  try {
    const config = loadConfig({ file });
    tell([{ name, state: 'ok', detail: `${config.host}:${config.port}, data in ${config.data}` }]);
    return config;
  } catch (error) {
    if (!isFault(error, 'CONFIG_INVALID')) throw error;
    tell([{ name, state: 'fail', detail: error.message, remedy: 'docs/configuration.md lists every setting' }]);
    return undefined;
  }
};

export const doctor: Command = {
  name: 'doctor',
  summary: 'look whether everything the gateway needs is in order',
  usage,
  run,
};
