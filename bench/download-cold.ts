import { basename } from 'node:path';
import { type Bench, median } from './support/bench.ts';
import { download } from './support/clients.ts';
import { safetensorsFile } from './support/files.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';

const ROUNDS = 5;

/** The first download of a 2 GB file: fetch, hash, judge, store and deliver, against fetch, store and deliver. */
export const bench: Bench = {
  name: 'download-cold',
  title: 'Cold download of a 2 GB file against a cold nginx proxy_cache',
  async run() {
    const file = safetensorsFile(2048);
    const hub = await startHubProcess([{ name: 'bench/cold', files: { 'model.safetensors': file } }]);
    const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const gateway = await startGateway(hub.url);
        const url = `${gateway.endpoint}/bench/cold/resolve/main/model.safetensors`;
        rates.ours.push(file.size / download(url).seconds / 1e6);
        await gateway.stop();
        const nginx = await startNginx();
        rates.theirs.push(file.size / download(`${nginx.cached}/${basename(file.file)}`).seconds / 1e6);
        await nginx.stop();
      }
      const [mine, peer] = [median(rates.ours), median(rates.theirs)];
      return [{ what: 'cold 2 GB', ours: mine, peer, peerName: 'nginx', unit: 'MB/s', ratio: mine / peer, aim: '0.9' }];
    } finally {
      await hub.stop();
    }
  },
};
