import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './files.ts';
import { freePort, type Running, start } from './processes.ts';
import { python } from './python.ts';

/** olah, the caching mirror of the Hub that is closest to what we do, before the same stand-in Hub. */
export const startOlah = async (hubUrl: string): Promise<Running & { url: string }> => {
  const bin = python('olah', ['olah==0.5.4']);
  const port = await freePort();
  const folder = mkdtempSync(join(cacheFolder('run'), 'olah-'));
  const host = new URL(hubUrl).host;
  const config = join(folder, 'olah.toml');
  writeFileSync(
    config,
    `[basic]
host = "127.0.0.1"
port = ${port}
repos-path = "${folder}/repos"
hf-scheme = "http"
hf-netloc = "${host}"
hf-lfs-netloc = "${host}"
mirror-scheme = "http"
mirror-netloc = "127.0.0.1:${port}"
mirror-lfs-netloc = "127.0.0.1:${port}"

[accessibility]
offline = false
[[accessibility.proxy]]
repo = "*"
allow = true
[[accessibility.cache]]
repo = "*"
allow = true
`,
  );
  const olah = await start(join(bin, 'olah-cli'), ['--config', config], port, { cwd: folder });
  return {
    ...olah,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await olah.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
