import { inflateRawSync } from 'node:zlib';
import { DTYPES, type Plan } from '../../src/formats/format.ts';

/** The tensors that a plan describes, element by element, as row-major little-endian bytes; slow and obvious on purpose. */
export const materialise = (
  file: Buffer,
  plan: Plan,
): Readonly<Record<string, { dtype: string; shape: readonly number[]; bytes: Buffer }>> =>
  Object.fromEntries(
    plan.tensors.map(({ name, dtype, shape, strides, offset, storage }) => {
      const place = plan.storages[storage];
      if (place === undefined) throw new Error(`no storage ${storage}`);
      const raw = file.subarray(place.offset, place.offset + place.length);
      const data = place.method === 'deflated' ? inflateRawSync(raw) : raw;
      const width = DTYPES[dtype];
      const count = shape.reduce((product, size) => product * size, 1);
      const bytes = Buffer.alloc(count * width);
      for (let i = 0; i < count; i += 1) {
        let rest = i;
        let element = offset;
        for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
          const size = shape[axis] ?? 1;
          element += (rest % size) * (strides[axis] ?? 0);
          rest = Math.floor(rest / size);
        }
        const item = Buffer.from(data.subarray(element * width, (element + 1) * width));
        if (item.length !== width) throw new Error(`${name} reaches beyond its storage`);
        // A complex number is two floats, each with its own byte order.
        const unit = dtype === 'C64' ? 4 : width;
        for (let at = 0; at < width; at += unit) {
          const part = item.subarray(at, at + unit);
          (place.byteOrder === 'big' ? part.reverse() : part).copy(bytes, i * width + at);
        }
      }
      return [name, { dtype, shape, bytes }];
    }),
  );
