/** One member of a tar archive, or a raw block that stands between members. */
export type TarEntry = {
  readonly name: string;
  readonly data?: Uint8Array | string;
  /** Type flag; `0` is a file. */
  readonly type?: string;
  readonly link?: string;
  /** What the header says, when it is not the size of the data. */
  readonly size?: number;
  readonly magic?: 'ustar' | 'gnu' | 'old';
  /** Records of an extended header in front of this member. */
  readonly pax?: Readonly<Record<string, string>>;
  /** Breaks the checksum. */
  readonly badSum?: boolean;
};

const MAGICS = { ustar: 'ustar\x0000', gnu: 'ustar  \0', old: '' };

const header = ({ name, type = '0', link = '', magic = 'ustar', badSum = false }: TarEntry, size: number): Buffer => {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'utf8');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(link, 157, 100, 'utf8');
  block.write(MAGICS[magic], 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0) + (badSum ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
};

const padded = (data: Uint8Array): Buffer => Buffer.concat([data, Buffer.alloc((512 - (data.length % 512)) % 512)]);

/** Records `length key=value\n`, where the length counts itself. */
export const paxRecords = (records: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(records).map(([key, value]) => {
      const rest = Buffer.from(` ${key}=${value}\n`);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length += 1;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );

const member = (entry: TarEntry): Buffer => {
  const data = typeof entry.data === 'string' ? Buffer.from(entry.data) : Buffer.from(entry.data ?? new Uint8Array(0));
  const before = entry.pax === undefined ? [] : [member({ name: 'pax', type: 'x', data: paxRecords(entry.pax) })];
  return Buffer.concat([...before, header(entry, entry.size ?? data.length), padded(data)]);
};

/** A tar archive of the entries, ended by two zero blocks unless told otherwise, and what follows them. */
export const writeTar = (
  entries: readonly TarEntry[],
  { end = 2, after = new Uint8Array(0) as Uint8Array } = {},
): Buffer => Buffer.concat([...entries.map(member), Buffer.alloc(512 * end), after]);
