import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { startHub } from '../../test/support/hub.ts';

/** Runs the stand-in Hub as a process: `hub-process.ts CONFIG`. Its control port answers with the Hub's own. */
const { port, repos } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const hub = await startHub({ repos, xet: false });
createServer((_request, response) => response.end(new URL(hub.url).port)).listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
