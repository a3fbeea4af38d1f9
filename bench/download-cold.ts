import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, median } from './support/bench.ts';
import { download } from './support/clients.ts';
import { cacheFolder, safetensorsFile } from './support/files.ts';
import { run } from './support/processes.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';

const ROUNDS = 5;

/**
 * The first download of a 2 GB file: fetch, hash, judge, store and deliver, against fetch, store and deliver. Both fetch
 * from the same nginx; what either left to be written to the disk is written before the other begins, and both find memory
 * that has been used before.
 */
export const bench: Bench = {
  name: 'download-cold',
  title: 'Cold download of a 2 GB file against a cold nginx proxy_cache',
  async run() {
    const file = safetensorsFile(2048);
    const nginx = await startNginx();
    const hub = await startHubProcess([{ name: 'bench/cold', files: { 'model.safetensors': file } }], nginx.origin);
    const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
    // A virtual machine gives its guest memory when it is first touched, slowly: both get what a scratch file has touched.
    const touch = (): void => {
      const scratch = join(cacheFolder('run'), 'scratch');
      run('dd', ['if=/dev/zero', `of=${scratch}`, 'bs=2M', `count=${Math.ceil((file.size * 1.1) / (2 << 20))}`]);
      rmSync(scratch);
      run('sync', []);
    };
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const gateway = await startGateway(hub.url);
        touch();
        const url = `${gateway.endpoint}/bench/cold/resolve/main/model.safetensors`;
        rates.ours.push(file.size / download(url, { size: file.size }).seconds / 1e6);
        await gateway.stop();
        touch();
        const peer = `${nginx.cached}/repos/${file.sha256}?round=${round}`;
        rates.theirs.push(file.size / download(peer, { size: file.size }).seconds / 1e6);
      }
      const [mine, peer] = [median(rates.ours), median(rates.theirs)];
      return [{ what: 'cold 2 GB', ours: mine, peer, peerName: 'nginx', unit: 'MB/s', ratio: mine / peer, aim: '0.9' }];
    } finally {
      await Promise.all([hub.stop(), nginx.stop()]);
    }
  },
};
