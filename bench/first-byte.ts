import { type Bench, median, type Row } from './support/bench.ts';
import { download, type Fetched } from './support/clients.ts';
import { safetensorsFile } from './support/files.ts';
import { startGateway, startHubProcess } from './support/servers.ts';
import { torchFile } from './support/torch-files.ts';

const ROUNDS = 5;

/** How much later than upstream the first byte of a cold file leaves; it must not depend on the file's size. */
export const bench: Bench = {
  name: 'first-byte',
  title: 'Time to the first byte of a cold file over that of the upstream itself',
  async run() {
    const rows: Row[] = [];
    for (const mib of [10, 5120]) {
      const files = { 'model.safetensors': safetensorsFile(mib), 'sub/pytorch_model.bin': torchFile(mib) };
      const hub = await startHubProcess([{ name: 'bench/first', files }]);
      try {
        for (const [path, asked, aim] of [
          ['model.safetensors', 'model.safetensors', '30 ms'],
          ['sub/pytorch_model.bin', 'sub/model.safetensors', '150 ms'],
        ] as const) {
          const upstream: number[] = [];
          const ours: number[] = [];
          for (let round = 0; round < ROUNDS; round += 1) {
            const gateway = await startGateway(hub.url);
            upstream.push(firstByte(`${hub.url}/bench/first/resolve/main/${path}`));
            ours.push(firstByte(`${gateway.endpoint}/bench/first/resolve/main/${asked}`));
            await gateway.stop();
          }
          const [mine, peer] = [median(ours) * 1000, median(upstream) * 1000];
          rows.push({ what: `${asked}, ${mib} MiB, beyond upstream`, ours: mine - peer, unit: 'ms', aim });
        }
      } finally {
        await hub.stop();
      }
    }
    return rows;
  },
};

const firstByte = (url: string): number => {
  const fetched: Fetched = download(url, { firstByteOnly: true });
  return fetched.firstByte;
};
