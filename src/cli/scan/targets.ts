import { createInterface } from 'node:readline';
import { proxyFor } from '../../config/proxy.ts';
import type { Config } from '../../config.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Upstream } from '../../upstream/types.ts';
import { createUpstream } from '../../upstream/upstream.ts';
import { localFile } from './file.ts';
import { filesOfRepo } from './hub.ts';
import { filesAt } from './paths.ts';
import { createSpool } from './remote.ts';
import type { Target } from './types.ts';
import { fileAt, labelOf } from './url.ts';

/** Finds what the arguments of a scan name. */
export type Finder = {
  /** The files that `args` name, in their order; `-` stands for the lines of `stdin`. */
  find(args: readonly string[], stdin: NodeJS.ReadableStream): AsyncGenerator<Target>;
  close(): Promise<void>;
};

/** Local paths and globs, `hf://` repos with the configured Hub and its token, URLs with no token at all. */
export const createFinder = (config: Config): Finder => {
  const spool = createSpool(config.knownBad !== undefined);
  const upstreams = new Map<string, Upstream>();
  const { allowPrivate } = config;

  const upstreamFor = (name: string, open: () => Upstream): Upstream => {
    const known = upstreams.get(name) ?? open();
    upstreams.set(name, known);
    return known;
  };
  const hub = (): Upstream =>
    upstreamFor('hub', () => {
      const origin = config.upstreams['huggingface'];
      if (origin === undefined) throw new WeighbridgeError('CONFIG_INVALID', 'no upstream for huggingface');
      return createUpstream({ origin, allowPrivate });
    });
  const server = ({ origin: url }: URL): Upstream =>
    upstreamFor(url, () => {
      const proxy = proxyFor(url);
      return createUpstream({ origin: proxy === undefined ? { url } : { url, proxy }, allowPrivate });
    });

  const targetsAt = async function* (written: string): AsyncGenerator<Target> {
    if (written.startsWith('hf://')) yield* await orFailure(written, () => filesOfRepo(hub(), spool, written));
    else if (/^https?:\/\//.test(written)) {
      const url = URL.parse(written);
      const name = url === null ? written : labelOf(url);
      yield* await orFailure(name, async () => [await fileAt(server(readable(url)), spool, readable(url))]);
    } else for await (const path of filesAt(written)) yield localFile(path);
  };

  return {
    async *find(args, stdin) {
      for (const argument of args) {
        if (argument !== '-') yield* targetsAt(argument);
        else for await (const line of createInterface({ input: stdin })) if (line !== '') yield* targetsAt(line);
      }
    },
    async close() {
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
    },
  };
};

const readable = (url: URL | null): URL => {
  if (url === null) throw new WeighbridgeError('REQUEST_INVALID', 'it is not a URL');
  if (url.username !== '' || url.password !== '')
    throw new WeighbridgeError('REQUEST_INVALID', 'the URL carries credentials, which would end up in logs');
  return url;
};

/** What is named but cannot be found becomes one file that cannot be read, so that the rest is still scanned. */
const orFailure = async (path: string, find: () => Promise<readonly Target[]>): Promise<readonly Target[]> => {
  try {
    return await find();
  } catch (error) {
    return [{ path, weigh: () => Promise.reject(error) }];
  }
};
