import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { type Hdf5, invalid, length } from './file.ts';

/** Dimensions of a dataset (H5S_MAX_RANK). */
const RANK = 32;

/** The shape of a dataset or an attribute: no dimension for a scalar, undefined for none at all. */
export type Dataspace = { readonly shape: readonly number[]; readonly elements: number };

/** Reads a dataspace message (HDF5 file format 3.0, IV.A.2.b). */
export const readDataspace = (file: Hdf5, cursor: Cursor): Dataspace => {
  const at = cursor.position;
  const version = cursor.u8();
  if (version !== 1 && version !== 2) return invalid(`dataspace version ${version} is not known`, at);
  const rank = within('dimensions of a dataset', cursor.u8(), RANK);
  const flags = cursor.u8();
  const kind = cursor.u8();
  if (version === 1) cursor.skip(4);
  const shape = Array.from({ length: rank }, () => length(file, cursor));
  if ((flags & 1) !== 0) for (let index = 0; index < rank; index++) cursor.bytes(file.lengthSize);
  if (version === 2 && kind === 2) return { shape: [], elements: 0 };
  const elements = shape.reduce((product, dim) => product * BigInt(dim), 1n);
  return { shape, elements: within('elements of a dataset', Number(elements), Number.MAX_SAFE_INTEGER) };
};
