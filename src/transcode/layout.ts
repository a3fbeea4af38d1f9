import { createHash } from 'node:crypto';
import { within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { DTYPES, type Plan, type PlanTensor } from '../formats/format.ts';
import type { Layout } from './types.ts';

/** Part of a conversion's identity: raised whenever the same plan would give other bytes. */
export const CONVERTER_VERSION = 'weighbridge-safetensors-1';

/** The reference implementation of safetensors refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of a tensor's elements. Throws LIMIT_EXCEEDED above 2^53-1. */
export const tensorBytes = (tensor: PlanTensor): number =>
  tensor.shape.reduce(
    (bytes, extent) => within('tensorBytes', bytes * extent, Number.MAX_SAFE_INTEGER),
    DTYPES[tensor.dtype],
  );

/**
 * Lays a plan out as a safetensors file (https://github.com/huggingface/safetensors, "Format"): 8 bytes of header
 * length, a JSON header padded with spaces to a multiple of 8, then the tensors without gaps. A pure function of the
 * plan, so two gateways give the same bytes. Throws NOT_CONVERTIBLE for names that a header cannot hold.
 */
export const layOut = (plan: Plan): Layout => {
  const placed = placeInOrder(plan);
  const json = headerJson(placed);
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  within('safetensors header bytes', padded, MAX_HEADER_BYTES);
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(text, 8);
  const dataBytes = placed.reduce((total, { bytes }) => total + bytes, 0);
  return {
    header,
    size: header.length + dataBytes,
    placed: placed.map((entry) => ({ ...entry, start: header.length + entry.start })),
  };
};

/**
 * The name by which clients cache a converted file: 40 hex digits, stable for a source and a converter version. Never
 * 64 digits, since clients take those for the sha256 of the bytes, which is not known yet.
 */
export const conversionIdentity = (sourceSha256: string, header: Uint8Array): string =>
  createHash('sha256').update(sourceSha256).update(CONVERTER_VERSION).update(header).digest('hex').slice(0, 40);

type Entry = { readonly tensor: PlanTensor; readonly start: number; readonly bytes: number };

/**
 * Source order, so that one pass over the arriving file writes the output; a tensor that would start at an offset its
 * element size does not divide waits for the next place where it does. Where that leaves some over, the whole output
 * is ordered by element size, which always aligns: loaders map tensors in place and some need aligned addresses.
 */
const placeInOrder = (plan: Plan): readonly Entry[] => {
  const bySource = [...plan.tensors].sort((a, b) => sourceStart(plan, a) - sourceStart(plan, b));
  const order = aligned(bySource) ?? [...bySource].sort((a, b) => DTYPES[b.dtype] - DTYPES[a.dtype]);
  let start = 0;
  return order.map((tensor) => {
    const entry = { tensor, start, bytes: tensorBytes(tensor) };
    start = within('tensor bytes', start + entry.bytes, Number.MAX_SAFE_INTEGER);
    return entry;
  });
};

const aligned = (tensors: readonly PlanTensor[]): readonly PlanTensor[] | undefined => {
  const order: PlanTensor[] = [];
  let waiting: PlanTensor[] = [];
  let end = 0;
  const place = (tensor: PlanTensor): void => {
    order.push(tensor);
    end += tensorBytes(tensor);
  };
  const fits = (tensor: PlanTensor): boolean => end % DTYPES[tensor.dtype] === 0;
  const placeOrWait = (tensor: PlanTensor): void => {
    if (fits(tensor)) place(tensor);
    else waiting.push(tensor);
  };
  for (const tensor of tensors) {
    if (waiting.length > 0 && waiting.some(fits)) {
      const late = waiting;
      waiting = [];
      for (const other of late) placeOrWait(other);
    }
    placeOrWait(tensor);
  }
  for (const tensor of waiting) {
    if (!fits(tensor)) return undefined;
    place(tensor);
  }
  return order;
};

const sourceStart = (plan: Plan, tensor: PlanTensor): number => {
  const storage = plan.storages[tensor.storage];
  return storage === undefined ? 0 : storage.offset + tensor.offset * DTYPES[tensor.dtype];
};

const headerJson = (placed: readonly Entry[]): string => {
  const names = new Set<string>(['__metadata__']);
  const fields = ['"__metadata__":{"format":"pt"}'];
  for (const { tensor, start, bytes } of placed) {
    if (names.has(tensor.name) || !tensor.name.isWellFormed()) {
      throw new WeighbridgeError('NOT_CONVERTIBLE', 'a tensor name is not unique or not valid Unicode');
    }
    names.add(tensor.name);
    const value = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [start, start + bytes] };
    fields.push(`${JSON.stringify(tensor.name)}:${JSON.stringify(value)}`);
  }
  return `{${fields.join(',')}}`;
};
