/** What a field of a message holds. `int` is any varint, `f32` and `f64` any number of fixed width. */
export type Kind = 'int' | 'f32' | 'f64' | 'text' | 'bytes' | 'message';

export type FieldSpec = {
  readonly name: string;
  readonly kind: Kind;
  /** Name of the message, when the field holds one. */
  readonly message: string;
  readonly repeated: boolean;
};

export type Schema = ReadonlyMap<string, ReadonlyMap<number, FieldSpec>>;

const KINDS: ReadonlySet<string> = new Set(['int', 'f32', 'f64', 'text', 'bytes']);
const isKind = (type: string): type is Kind => KINDS.has(type);

/**
 * A schema from a table: a line of fields for each message, each `number name type` with `*` behind the number of a
 * repeated one, e.g. `1* node NodeProto, 2 name text`.
 */
export const schemaOf = (table: Readonly<Record<string, string>>): Schema =>
  new Map(Object.entries(table).map(([message, fields]) => [message, fieldsOf(fields)]));

const fieldsOf = (fields: string): ReadonlyMap<number, FieldSpec> =>
  new Map(
    fields
      .split(',')
      .filter((field) => field.trim() !== '')
      .map((field) => {
        const [number = '', name = '', type = ''] = field.trim().split(/\s+/);
        const kind = isKind(type) ? type : 'message';
        return [
          Number.parseInt(number, 10),
          { name, kind, message: kind === 'message' ? type : '', repeated: number.endsWith('*') },
        ];
      }),
  );
