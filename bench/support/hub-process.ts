import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { startHub } from '../../test/support/hub.ts';

/** Runs the stand-in Hub as a process: `hub-process.ts CONFIG`. Its control port tells the Hub's URL and what was asked of it. */
const { port, repos, cdnUrl } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const hub = await startHub({ repos, xet: false, ...(cdnUrl === undefined ? {} : { cdnUrl }) });
createServer((_request, response) => {
  const seen = hub.log.map(({ where, method, path, headers, status, bytes }) => {
    return { where, method, path, range: headers['range'], status, bytes };
  });
  response.end(JSON.stringify({ url: hub.url, seen }));
}).listen(port, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
