import type { Dtype } from '../format.ts';

/** What a storage class holds: bytes of one element, and the type in safetensors, when it has one. */
export type StorageType = { readonly size: number; readonly dtype: Dtype | undefined };

/** Classes that a persistent id may name, in `torch`, `torch.cuda` and `torch.storage` (torch/storage.py, `_dtype_to_storage_type_map`). */
const STORAGES: Readonly<Record<string, StorageType>> = {
  DoubleStorage: { size: 8, dtype: 'F64' },
  FloatStorage: { size: 4, dtype: 'F32' },
  HalfStorage: { size: 2, dtype: 'F16' },
  BFloat16Storage: { size: 2, dtype: 'BF16' },
  LongStorage: { size: 8, dtype: 'I64' },
  IntStorage: { size: 4, dtype: 'I32' },
  ShortStorage: { size: 2, dtype: 'I16' },
  CharStorage: { size: 1, dtype: 'I8' },
  ByteStorage: { size: 1, dtype: 'U8' },
  BoolStorage: { size: 1, dtype: 'BOOL' },
  ComplexFloatStorage: { size: 8, dtype: 'C64' },
  ComplexDoubleStorage: { size: 16, dtype: undefined },
  QInt8Storage: { size: 1, dtype: undefined },
  QUInt8Storage: { size: 1, dtype: undefined },
  QInt32Storage: { size: 4, dtype: undefined },
  QUInt4x2Storage: { size: 1, dtype: undefined },
  QUInt2x4Storage: { size: 1, dtype: undefined },
  UntypedStorage: { size: 1, dtype: 'U8' },
  _UntypedStorage: { size: 1, dtype: 'U8' },
};

const MODULES = new Set(['torch', 'torch.cuda', 'torch.storage']);

/** The storage class `module.name`, or undefined when torch has none of that name. */
export const storageType = (module: string, name: string): StorageType | undefined =>
  MODULES.has(module) && Object.hasOwn(STORAGES, name) ? STORAGES[name] : undefined;

/** Element types that `_rebuild_tensor_v3` names (torch/csrc/utils/tensor_dtypes.cpp), with their bytes. */
const DTYPES: Readonly<Record<string, StorageType>> = {
  float64: { size: 8, dtype: 'F64' },
  float32: { size: 4, dtype: 'F32' },
  float16: { size: 2, dtype: 'F16' },
  bfloat16: { size: 2, dtype: 'BF16' },
  float8_e4m3fn: { size: 1, dtype: 'F8_E4M3' },
  float8_e5m2: { size: 1, dtype: 'F8_E5M2' },
  float8_e4m3fnuz: { size: 1, dtype: 'F8_E4M3FNUZ' },
  float8_e5m2fnuz: { size: 1, dtype: 'F8_E5M2FNUZ' },
  float8_e8m0fnu: { size: 1, dtype: 'F8_E8M0' },
  float4_e2m1fn_x2: { size: 1, dtype: undefined },
  int64: { size: 8, dtype: 'I64' },
  int32: { size: 4, dtype: 'I32' },
  int16: { size: 2, dtype: 'I16' },
  int8: { size: 1, dtype: 'I8' },
  uint64: { size: 8, dtype: 'U64' },
  uint32: { size: 4, dtype: 'U32' },
  uint16: { size: 2, dtype: 'U16' },
  uint8: { size: 1, dtype: 'U8' },
  bool: { size: 1, dtype: 'BOOL' },
  complex32: { size: 4, dtype: undefined },
  complex64: { size: 8, dtype: 'C64' },
  complex128: { size: 16, dtype: undefined },
};

/** The element type `torch.name`; undefined when it is not known. */
export const elementType = (name: string): StorageType | undefined =>
  Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined;
