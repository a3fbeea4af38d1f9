import { spawnSync } from 'node:child_process';
import { debian, run } from './processes.ts';

/** What huggingface_hub calls itself: a client that checks lengths. */
export const AGENT = 'unknown/None; hf_hub/2.4.0; python/3.11.7';

export type Fetched = { readonly seconds: number; readonly firstByte: number; readonly bytes: number };

const FORMAT = '%{http_code} %{time_total} %{time_starttransfer} %{size_download}';

/**
 * Downloads with curl, following redirects, and throws the bytes away. Times are seconds. Throws unless the answer was
 * 200 and, where `size` is given, that long. With `firstByteOnly` the download is given up after 256 KiB.
 */
export const download = (url: string, options: { firstByteOnly?: boolean; size?: number } = {}): Fetched => {
  const out = options.firstByteOnly ? '-' : '/dev/null';
  const args = ['-sSL', '-o', out, '-A', AGENT, '-w', `%{stderr}${FORMAT}`, url];
  const { stderr } = options.firstByteOnly
    ? spawnSync('sh', ['-c', `"$0" "$@" | head -c 262144 > /dev/null`, debian('curl'), ...args], { encoding: 'utf8' })
    : spawnSync(debian('curl'), args, { encoding: 'utf8' });
  const told = stderr.trim().split('\n').at(-1) ?? '';
  const [status, seconds = 0, firstByte = 0, bytes = 0] = told.split(' ').map(Number);
  if (status !== 200 || (options.size !== undefined && bytes !== options.size))
    throw new Error(`${url} answered ${status} with ${bytes} bytes: ${stderr}`);
  return { seconds, firstByte, bytes };
};

/** Requests a second of `url`, asked for again and again over `connections` connections for `seconds`. */
export const requestsPerSecond = (url: string, seconds: number, connections: number): number => {
  const out = run(debian('wrk'), [
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--timeout',
    '30s',
    '-H',
    `User-Agent: ${AGENT}`,
    url,
  ]);
  if (/Non-2xx/.test(out)) throw new Error(out);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]);
  if (!(rate > 0)) throw new Error(`${url} was not answered: ${out}`);
  return rate;
};

/** Whole answers a second of `url` to `lanes` clients that each ask again when they have been answered, for `seconds`. */
export const answersPerSecond = async (url: string, seconds: number, lanes: number): Promise<number> => {
  const ask = async (): Promise<void> => {
    const answer = await fetch(url, { headers: { 'user-agent': AGENT } });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
  };
  // The first one fills its cache.
  await ask();
  let answers = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1000) {
      await ask();
      answers += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return answers / ((performance.now() - began) / 1000);
};
