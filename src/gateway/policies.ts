import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault, WeighbridgeError } from '../errors.ts';
import { loadPolicies } from '../policy/load.ts';
import { OBSERVE_ALL } from '../policy/observe.ts';
import type { PolicySet } from '../policy/types.ts';

/** How often the files are looked at, ms. An edit is in force after at most two looks. */
const POLL_MS = 500;
/** Files of one policy directory, and characters in all: far above any real set. */
const MAX_FILES = 500;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;

/** Told what happens to the policies: for the log, the access log and the metrics. */
export type PolicyHooks = {
  /** A set came into force; `previous` is the digest of the one before. */
  loaded(set: PolicySet, previous: string | undefined): void;
  /** An edit was refused and the last good set stays in force. */
  rejected(fault: WeighbridgeError): void;
};

export type PolicyWatcher = {
  /** The set in force. */
  current(): PolicySet;
  /** What is wrong with the files as they are now; undefined when `current` is what they say. */
  fault(): WeighbridgeError | undefined;
  /** Looks at once instead of at the next poll. */
  reload(): Promise<void>;
  close(): Promise<void>;
};

/**
 * Reads policy files: one file, or every `*.yaml` and `*.yml` of a directory (not below it). Keys are file names, so the
 * digest of a set does not depend on where it lies. Throws POLICY_INVALID when nothing can be read.
 */
export const readPolicyFiles = async (path: string): Promise<Record<string, string>> => {
  try {
    const names = (await stat(path)).isDirectory() ? await policyNames(path) : undefined;
    if (names !== undefined && names.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} policy files`);
    const places = names?.map((name) => join(path, name)) ?? [path];
    const sizes = await Promise.all(places.map(async (place) => (await stat(place)).size));
    if (sizes.reduce((sum, size) => sum + size, 0) > MAX_TOTAL_BYTES) {
      throw new Error(`more than ${MAX_TOTAL_BYTES} bytes of policy files`);
    }
    const texts = await Promise.all(places.map((place) => readFile(place, 'utf8')));
    return Object.fromEntries(places.map((place, index) => [basename(place), texts[index] ?? '']));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeighbridgeError('POLICY_INVALID', `policies cannot be read from ${path}: ${why}`, {}, { cause: error });
  }
};

const policyNames = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();

/**
 * Loads the policies at `path` and follows edits. The files are polled, since change notices do not cross every mount,
 * and a change is taken once it has stood still for one look, so that no half-written file is judged. An edit with an
 * error changes nothing and is told to `hooks.rejected` (once for each edit). Throws POLICY_INVALID when the policies are
 * wrong at the start.
 */
export const watchPolicies = async (
  path: string,
  hooks: PolicyHooks,
  options: { readonly pollMs?: number; readonly mode?: 'enforce' | 'observe' } = {},
): Promise<PolicyWatcher> => {
  const read = async (): Promise<Record<string, string>> => {
    const files = await readPolicyFiles(path);
    return options.mode === 'observe' ? { ...files, [OBSERVE_ALL.name]: OBSERVE_ALL.text } : files;
  };
  let seen = await read();
  let set = loadPolicies(seen, Date.now());
  let fault: WeighbridgeError | undefined;
  hooks.loaded(set, undefined);

  const take = (files: Record<string, string>): void => {
    seen = files;
    const previous = set.digest;
    try {
      set = loadPolicies(files, Date.now());
      fault = undefined;
    } catch (error) {
      reject(error);
    }
    if (set.digest !== previous) hooks.loaded(set, previous);
  };
  const reject = (error: unknown): void => {
    // Whatever an edit sets off, the last good set stays in force.
    const why = isFault(error) ? error : new WeighbridgeError('POLICY_INVALID', String(error), {}, { cause: error });
    if (fault?.message === why.message) return;
    fault = why;
    hooks.rejected(why);
  };
  const look = async (): Promise<Record<string, string> | undefined> => {
    try {
      return await read();
    } catch (error) {
      // An unreadable file is an edit as well: forget it, so that its return is seen even when nothing else changed.
      seen = {};
      reject(error);
      return undefined;
    }
  };
  const reload = async (): Promise<void> => {
    const files = await look();
    if (files !== undefined && !same(files, seen)) take(files);
  };

  const closing = new AbortController();
  const poll = async (): Promise<void> => {
    let before: Record<string, string> | undefined;
    while (!closing.signal.aborted) {
      await sleep(options.pollMs ?? POLL_MS, undefined, { signal: closing.signal, ref: false });
      try {
        const files = await look();
        if (files !== undefined && !same(files, seen) && before !== undefined && same(files, before)) take(files);
        before = files;
      } catch {
        // Whoever is told may fail (a log that cannot be written); edits are followed all the same.
      }
    }
  };
  const polling = poll().catch((error: unknown) => {
    if (!closing.signal.aborted) throw error;
  });

  return {
    current: () => set,
    fault: () => fault,
    reload,
    async close() {
      closing.abort();
      await polling;
    },
  };
};

const same = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean => {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
};
