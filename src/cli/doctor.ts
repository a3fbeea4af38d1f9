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
  for (const look of [checkSandbox, checkStore, checkPolicySet, checkUpstreams]) tell(await look(config));
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
