import { parseArgs } from 'node:util';
import { z } from 'zod';
import { MIB } from '../bytes/limits.ts';
import { loadConfig } from '../config.ts';
import { isFault, WeighbridgeError } from '../errors.ts';
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
/** Looks at the listing: what a conversion puts in the place of a file appears in the second one. */
const MAX_LISTINGS = 3;
/** Between two drawings of the bar while nothing arrives, in ms. */
const TICK = 1_000;
/** Characters of a file's name beside the bar, its end. */
const MAX_NAME = 40;

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
  let listed = await list(gateway, target);
  const prefix = target.kind === 'models' ? target.name : `${target.kind}/${target.name}`;
  const place = (file: string): string =>
    `/${prefix}/resolve/${listed.sha}/${file.split('/').map(encodeURIComponent).join('/')}`;
  const total = listed.siblings.reduce((sum, { size = 0 }) => sum + size, 0);
  const progress = createProgress(io, `${target.name}@${listed.sha.slice(0, 8)}`, total);
  const there = new Set<string>();
  const refused = new Map<string, string>();
  for (let listings = 1; ; listings++) {
    for (const { rfilename, size } of listed.siblings) {
      if (there.has(rfilename)) continue;
      progress.begin(rfilename);
      const why = await fetchOne(gateway, place(rfilename), size, progress.add);
      if (why === undefined) there.add(rfilename);
      else refused.set(rfilename, why);
    }
    if (refused.size === 0 || listings === MAX_LISTINGS) break;
    // A checkpoint that had no plan when it was listed has one by now, and another file in its place.
    const again = await list(gateway, { ...target, revision: listed.sha }).catch(asRefusal);
    if (again === undefined) break;
    const names = new Set(again.siblings.map(({ rfilename }) => rfilename));
    if ([...names].every((name) => there.has(name) || refused.has(name))) break;
    for (const name of refused.keys()) if (!names.has(name)) refused.delete(name);
    listed = again;
  }
  progress.end(`${there.size} of ${there.size + refused.size} files are there`);
  for (const [file, why] of [...refused].slice(0, MAX_NAMED)) io.stderr.write(`  ${file}: ${why}\n`);
  return refused.size === 0 ? EXIT.ok : EXIT.refused;
};

const list = async (gateway: Upstream, { kind, name, revision }: Target): Promise<z.infer<typeof listing>> => {
  const url = `/api/${kind}/${name}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await gateway.request({ method: 'GET', url });
  if (answer.status !== 200)
    throw new WeighbridgeError('UPSTREAM_REFUSED', `${name}: ${errorText(answer.body, answer.status)}`);
  return listing.parse(JSON.parse(Buffer.from(answer.body).toString('utf8')));
};

/** Undefined for a repo that is refused as a whole, which the files that were refused have said already. */
const asRefusal = (error: unknown): undefined => {
  if (!isFault(error, 'UPSTREAM_REFUSED')) throw error;
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
    // A download knows the status alone; the headers of a HEAD have the reason.
    const told = isFault(error, 'UPSTREAM_REFUSED')
      ? (await gateway.stat(path, {})).headers['x-error-message']
      : undefined;
    return told ?? (error instanceof Error ? error.message : String(error));
  }
};

const errorText = (body: Uint8Array, status: number): string =>
  `${status} ${printable(Buffer.from(body).toString('utf8')).slice(0, 300)}`;

/** Nothing that a terminal would obey. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, ' ');

/** A bar on a terminal, one line at the end elsewhere. A file that is judged before it comes shows by the seconds it takes. */
const createProgress = (io: CommandIo, label: string, total: number) => {
  const terminal = 'isTTY' in io.stderr && io.stderr.isTTY === true;
  const inMib = (bytes: number): string => (bytes / MIB).toFixed(1);
  let done = 0;
  let drawn = 0;
  let file = '';
  let since = 0;
  const draw = (): void => {
    drawn = performance.now();
    const filled = total === 0 ? 30 : Math.min(30, Math.floor((done / total) * 30));
    const bar = '#'.repeat(filled).padEnd(30, '.');
    const now = file === '' ? '' : `, ${file}, ${Math.floor((drawn - since) / 1000)} s`;
    io.stderr.write(`\r\u001b[K${label} [${bar}] ${inMib(done)} of ${inMib(total)} MiB${now}`);
  };
  const ticking = terminal ? setInterval(draw, TICK) : undefined;
  return {
    begin(name: string): void {
      file = printable(name).slice(-MAX_NAME);
      since = performance.now();
    },
    add(bytes: number): void {
      done += bytes;
      if (terminal && performance.now() - drawn >= 100) draw();
    },
    end(summary: string): void {
      clearInterval(ticking);
      file = '';
      if (terminal) {
        draw();
        io.stderr.write('\n');
      }
      io.stdout.write(`${label}: ${summary}, ${inMib(done)} MiB\n`);
    },
  };
};
