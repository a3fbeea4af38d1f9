import { randomUUID } from 'node:crypto';
import { rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB } from '../bytes/limits.ts';
import type { Config } from '../config.ts';
import { isFault } from '../errors.ts';
import { readPolicyFiles } from '../gateway/policies.ts';
import { loadPolicies, wordProblem } from '../policy/load.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox, Wall } from '../sandbox/types.ts';
import { missingWalls } from '../sandbox/walls.ts';
import { makeFolder } from '../store/folder.ts';
import { openStore } from '../store/store.ts';
import { createUpstream } from '../upstream/upstream.ts';

/** What one look found. `weak` works, less well than it could; `fail` keeps the gateway from working. */
export type Check = {
  readonly name: string;
  readonly state: 'ok' | 'weak' | 'fail';
  readonly detail: string;
  readonly remedy?: string;
};

/** Less than this (bytes) does not hold one large model beside what is in use. */
const LITTLE_SPACE = 20 * GIB;
/** Difference to an upstream's clock (s) from which signatures and waivers are judged wrongly. */
const CLOCK_DIFFERENCE = 300;
/** How long an upstream may take (ms): enough for a proxy and a TLS handshake across the world. */
const REACH_TIMEOUT = 8_000;

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const remedies: Readonly<Record<Wall['name'], string>> = {
  isolate: 'run `npm ci` again: isolated-vm must load',
  permission: 'run on Node 24 or later, where the permission model holds',
  limits: 'run on Linux, with /proc mounted and prlimit (util-linux) installed',
  namespaces: 'install bubblewrap, and let it make user namespaces (in containers: a seccomp profile that allows them)',
  network: 'install bubblewrap, or keep the workers from the network by the rules of your platform',
};

/** The walls of the sandbox, one check each, and an inspection that must come back. */
export const checkSandbox = async (config: Config): Promise<readonly Check[]> => {
  const name = 'sandbox';
  let sandbox: Sandbox;
  try {
    // With the weakest demand, so that every wall is seen; what the settings ask for is judged below.
    sandbox = await createSandbox({ ...config.sandbox, workers: 1, require: 'isolate' });
  } catch (error) {
    return [{ name, state: 'fail', detail: message(error), remedy: remedies.isolate }];
  }
  try {
    const bytes = new TextEncoder().encode('{"weighed": true}');
    const report = await sandbox.inspect({
      size: bytes.length,
      read: async (offset, length) => bytes.subarray(offset, offset + length),
    });
    const works = report.coverage.state !== 'opaque' || report.format === 'unknown';
    const detail = works ? 'an inspection came back' : report.coverage.reason;
    return [
      { name, state: works ? 'ok' : 'fail', detail, ...(!works && { remedy: remedies.isolate }) },
      ...sandbox.walls().map((wall) => checkWall(wall, config.sandbox.require)),
    ];
  } finally {
    await sandbox.close();
  }
};

const checkWall = (wall: Wall, require: Config['sandbox']['require']): Check => {
  const { name, stands, detail } = wall;
  if (stands) return { name: `wall: ${name}`, state: 'ok', detail };
  const state = missingWalls([wall], require).length > 0 ? 'fail' : 'weak';
  return { name: `wall: ${name}`, state, detail, remedy: remedies[name] };
};

/** Whether the data folder takes files, has room, and holds a store that this version can open. */
export const checkStore = async ({ data, store }: Config): Promise<readonly Check[]> => {
  const name = 'store';
  const probe = join(data, `.doctor-${randomUUID()}`);
  try {
    makeFolder(data);
    await writeFile(probe, 'weighed', { flush: true });
    await rename(probe, `${probe}-renamed`);
    await rm(`${probe}-renamed`);
    const { bavail, bsize } = await statfs(data);
    const opened = await checkOpens(data, store.limit);
    return opened.state === 'ok' ? [opened, checkSpace(bavail * bsize)] : [opened];
  } catch (error) {
    const remedy = `make ${data} writable for this user, or set data to a folder that is`;
    return [{ name, state: 'fail', detail: message(error), remedy }];
  }
};

const checkSpace = (free: number): Check => {
  const detail = `${Math.floor(free / GIB)} GiB free`;
  if (free >= LITTLE_SPACE) return { name: 'space', state: 'ok', detail };
  return { name: 'space', state: 'weak', detail, remedy: 'set data to a larger disk: a model can take tens of GiB' };
};

const checkOpens = async (data: string, limit: number): Promise<Check> => {
  const name = 'store';
  try {
    await (await openStore({ data, limit })).close();
    return { name, state: 'ok', detail: `${data} is writable` };
  } catch (error) {
    if (isFault(error, 'CONFIG_INVALID'))
      return { name, state: 'ok', detail: `${data} is in use by a running gateway` };
    return { name, state: 'fail', detail: message(error), remedy: 'see docs/errors.md for the code' };
  }
};

const OBSERVED = '`weighbridge report observe` says what would have been refused; set mode: enforce when that is right';

/** Whether the policies can be loaded, with each problem, and are enforced. */
export const checkPolicySet = async ({ policies, mode }: Config): Promise<readonly Check[]> => {
  const name = 'policies';
  try {
    const set = loadPolicies(await readPolicyFiles(policies.path), Date.now());
    const warnings = [
      ...(mode === 'observe' ? ['mode is observe: nothing is refused'] : []),
      ...set.problems.map(wordProblem),
    ];
    if (warnings.length === 0)
      return [{ name, state: 'ok', detail: `${policies.path}, digest ${set.digest.slice(0, 12)}` }];
    return [
      {
        name,
        state: 'weak',
        detail: warnings.join('; '),
        remedy: mode === 'observe' ? OBSERVED : '`weighbridge policy check` shows the places',
      },
    ];
  } catch (error) {
    return [{ name, state: 'fail', detail: message(error), remedy: '`weighbridge policy check` shows the places' }];
  }
};

/** Whether each upstream answers, and whether its clock and ours agree. */
export const checkUpstreams = async ({ upstreams, allowPrivate }: Config): Promise<readonly Check[]> =>
  (
    await Promise.all(Object.entries(upstreams).map(([name, origin]) => checkUpstream(name, origin, allowPrivate)))
  ).flat();

const checkUpstream = async (
  name: string,
  origin: Config['upstreams'][string],
  allowPrivate: boolean,
): Promise<readonly Check[]> => {
  const upstream = createUpstream({ origin, allowPrivate, patience: { attempts: 1 } });
  try {
    const { status, headers } = await upstream.stat('/', {}, AbortSignal.timeout(REACH_TIMEOUT));
    const detail = `${origin.url} answers (${status})`;
    return [{ name: `upstream: ${name}`, state: 'ok', detail }, ...checkClock(name, headers['date'])];
  } catch (error) {
    const remedy = `check the network, upstreams.${name}.proxy and upstreams.${name}.ca; what is in the store is served meanwhile`;
    return [{ name: `upstream: ${name}`, state: 'fail', detail: `${origin.url}: ${message(error)}`, remedy }];
  } finally {
    await upstream.close();
  }
};

const checkClock = (name: string, date: string | undefined): readonly Check[] => {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return [];
  const seconds = Math.round(Math.abs(Date.now() - theirs) / 1000);
  const detail = `${seconds} s from that of ${name}`;
  if (seconds < CLOCK_DIFFERENCE) return [{ name: 'clock', state: 'ok', detail }];
  return [{ name: 'clock', state: 'fail', detail, remedy: 'set the clock (NTP): waivers and signatures depend on it' }];
};
