import type { PlanTensor } from '../formats/format.ts';

/** Source bytes as the executor wants them; `read` waits while they still arrive. */
export type PlanSource = { readonly size: number; read(offset: number, length: number): Promise<Uint8Array> };

/** Room outside of memory for bytes that are needed in another order than they come; gone after `discard`. */
export type Scratch = PlanSource & { write(chunk: Uint8Array): Promise<void>; discard(): Promise<void> };
/** Opens such room for `size` bytes. */
export type OpenScratch = (size: number) => Promise<Scratch>;

/** A safetensors file that is known to the byte before it is written. */
export type Layout = {
  /** The 8 length bytes and the JSON header. */
  readonly header: Uint8Array;
  /** Bytes of the whole output. */
  readonly size: number;
  /** The tensors in output order, with their first byte in the output. */
  readonly placed: readonly { readonly tensor: PlanTensor; readonly start: number; readonly bytes: number }[];
};

/** Per tensor: what was written. Part of the statement. */
export type TensorDigest = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sha256: string;
};
