/** A value of a FlatBuffer: a number in a field of its own, or something that the field refers to. */
export type Flat =
  | number
  | string
  | Uint8Array
  | { readonly table: Readonly<Record<number, Flat>> }
  | { readonly tables: readonly { readonly table: Readonly<Record<number, Flat>> }[] }
  | { readonly integers: readonly number[] }
  | { readonly doubles: readonly number[] }
  | { readonly texts: readonly string[] };

/** A table by the numbers of its fields. */
export const table = (fields: Readonly<Record<number, Flat>>): { readonly table: Readonly<Record<number, Flat>> } => ({
  table: fields,
});
export const tables = (...list: readonly ReturnType<typeof table>[]): Flat => ({ tables: list });

/** A FlatBuffer of the given root; every field takes four bytes, and what it refers to follows it. */
export const flatBuffer = (identifier: string, root: ReturnType<typeof table>): Uint8Array => {
  const out: number[] = [];
  const u32 = (value: number): number => {
    out.push(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255);
    return out.length - 4;
  };
  const patch = (at: number, value: number): void => {
    for (let byte = 0; byte < 4; byte++) out[at + byte] = (value >> (8 * byte)) & 255;
  };
  const align = (): void => {
    while (out.length % 4 !== 0) out.push(0);
  };
  const writeTable = (fields: Readonly<Record<number, Flat>>): number => {
    const numbers = Object.keys(fields).map(Number);
    const slots = Math.max(-1, ...numbers) + 1;
    align();
    const vtable = out.length;
    for (const half of [4 + 2 * slots, 4 + 4 * numbers.length]) out.push(half & 255, half >> 8);
    for (let slot = 0; slot < slots; slot++) out.push(numbers.includes(slot) ? 4 + 4 * numbers.indexOf(slot) : 0, 0);
    align();
    const at = out.length;
    u32(at - vtable);
    const places = numbers.map((number) => [fields[number] ?? 0, u32(0)] as const);
    for (const [value, place] of places) patch(place, typeof value === 'number' ? value : write(value) - place);
    return at;
  };
  const write = (value: Exclude<Flat, number>): number => {
    if (typeof value === 'string') return write(new Uint8Array(Buffer.from(value)));
    if (value instanceof Uint8Array) {
      align();
      const at = u32(value.length);
      out.push(...value);
      return at;
    }
    if ('table' in value) return writeTable(value.table);
    align();
    if ('texts' in value) {
      const at = u32(value.texts.length);
      const places = value.texts.map((one) => [one, u32(0)] as const);
      for (const [one, place] of places) patch(place, write(one) - place);
      return at;
    }
    if ('doubles' in value) {
      const at = u32(value.doubles.length);
      out.push(...new Uint8Array(Float64Array.from(value.doubles).buffer));
      return at;
    }
    if ('integers' in value) {
      const at = u32(value.integers.length);
      for (const number of value.integers) u32(number);
      return at;
    }
    const at = u32(value.tables.length);
    const places = value.tables.map((one) => [one, u32(0)] as const);
    for (const [one, place] of places) patch(place, writeTable(one.table) - place);
    return at;
  };
  u32(0);
  out.push(...Buffer.from(identifier));
  patch(0, writeTable(root.table));
  return Uint8Array.from(out);
};
