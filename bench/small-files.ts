import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Row } from './support/bench.ts';
import { requestsPerSecond } from './support/clients.ts';
import { cacheFolder } from './support/files.ts';
import { startOlah } from './support/olah.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';

const SECONDS = 10;
const CONNECTIONS = 16;

/** Cached files of 1 KB: ours with policy and two entries each, the first on disk before the first byte. */
export const bench: Bench = {
  name: 'small-files',
  title: 'Small cached files a second, against nginx with its access log on and against olah',
  async run() {
    const text = JSON.stringify({ model_type: 'bert', padding: 'x'.repeat(960) });
    writeFileSync(join(cacheFolder('files'), 'config.json'), text);
    const hub = await startHubProcess([{ name: 'bench/small', files: { 'config.json': text } }]);
    const rows: Row[] = [];
    try {
      const gateway = await startGateway(hub.url);
      const ours = await settled(`${gateway.endpoint}/bench/small/resolve/main/config.json`);
      await gateway.stop();
      const nginx = await startNginx();
      const peer = await settled(`${nginx.cached}/config.json`);
      await nginx.stop();
      rows.push({ what: '1 KB files', ours, peer, peerName: 'nginx', unit: '/s', ratio: ours / peer, aim: '0.1' });
      const olah = await startOlah(hub.url);
      const other = await settled(`${olah.url}/bench/small/resolve/main/config.json`);
      await olah.stop();
      rows.push({ what: '1 KB files', ours, peer: other, peerName: 'olah', unit: '/s', ratio: ours / other, aim: '5' });
      return rows;
    } finally {
      await hub.stop();
    }
  },
};

/** The rate once the file is cached and the program is warm. */
const settled = async (url: string): Promise<number> => {
  const first = await fetch(url);
  if (first.status !== 200) throw new Error(`${url} answered ${first.status}`);
  await first.text();
  requestsPerSecond(url, 3, CONNECTIONS);
  return requestsPerSecond(url, SECONDS, CONNECTIONS);
};
