import { type Bench, median, type Row } from './support/bench.ts';
import { download } from './support/clients.ts';
import { safetensorsFile } from './support/files.ts';
import { startGateway, startHubProcess, startNginx } from './support/servers.ts';
import { torchFile } from './support/torch-files.ts';

const ROUNDS = 5;

/**
 * How much later than from upstream the first byte of a cold file leaves; it must not depend on the file's size. The
 * gateway has been asked for another file of its kind before, so that no round measures the start of a program.
 */
export const bench: Bench = {
  name: 'first-byte',
  title: 'Time to the first byte of a cold file over that of the upstream itself',
  async run() {
    const rows: Row[] = [];
    const nginx = await startNginx();
    try {
      for (const mib of [10, 5120]) rows.push(...(await firstBytes(nginx.origin, mib)));
    } finally {
      await nginx.stop();
    }
    return rows;
  },
};

const firstBytes = async (origin: string, mib: number): Promise<readonly Row[]> => {
  const files = { 'model.safetensors': safetensorsFile(mib), 'sub/pytorch_model.bin': torchFile(mib) };
  const warmUp = { 'model.safetensors': safetensorsFile(9), 'sub/pytorch_model.bin': torchFile(9) };
  const repos = [
    { name: 'bench/first', files },
    { name: 'bench/before', files: warmUp },
  ];
  const hub = await startHubProcess(repos, origin);
  const later: Record<'safetensors' | 'transcoded', number[]> = { safetensors: [], transcoded: [] };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const gateway = await startGateway(hub.url);
      for (const path of ['model.safetensors', 'sub/model.safetensors'])
        download(`${gateway.endpoint}/bench/before/resolve/main/${path}`);
      const of = (base: string, path: string): number =>
        download(`${base}/bench/first/resolve/main/${path}`, { firstByteOnly: true }).firstByte * 1000;
      const [plain, pickle] = [of(hub.url, 'model.safetensors'), of(hub.url, 'sub/pytorch_model.bin')];
      later.safetensors.push(of(gateway.endpoint, 'model.safetensors') - plain);
      later.transcoded.push(of(gateway.endpoint, 'sub/model.safetensors') - pickle);
      await gateway.stop();
    }
  } finally {
    await hub.stop();
  }
  return [
    { what: `safetensors, ${mib} MiB`, ours: median(later.safetensors), unit: 'ms', aim: '30 ms' },
    { what: `transcoded, ${mib} MiB`, ours: median(later.transcoded), unit: 'ms', aim: '150 ms' },
  ];
};
