import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Context, printable } from '../format.ts';
import type { PickleRun } from '../pickle/options.ts';
import { tryPickle } from '../pickle/trial.ts';
import type { Persistent, Value } from '../pickle/values.ts';
import { type StorageId, storageIdOf } from './tensor.ts';

/** Storages that one checkpoint may refer to. */
const STORAGE_LIMIT = 1_000_000;

/** The storages that a pickle refers to, by key, and the callback that collects them. */
export type Collected = {
  readonly ids: ReadonlyMap<string, StorageId>;
  readonly persistent: (id: Value, offset: number) => Persistent | undefined;
};

/** A callback for the machine: accepts ids of storages only, and notes where two ids contradict each other. */
export const collectStorages = (context: Context): Collected => {
  const ids = new Map<string, StorageId>();
  return {
    ids,
    persistent(id, offset) {
      const storage = storageIdOf(id);
      if (storage === undefined || ids.size >= STORAGE_LIMIT) return undefined;
      const before = ids.get(storage.key);
      if (before === undefined) ids.set(storage.key, storage);
      else if (bytesOf(before) !== bytesOf(storage)) {
        context.report({
          rule: 'torch.storage-twice',
          severity: 'high',
          message: 'a storage is given two sizes: loaders keep the first and trust the second',
          offset,
          evidence: printable(storage.key),
          refs: ['CVE-2026-24747'],
        });
      }
      return { kind: 'persistent', id, offset };
    },
  };
};

/** Bytes that a storage says it has. */
export const bytesOf = ({ type, elements }: StorageId): number => type.size * elements;

const EXECUTABLES: readonly (readonly [string, readonly number[]])[] = [
  ['a zip archive', [0x50, 0x4b, 0x03, 0x04]],
  ['an ELF executable', [0x7f, 0x45, 0x4c, 0x46]],
  ['a script', [0x23, 0x21, 0x2f]],
];

/**
 * Reports a storage whose bytes would be something else to another reader. They are only numbers where they are, but no
 * training makes them; a pickle that would run something is a payload that waits for whoever unpickles it.
 */
export const judgeStorageBytes = (bytes: RandomAccess, name: string, offset: number, context: Context): void => {
  const head = bytes.read(0, Math.min(bytes.size, 8));
  const kind = EXECUTABLES.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
  const run = kind === undefined ? pickleIn(bytes, head) : undefined;
  if (kind === undefined && run === undefined) return;
  context.report({
    rule: 'torch.storage-content',
    severity: run !== undefined && wouldRun(run) ? 'high' : 'low',
    message: `the bytes of a storage are ${kind ?? 'a pickle'}`,
    offset,
    evidence: printable(name),
    refs: ['CWE-506'],
  });
};

/** Whether loading it does more than make values: numbers do not end up as a whole stream that calls. */
const wouldRun = ({ content, calls, stopped }: PickleRun): boolean =>
  content === 'active' || (content === 'unknown' && calls > 0 && stopped);

/** The pickle that the bytes are, if they are one. */
const pickleIn = (bytes: RandomAccess, head: Uint8Array): PickleRun | undefined => {
  const [first = 0, second = 255] = head;
  const proto = first === 0x80 && second >= 2 && second <= 5;
  // Opcodes that text pickles begin with; anything else cannot import before it breaks.
  if (!proto && first !== 0x63 && first !== 0x28 && first !== 0x69) return undefined;
  const run = tryPickle(bytes, 0, bytes.size);
  return run.calls > 0 || (proto && run.stopped && run.opcodes > 2) ? run : undefined;
};
