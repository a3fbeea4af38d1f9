import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge serve [OPTIONS]

Serves artefacts to pipelines until SIGTERM or SIGINT; a second signal does not wait for running downloads.

  --config FILE    settings (weighbridge.yaml here, when there is one)
  --host ADDRESS   address to listen on (127.0.0.1)
  --port NUMBER    port to listen on (8080; 0 takes a free one)
  --data DIR       where blobs, records and the log live (./data)
  --policies PATH  the policies in force, a file or a folder (default.yaml of those that come along)`;

const options = {
  config: { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  data: { type: 'string' },
  policies: { type: 'string' },
} as const;

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const run = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { config: file, ...overrides } = parseArgs({ args: [...args], options }).values;
  const config = loadConfig({ file, overrides });
  const { serve: start } = await import('../serve.ts');
  const serving = await start(config);
  io.stdout.write(`${serving.greeting}\n`);

  let times = 0;
  const onSignal = (): void => {
    times += 1;
    // Whatever is half written is cleaned up by the next start.
    if (times > 1) process.exit(EXIT.failed);
    void serving.stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  await serving.stopped;
  for (const signal of signals) process.off(signal, onSignal);
  return EXIT.ok;
};

export const serve: Command = { name: 'serve', summary: 'serve models, data and packages to pipelines', usage, run };
