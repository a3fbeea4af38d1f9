import { readFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../bytes/limits.ts';
import { isFault, WeighbridgeError } from '../errors.ts';
import { type KnownBadList, type KnownBadLookup, openKnownBad, readListKey } from '../policy/known-bad.ts';

/** How often the files are looked at, ms. A change is taken once it has stood still for one look. */
const POLL_MS = 500;
/** Bytes of a list, and of its signature in base64 with a line end. */
const MAX_LIST_BYTES = 128 * MIB;
const MAX_SIGNATURE_BYTES = 1024;

/** Path of the list, whose signature stands beside it as `<list>.sig`, and the admin's public key as PEM. */
export type KnownBadSettings = { readonly list: string; readonly key: string };

export type KnownBadHooks = {
  /** A list came into force. */
  loaded(list: KnownBadList): void;
  /** A change was refused and the last good list stays in force. */
  rejected(fault: WeighbridgeError): void;
};

export type KnownBadWatcher = {
  readonly lookup: KnownBadLookup;
  /** The list in force; undefined when none is configured. */
  current(): KnownBadList | undefined;
  /** What is wrong with the files as they are now. */
  fault(): WeighbridgeError | undefined;
  close(): Promise<void>;
};

/** Reads and checks the list once. Throws POLICY_INVALID when it cannot be read, is not signed by the key, or is wrong. */
export const readKnownBad = async ({ list, key }: KnownBadSettings): Promise<KnownBadList> => {
  const publicKey = readListKey(key);
  const [bytes, signature] = await Promise.all([
    readBounded(list, MAX_LIST_BYTES),
    readBounded(`${list}.sig`, MAX_SIGNATURE_BYTES),
  ]);
  return openKnownBad(bytes, signature, publicKey);
};

const readBounded = async (path: string, limit: number): Promise<Uint8Array> => {
  try {
    if ((await stat(path)).size > limit) throw new Error(`more than ${limit} bytes`);
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WeighbridgeError(
      'POLICY_INVALID',
      `the known-bad list cannot be read: ${path}: ${why}`,
      {},
      {
        cause: error,
      },
    );
  }
};

/** The lookup of a list that is read once, for commands; without settings nothing is known to be bad. */
export const lookupOnce = async (settings: KnownBadSettings | undefined): Promise<KnownBadLookup> => {
  const list = settings && (await readKnownBad(settings));
  return (sha256) => list?.entries.get(sha256);
};

/**
 * Loads the list and follows changes. One that cannot be read, is not signed by the key, or was issued before the list in
 * force changes nothing and is told to `hooks.rejected`. Throws POLICY_INVALID when the list is wrong at the start.
 */
export const watchKnownBad = async (
  settings: KnownBadSettings | undefined,
  hooks: KnownBadHooks,
  options: { readonly pollMs?: number } = {},
): Promise<KnownBadWatcher> => {
  if (settings === undefined) return NONE;
  let seen = await stamp(settings.list);
  let list = await readKnownBad(settings);
  let fault: WeighbridgeError | undefined;
  hooks.loaded(list);

  const take = async (): Promise<void> => {
    try {
      const next = await readKnownBad(settings);
      if (next.issued < list.issued) {
        throw new WeighbridgeError('POLICY_INVALID', 'the known-bad list was issued before the one in force');
      }
      fault = undefined;
      if (next.digest === list.digest) return;
      list = next;
      hooks.loaded(list);
    } catch (error) {
      // Whatever a change sets off, the last good list stays in force.
      fault = isFault(error) ? error : new WeighbridgeError('POLICY_INVALID', String(error), {}, { cause: error });
      hooks.rejected(fault);
    }
  };

  const closing = new AbortController();
  const poll = async (): Promise<void> => {
    let before = seen;
    while (!closing.signal.aborted) {
      await sleep(options.pollMs ?? POLL_MS, undefined, { signal: closing.signal, ref: false });
      const now = await stamp(settings.list);
      if (now !== seen && now === before) {
        seen = now;
        await take();
      }
      before = now;
    }
  };
  const polling = poll().catch((error: unknown) => {
    if (!closing.signal.aborted) throw error;
  });
  return {
    lookup: (sha256) => list.entries.get(sha256),
    current: () => list,
    fault: () => fault,
    async close() {
      closing.abort();
      await polling;
    },
  };
};

const NONE: KnownBadWatcher = {
  lookup: () => undefined,
  current: () => undefined,
  fault: () => undefined,
  close: async () => undefined,
};

/** Changes when the list or its signature does; both are looked at, since either may come first. */
const stamp = async (list: string): Promise<string> => {
  const of = async (path: string): Promise<string> => {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
  };
  return (await Promise.all([of(list), of(`${list}.sig`)])).join(', ');
};
