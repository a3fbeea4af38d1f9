import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Row } from './support/bench.ts';
import { cacheFolder, safetensorsFile } from './support/files.ts';
import { run } from './support/processes.ts';
import { python } from './support/python.ts';
import { startGateway, startHubProcess } from './support/servers.ts';
import { torchFile } from './support/torch-files.ts';

const CLIENTS = { '0.36.2': 'hub0', '1.33.0': 'hub1', '2.4.0': 'hub2' } as const;

/** Prints the seconds that a download of the whole repo took; fails unless the weights came, whole, as safetensors. */
const SCRIPT = `
import os, sys, time
from huggingface_hub import snapshot_download
began = time.time()
folder = snapshot_download('bench/cold')
size = os.path.getsize(os.path.join(folder, 'model.safetensors'))
assert abs(size - int(sys.argv[1])) < 1_000_000, size
print(time.time() - began)
`;

/** A repo of 5 GB that nobody asked for before, with each generation of huggingface_hub and its default time-outs. */
export const bench: Bench = {
  name: 'cold-repo',
  title: 'A cold repo of 5 GB by snapshot_download with default time-outs',
  async run() {
    const rows: Row[] = [];
    const weights = safetensorsFile(5120);
    const checkpoint = torchFile(5120);
    for (const { what, files, size } of [
      { what: 'safetensors', files: { 'model.safetensors': weights }, size: weights.size },
      { what: 'pickle, converted', files: { 'pytorch_model.bin': checkpoint }, size: 5120 * 2 ** 20 },
    ]) {
      const hub = await startHubProcess([{ name: 'bench/cold', files: { 'config.json': '{}', ...files } }]);
      try {
        for (const [version, name] of Object.entries(CLIENTS)) {
          const gateway = await startGateway(hub.url);
          const seconds = snapshot(gateway.endpoint, version, name, size);
          await gateway.stop();
          rows.push({ what: `${what}, huggingface_hub ${version}`, ours: seconds, unit: 's', aim: 'arrives' });
        }
      } finally {
        await hub.stop();
      }
    }
    return rows;
  },
};

const snapshot = (endpoint: string, version: string, name: string, size: number): number => {
  const bin = python(name, [`huggingface_hub==${version}`]);
  const home = mkdtempSync(join(cacheFolder('run'), 'home-'));
  try {
    const variables = [`HF_ENDPOINT=${endpoint}`, `HF_HOME=${home}`, 'HF_HUB_DISABLE_PROGRESS_BARS=1'];
    const args = ['-i', 'PATH=/usr/bin:/bin', ...variables, join(bin, 'python'), '-c', SCRIPT, String(size)];
    return Number(run('env', args).trim().split('\n').at(-1));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
