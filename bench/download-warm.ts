import { basename } from 'node:path';
import { type Bench, median } from './support/bench.ts';
import { download } from './support/clients.ts';
import { safetensorsFile } from './support/files.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';

const ROUNDS = 7;

/** One stream of a 2 GB file that both have in their caches; alternating, so that noise falls on both. */
export const bench: Bench = {
  name: 'download-warm',
  title: 'Warm download of a 2 GB file, one stream, against nginx proxy_cache',
  async run() {
    const file = safetensorsFile(2048);
    const hub = await startHubProcess([{ name: 'bench/warm', files: { 'model.safetensors': file } }]);
    const gateway = await startGateway(hub.url);
    const nginx = await startNginx();
    try {
      const ours = `${gateway.endpoint}/bench/warm/resolve/main/model.safetensors`;
      const theirs = `${nginx.cached}/${basename(file.file)}`;
      download(ours);
      download(theirs);
      const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
      for (let round = 0; round < ROUNDS; round += 1) {
        rates.ours.push(file.size / download(ours, file).seconds / 1e6);
        rates.theirs.push(file.size / download(theirs, file).seconds / 1e6);
      }
      const [mine, peer] = [median(rates.ours), median(rates.theirs)];
      return [{ what: 'warm 2 GB', ours: mine, peer, peerName: 'nginx', unit: 'MB/s', ratio: mine / peer, aim: '1.0' }];
    } finally {
      await Promise.all([gateway.stop(), nginx.stop(), hub.stop()]);
    }
  },
};
