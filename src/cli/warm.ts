import { parseArgs } from 'node:util';
import { z } from 'zod';
import { MIB } from '../bytes/limits.ts';
import { loadConfig } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import type { Upstream } from '../upstream/types.ts';
import { createUpstream } from '../upstream/upstream.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';

const usage = `usage: weighbridge warm [OPTIONS] REPO[@REVISION]...

Has a running gateway fetch, judge and convert a whole repo, so that pipelines
find it in the cache. REPO is org/name, datasets/org/name or spaces/org/name.

  --gateway URL    the mount of the gateway (http://<host>:<port>/hf of the settings here)
  --token TOKEN    sent as bearer token

Exit code 0: all is there; 1: something was refused; 2: could not do it.`;

/** A held file answers only when it was fetched and judged: give the largest one time. */
const PATIENCE = { headers: 3_600_000, stall: 120_000, downloadAttempts: 3 };
const MAX_NAMED = 100;

const listing = z.object({
  sha: z.string(),
  siblings: z.array(z.object({ rfilename: z.string(), size: z.number().int().nonnegative().optional() })),
});

type Target = { readonly kind: string; readonly name: string; readonly revision: string };

export const warm: Command = {
  name: 'warm',
  summary: 'have a running gateway fetch, judge and convert a repo',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { gateway: { type: 'string' }, token: { type: 'string' } },
      allowPositionals: true,
    });
    if (positionals.length === 0) throw new WeighbridgeError('REQUEST_INVALID', `no repo is named\n${usage}`);
    const { host, port, mounts, tls } = loadConfig({});
    const url =
      values.gateway ?? `${tls === undefined ? 'http' : 'https'}://${host}:${port}${mounts['huggingface'] ?? '/hf'}`;
    const origin = values.token === undefined ? { url } : { url, token: values.token };
    const gateway = createUpstream({ origin, allowPrivate: true, patience: PATIENCE });
    try {
      let worst: number = EXIT.ok;
      for (const written of positionals) worst = Math.max(worst, await warmRepo(gateway, parseTarget(written), io));
      return worst;
    } finally {
      await gateway.close();
    }
  },
};

const parseTarget = (written: string): Target => {
  const [path = '', revision = 'main'] = written.split('@');
  const [, kind = 'models', name = ''] = /^(?:(models|datasets|spaces)\/)?([^/]+(?:\/[^/]+)?)$/.exec(path) ?? [];
  if (name === '') throw new WeighbridgeError('REQUEST_INVALID', `${written} is not REPO[@REVISION]`);
  return { kind, name, revision };
};

const warmRepo = async (gateway: Upstream, target: Target, io: CommandIo): Promise<number> => {
  const { kind, name, revision } = target;
  const url = `/api/${kind}/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await gateway.request({ method: 'GET', url });
  if (answer.status !== 200)
    throw new WeighbridgeError('UPSTREAM_REFUSED', `${name}: ${errorText(answer.body, answer.status)}`);
  const { sha, siblings } = listing.parse(JSON.parse(Buffer.from(answer.body).toString('utf8')));
  const total = siblings.reduce((sum, { size = 0 }) => sum + size, 0);
  const progress = createProgress(io, `${name}@${sha.slice(0, 8)}`, total);
  const refused: string[] = [];
  for (const { rfilename, size } of siblings) {
    const prefix = kind === 'models' ? name : `${kind}/${name}`;
    const path = `/${prefix}/resolve/${sha}/${rfilename.split('/').map(encodeURIComponent).join('/')}`;
    const why = await fetchOne(gateway, path, size, progress.add);
    if (why !== undefined) refused.push(`${rfilename}: ${why}`);
  }
  progress.end(`${siblings.length - refused.length} of ${siblings.length} files are there`);
  for (const line of refused.slice(0, MAX_NAMED)) io.stderr.write(`  ${line}\n`);
  return refused.length === 0 ? EXIT.ok : EXIT.refused;
};

/** Takes one file and throws its bytes away. Resolves with the reason when it was not given. */
const fetchOne = async (
  gateway: Upstream,
  path: string,
  size: number | undefined,
  add: (bytes: number) => void,
): Promise<string | undefined> => {
  const { status, headers, body } = await gateway.stat(path, {});
  if (status !== 200) return headers['x-error-message'] ?? errorText(body, status);
  const expected = size ?? Number(headers['content-length']);
  try {
    for await (const chunk of gateway.download(path, {}, { start: 0, size: expected })) add(chunk.length);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const errorText = (body: Uint8Array, status: number): string => {
  const text = Buffer.from(body)
    .toString('utf8')
    .replace(/[^\x20-\x7e]/g, ' ');
  return `${status} ${text.slice(0, 300)}`;
};

/** A bar on a terminal, one line at the end elsewhere. */
const createProgress = (io: CommandIo, label: string, total: number) => {
  const terminal = 'isTTY' in io.stderr && io.stderr.isTTY === true;
  const inMib = (bytes: number): string => (bytes / MIB).toFixed(1);
  let done = 0;
  let drawn = 0;
  const draw = (): void => {
    const filled = total === 0 ? 30 : Math.min(30, Math.floor((done / total) * 30));
    const bar = '#'.repeat(filled).padEnd(30, '.');
    io.stderr.write(`\r${label} [${bar}] ${inMib(done)} of ${inMib(total)} MiB`);
  };
  return {
    add(bytes: number): void {
      done += bytes;
      if (!terminal || performance.now() - drawn < 100) return;
      drawn = performance.now();
      draw();
    },
    end(summary: string): void {
      if (terminal) {
        draw();
        io.stderr.write('\n');
      }
      io.stdout.write(`${label}: ${summary}, ${inMib(done)} MiB\n`);
    },
  };
};
