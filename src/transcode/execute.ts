import { createHash } from 'node:crypto';
import { MIB } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { DTYPES, type Plan, type PlanStorage, type PlanTensor } from '../formats/format.ts';
import { gather, isContiguous } from './gather.ts';
import { checkedStorages } from './storage.ts';
import type { Layout, OpenScratch, PlanSource, TensorDigest } from './types.ts';

/** Bytes that are copied at a time. */
const COPY_BYTES = 1 * MIB;

/** What `execute` is asked to do beside writing bytes. */
type Options = {
  /** First byte of the output wanted; a cut download resumes here. Digests are reported only when it is 0. */
  readonly start?: number;
  /** End (exclusive) of the output wanted. */
  readonly end?: number;
  /** Called once per tensor, in output order. */
  readonly onTensor?: (digest: TensorDigest) => void;
  /** Where large deflated storages are inflated to; without it they are refused with LIMIT_EXCEEDED. */
  readonly scratch?: OpenScratch;
};

/**
 * Writes the safetensors file that `layout` describes from `source`, copying the byte ranges that the plan names.
 * Memory does not grow with the file. Throws UPSTREAM_MISMATCH when the source is not what the plan was made from.
 */
export async function* execute(
  plan: Plan,
  layout: Layout,
  source: PlanSource,
  options: Options = {},
): AsyncGenerator<Uint8Array> {
  const start = options.start ?? 0;
  const end = Math.min(options.end ?? layout.size, layout.size);
  if (start < layout.header.length) yield layout.header.subarray(start, Math.min(end, layout.header.length));
  const storages = checkedStorages(source, options.scratch);
  try {
    for (const placed of layout.placed) {
      const from = Math.max(start - placed.start, 0);
      const to = Math.min(end - placed.start, placed.bytes);
      const whole = from === 0 && to === placed.bytes;
      if (!whole && to <= from) continue;
      const hash = whole && options.onTensor !== undefined ? createHash('sha256') : undefined;
      for await (const chunk of tensorBytesOf(plan, placed.tensor, storages.open, from, to)) {
        hash?.update(chunk);
        yield chunk;
      }
      const { name, dtype, shape } = placed.tensor;
      if (hash !== undefined) options.onTensor?.({ name, dtype, shape, sha256: hash.digest('hex') });
    }
  } finally {
    await storages.close();
  }
}

type Open = (storage: PlanStorage) => Promise<PlanSource>;

async function* tensorBytesOf(
  plan: Plan,
  tensor: PlanTensor,
  open: Open,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array> {
  if (to <= from) return;
  const storage = plan.storages[tensor.storage];
  if (storage === undefined) throw new WeighbridgeError('SANDBOX_LIED', `the plan names storage ${tensor.storage}`);
  const bytes = await open(storage);
  if (!isContiguous(tensor) || (storage.byteOrder === 'big' && DTYPES[tensor.dtype] > 1)) {
    yield* gather(tensor, bytes, storage.byteOrder, from, to);
    return;
  }
  const first = tensor.offset * DTYPES[tensor.dtype];
  for (let at = from; at < to; at += COPY_BYTES) {
    yield await bytes.read(first + at, Math.min(COPY_BYTES, to - at));
  }
}
