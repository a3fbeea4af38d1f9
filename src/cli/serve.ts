import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge serve [OPTIONS]

Serves artefacts to pipelines until SIGTERM or SIGINT.

  --config FILE    settings (weighbridge.yaml here, when there is one)
  --host ADDRESS   address to listen on (127.0.0.1)
  --port NUMBER    port to listen on (8080; 0 takes a free one)
  --data DIR       where blobs, records and the log live (./data)
  --policies DIR   the policies in force (those that come with Weighbridge)`;

export const serve: Command = {
  name: 'serve',
  summary: 'serve models, data and packages to pipelines',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        data: { type: 'string' },
        policies: { type: 'string' },
      },
    });
    const { config: file, ...overrides } = values;
    const config = loadConfig({ file, overrides });
    const { serve: start } = await import('../serve.ts');
    const server = await start(config);
    io.stdout.write(`${server.greeting}\n`);
    await server.stopped;
    return EXIT.ok;
  },
};
