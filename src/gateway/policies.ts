import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault, WeighbridgeError } from '../errors.ts';
import { digestOf, loadPolicies } from '../policy/load.ts';
import { OBSERVE_ALL } from '../policy/observe.ts';
import { checkSignatures, type Signed, type Signing } from '../policy/signatures.ts';
import type { PolicySet } from '../policy/types.ts';

/** How often the files are looked at, ms. An edit is in force after at most two looks. */
const POLL_MS = 500;
/** Files of one policy directory, and characters in all: far above any real set. */
const MAX_FILES = 500;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;

/** Told what happens to the policies: for the log, the access log and the metrics. */
export type PolicyHooks = {
  /** A set came into force; `previous` is the one before, `signers` who signed the new one. */
  loaded(set: PolicySet, previous: PolicySet | undefined, signers: readonly string[]): void;
  /** An edit was refused and the last good set stays in force. */
  rejected(fault: WeighbridgeError): void;
};

export type PolicyWatcher = {
  /** The set in force. */
  current(): PolicySet;
  /** Who signed it, where only signed sets load. */
  signers(): readonly string[];
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

/** Bytes of a file of signatures: some hundred of them. */
const MAX_SIGNATURES_BYTES = 64 * 1024;

/** Where the signatures of the policies at `path` lie: in the folder, or beside the file. */
export const signaturesPath = async (path: string): Promise<string> =>
  (await stat(path)).isDirectory() ? join(path, 'policies.sig') : `${path}.sig`;

/** The signatures of the policies at `path`; undefined when there are none. */
export const readSignatures = async (path: string): Promise<string | undefined> => {
  try {
    const place = await signaturesPath(path);
    if ((await stat(place)).size <= MAX_SIGNATURES_BYTES) return await readFile(place, 'utf8');
  } catch {
    return undefined;
  }
  throw new WeighbridgeError('POLICY_INVALID', `the signatures have more than ${MAX_SIGNATURES_BYTES} bytes`);
};

const policyNames = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();

type WatchOptions = {
  readonly pollMs?: number;
  readonly mode?: 'enforce' | 'observe';
  /** Only a set that these people signed is loaded. */
  readonly signing?: Signing | undefined;
};

/** Files by name; what was signed under a name that no file has. */
type Seen = Record<string, string>;
const SIGNATURES = '(signatures)';
const UNSIGNED: Signed = { signers: [], issued: 0 };

/**
 * Loads the policies at `path` and follows edits. The files are polled, since change notices do not cross every mount,
 * and a change is taken once it has stood still for one look, so that no half-written file is judged. An edit with an
 * error changes nothing and is told to `hooks.rejected` (once for each edit). Throws POLICY_INVALID when the policies are
 * wrong at the start.
 */
export const watchPolicies = async (
  path: string,
  hooks: PolicyHooks,
  options: WatchOptions = {},
): Promise<PolicyWatcher> => {
  const read = async (): Promise<Seen> => {
    const files = await readPolicyFiles(path);
    const signatures = options.signing === undefined ? undefined : await readSignatures(path);
    return signatures === undefined ? files : { ...files, [SIGNATURES]: signatures };
  };
  const load = (all: Seen): { readonly set: PolicySet; readonly signed: Signed } => {
    const { [SIGNATURES]: signatures, ...files } = all;
    // Before anything in them is looked at.
    const signed =
      options.signing === undefined ? UNSIGNED : checkSignatures(digestOf(files), signatures, options.signing);
    const observed = options.mode === 'observe' ? { ...files, [OBSERVE_ALL.name]: OBSERVE_ALL.text } : files;
    return { set: loadPolicies(observed, Date.now()), signed };
  };
  let seen = await read();
  let { set, signed } = load(seen);
  let fault: WeighbridgeError | undefined;
  hooks.loaded(set, undefined, signed.signers);

  const take = (files: Seen): void => {
    seen = files;
    const previous = set;
    try {
      const next = load(files);
      if (next.signed.issued < signed.issued) {
        throw new WeighbridgeError(
          'POLICY_INVALID',
          'these policies were signed before those in force: sign them again',
        );
      }
      ({ set, signed } = next);
      fault = undefined;
    } catch (error) {
      reject(error);
    }
    if (set.digest !== previous.digest) hooks.loaded(set, previous, signed.signers);
  };
  const reject = (error: unknown): void => {
    // Whatever an edit sets off, the last good set stays in force.
    const why = isFault(error) ? error : new WeighbridgeError('POLICY_INVALID', String(error), {}, { cause: error });
    if (fault?.message === why.message) return;
    fault = why;
    hooks.rejected(why);
  };
  const look = async (): Promise<Seen | undefined> => {
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
    let before: Seen | undefined;
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
    signers: () => signed.signers,
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
