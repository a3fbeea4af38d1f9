import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, median, type Row } from './support/bench.ts';
import { answersPerSecond, requestsPerSecond } from './support/clients.ts';
import { cacheFolder } from './support/files.ts';
import { startOlah } from './support/olah.ts';
import { run } from './support/processes.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';

const SECONDS = 4;
/** Ours and theirs in turns: a noisy machine disturbs both alike, and the median forgets what it did to one. */
const ROUNDS = 7;
/** As many as keep the program busy while others wait for the log's disk. */
const CONNECTIONS = 128;
/** olah answers a few requests a second, which wrk takes for none: it is asked by a client that waits. */
const OLAH_LANES = 4;

/**
 * Cached files of 1 KB: ours with policy and two entries each, the first on disk before the first byte. Many connections,
 * since requests that come together share a write to the disk.
 */
export const bench: Bench = {
  name: 'small-files',
  title: 'Small cached files a second, against nginx with its access log on and against olah',
  async run() {
    const text = JSON.stringify({ model_type: 'bert', padding: 'x'.repeat(960) });
    writeFileSync(join(cacheFolder('files'), 'config.json'), text);
    const files = { 'vocab.json': text, 'config.json': text };
    const hub = await startHubProcess([{ name: 'bench/small', files }]);
    try {
      // What other benches left is written first: the log would wait behind it.
      run('sync', []);
      const gateway = await startGateway(hub.url);
      const nginx = await startNginx();
      const urls = {
        ours: `${gateway.endpoint}/bench/small/resolve/main/vocab.json`,
        first: `${gateway.endpoint}/bench/small/resolve/main/config.json`,
        theirs: `${nginx.cached}/config.json`,
      };
      const rates = { ours: [] as number[], first: [] as number[], theirs: [] as number[] };
      for (const url of Object.values(urls)) await warm(url);
      for (let round = 0; round < ROUNDS; round += 1) {
        rates.ours.push(requestsPerSecond(urls.ours, SECONDS, CONNECTIONS));
        rates.theirs.push(requestsPerSecond(urls.theirs, SECONDS, CONNECTIONS));
        rates.first.push(requestsPerSecond(urls.first, SECONDS, CONNECTIONS));
      }
      await gateway.stop();
      await nginx.stop();
      const [ours, first, theirs] = [median(rates.ours), median(rates.first), median(rates.theirs)];
      const olah = await startOlah(hub.url);
      const others = await answersPerSecond(`${olah.url}/bench/small/resolve/main/vocab.json`, SECONDS, OLAH_LANES);
      await olah.stop();
      const against = (what: string, rate: number, peerName: string, peer: number, aim: string): Row => {
        return { what, ours: rate, peer, peerName, unit: '/s', ratio: rate / peer, aim };
      };
      return [
        against('1 KB file, two entries', ours, 'nginx', theirs, '0.1'),
        against('1 KB file, two entries', ours, 'olah', others, '5'),
        against('config.json, which also looks at the whole repo, three entries', first, 'nginx', theirs, ''),
      ];
    } finally {
      await hub.stop();
    }
  },
};

/** Has the file cached and the program warm. */
const warm = async (url: string): Promise<void> => {
  const first = await fetch(url);
  if (first.status !== 200) throw new Error(`${url} answered ${first.status}`);
  await first.text();
  requestsPerSecond(url, 3, CONNECTIONS);
};
