import type { Bench, Row } from './support/bench.ts';
import { AGENT } from './support/clients.ts';
import { startGateway, startHubProcess } from './support/servers.ts';
import { type TorchFile, torchFile } from './support/torch-files.ts';

const MIB = 1 << 20;

/** What judging a checkpoint of 256 MiB without fetching it costs upstream, counted at the stand-in Hub's second host. */
export const bench: Bench = {
  name: 'judge-remote',
  title: 'Judging a remote torch checkpoint by Range',
  async run() {
    const rows: Row[] = [];
    for (const members of [200, 5000]) rows.push(...(await judge(torchFile(256, members), members)));
    return rows;
  },
};

const judge = async (file: TorchFile, members: number): Promise<readonly Row[]> => {
  const hub = await startHubProcess([{ name: 'bench/remote', files: { 'pytorch_model.bin': file } }]);
  const gateway = await startGateway(hub.url);
  try {
    const url = `${gateway.endpoint}/bench/remote/resolve/main/model.safetensors`;
    const began = performance.now();
    const answer = await fetch(url, { method: 'HEAD', headers: { 'user-agent': AGENT } });
    const ms = performance.now() - began;
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
    const asked = (await hub.seen()).filter(({ where }) => where === 'cdn');
    if (asked.some(({ status }) => status !== 206)) throw new Error('the whole file was fetched');
    const beyond = asked.reduce((sum, { bytes }) => sum + bytes, 0) - file.directoryBytes - file.pickleBytes;
    const what = `${members} members`;
    return [
      { what: `${what}: Range requests`, ours: asked.length, unit: 'requests', aim: 'at most 4' },
      { what: `${what}: beyond directory and data.pkl`, ours: beyond / MIB, unit: 'MiB', aim: 'at most 1 MiB' },
      { what: `${what}: time of the first HEAD`, ours: ms, unit: 'ms', aim: '' },
    ];
  } finally {
    await Promise.all([gateway.stop(), hub.stop()]);
  }
};
