import type { Dtype, Inspection, PlanStorage, PlanTensor } from '../format.ts';
import type { NpyHeader } from '../npy.ts';

/** Element types of numpy, kind and bytes, that safetensors has too. */
const DTYPES: Readonly<Record<string, Dtype>> = {
  b1: 'BOOL',
  u1: 'U8',
  i1: 'I8',
  u2: 'U16',
  i2: 'I16',
  f2: 'F16',
  u4: 'U32',
  i4: 'I32',
  f4: 'F32',
  u8: 'U64',
  i8: 'I64',
  f8: 'F64',
  c8: 'C64',
};

/** How one array is written as a tensor: the tensor's fields and the byte order of its storage; or why it cannot be. */
export type ArrayPlan =
  | { readonly tensor: Omit<PlanTensor, 'name' | 'storage'>; readonly byteOrder: PlanStorage['byteOrder'] }
  | { readonly refused: string };

/** Plans the array that `header` describes; its elements begin `dataOffset` bytes into the storage. */
export const planArray = ({ type, shape, fortran, dataOffset }: NpyHeader): ArrayPlan => {
  const dtype = Object.hasOwn(DTYPES, type.code) ? DTYPES[type.code] : undefined;
  if (dtype === undefined || type.objects || type.fields.length > 0) {
    return { refused: 'an array whose elements safetensors does not have' };
  }
  // Offsets count elements; numpy pads headers so that data are aligned, but a file need not be.
  if (dataOffset % type.size !== 0) return { refused: 'an array that does not begin at a whole element' };
  const strides = stridesOf(shape, fortran);
  return { tensor: { dtype, shape, strides, offset: dataOffset / type.size }, byteOrder: type.byteOrder };
};

/** The plan of a file that is one array; it has no name, so the tensor is called `tensor`. */
export const planFile = (header: NpyHeader): Pick<Inspection, 'plan' | 'notConvertible'> => {
  const array = planArray(header);
  if ('refused' in array) return { notConvertible: array.refused };
  const length = header.dataOffset + (header.dataLength ?? 0);
  const storage = {
    name: 'npy',
    offset: 0,
    length,
    size: length,
    method: 'stored' as const,
    byteOrder: array.byteOrder,
  };
  return { plan: { storages: [storage], tensors: [{ name: 'tensor', storage: 0, ...array.tensor }], dropped: [] } };
};

/** Strides in elements: the last axis varies fastest in C order, the first in Fortran order. */
const stridesOf = (shape: readonly number[], fortran: boolean): readonly number[] => {
  const strides = shape.map(() => 1);
  const order = shape.map((_, axis) => (fortran ? axis : shape.length - 1 - axis));
  let step = 1;
  for (const axis of order) {
    strides[axis] = step;
    step *= Math.max(1, shape[axis] ?? 1);
  }
  return strides;
};
