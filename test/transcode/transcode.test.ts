import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import t from 'tap';
import { isFault } from '../../src/errors.ts';
import { DTYPES, type Dtype, type Plan, type PlanStorage, type PlanTensor } from '../../src/formats/format.ts';
import { execute } from '../../src/transcode/execute.ts';
import { conversionIdentity, layOut } from '../../src/transcode/layout.ts';
import type { PlanSource, TensorDigest } from '../../src/transcode/types.ts';

const bytesOf = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
};

const sourceOf = (bytes: Uint8Array): PlanSource => ({
  size: bytes.length,
  read: async (offset, length) => {
    if (offset + length > bytes.length) throw new Error('read past the end');
    return bytes.subarray(offset, offset + length);
  },
});

const stored = (offset: number, length: number, more: Partial<PlanStorage> = {}): PlanStorage => ({
  name: 'data/0',
  offset,
  length,
  size: length,
  method: 'stored',
  byteOrder: 'little',
  ...more,
});

const tensor = (
  name: string,
  dtype: Dtype,
  shape: number[],
  offset = 0,
  more: Partial<PlanTensor> = {},
): PlanTensor => {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return { name, dtype, shape, storage: 0, offset, strides, ...more };
};

const run = async (plan: Plan, source: Uint8Array, options: Parameters<typeof execute>[3] = {}): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of execute(plan, layOut(plan), sourceOf(source), options)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
};

type Read = {
  header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  data: Buffer;
};
const parse = (file: Buffer): Read => {
  const length = Number(file.readBigUInt64LE(0));
  return { header: JSON.parse(file.subarray(8, 8 + length).toString()), data: file.subarray(8 + length) };
};

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'no fault';
  } catch (error) {
    return isFault(error) ? error.code : String(error);
  }
};

t.test('plain tensors keep the order and the bytes of their source', async (t) => {
  const source = bytesOf(400);
  const plan = {
    storages: [stored(16, 200), stored(300, 64)],
    tensors: [tensor('b', 'F32', [4, 4], 0, { storage: 1 }), tensor('a', 'F32', [5, 10])],
    dropped: [],
  };
  const digests: TensorDigest[] = [];
  const file = await run(plan, source, { onTensor: (digest) => digests.push(digest) });
  const { header, data } = parse(file);
  t.equal(file.length, layOut(plan).size);
  t.same(Object.keys(header), ['__metadata__', 'a', 'b']);
  t.same(header['__metadata__'], { format: 'pt' });
  t.ok(data.subarray(...header['a']!.data_offsets).equals(source.subarray(16, 216)));
  t.ok(data.subarray(...header['b']!.data_offsets).equals(source.subarray(300, 364)));
  t.equal(digests[0]!.sha256, createHash('sha256').update(source.subarray(16, 216)).digest('hex'));
  t.equal(layOut(plan).header.length % 8, 0, 'tensors start at a multiple of 8');
});

t.test('every tensor starts where its element size divides, whatever the mix of types', async (t) => {
  const dtypes: Dtype[] = ['U8', 'F32', 'I64', 'F16', 'I64', 'U8', 'F64', 'BF16', 'F8_E4M3', 'C64'];
  for (let seed = 1; seed <= 40; seed += 1) {
    const pick = bytesOf(20, seed);
    const tensors = [...pick].map((byte, index) => {
      const dtype = dtypes[byte % dtypes.length]!;
      return tensor(`t${index}`, dtype, [1 + ((byte >> 4) % 5)], index * 8);
    });
    const plan = { storages: [stored(0, 4096)], tensors, dropped: [] };
    const source = bytesOf(4096, seed);
    const { header, data } = parse(await run(plan, source));
    for (const { name, dtype, shape, offset } of tensors) {
      const [start, end] = header[name]!.data_offsets;
      const width = DTYPES[dtype];
      if (start % width !== 0) t.fail(`${name} ${dtype} starts at ${start} (seed ${seed})`);
      if (!data.subarray(start, end).equals(source.subarray(offset * width, (offset + shape[0]!) * width)))
        t.fail(name);
    }
    t.equal(Object.keys(header).length, 21);
  }
});

t.test('views are gathered: transposed, stepped, broadcast, reversed bytes', async (t) => {
  const source = bytesOf(4096);
  const cases: PlanTensor[] = [
    tensor('transposed', 'F32', [7, 5], 3, { strides: [1, 7] }),
    tensor('stepped', 'I16', [4, 3], 1, { strides: [20, 2] }),
    tensor('broadcast', 'F64', [3, 2], 4, { strides: [0, 1] }),
    tensor('scalar', 'I64', [], 5),
    tensor('empty', 'F32', [0, 4], 0),
    tensor('cube', 'U8', [3, 4, 5], 2, { strides: [1, 3, 12] }),
  ];
  for (const byteOrder of ['little', 'big'] as const) {
    const plan = { storages: [stored(8, 4000, { byteOrder })], tensors: cases, dropped: [] };
    const { header, data } = parse(await run(plan, source));
    for (const { name, dtype, shape, strides, offset } of cases) {
      const width = DTYPES[dtype];
      const expected: Buffer[] = [];
      const walk = (axis: number, at: number): void => {
        if (axis < shape.length) for (let i = 0; i < shape[axis]!; i += 1) walk(axis + 1, at + i * strides[axis]!);
        else {
          const element = Buffer.from(source.subarray(8 + at * width, 8 + (at + 1) * width));
          expected.push(byteOrder === 'big' ? element.reverse() : element);
        }
      };
      walk(0, offset);
      t.ok(data.subarray(...header[name]!.data_offsets).equals(Buffer.concat(expected)), `${name} ${byteOrder}`);
    }
  }
});

t.test('a download that resumes at any byte gets the same bytes', async (t) => {
  const source = bytesOf(2048);
  const plan = {
    storages: [stored(0, 1024), stored(1024, 1024, { byteOrder: 'big' })],
    tensors: [tensor('a', 'F32', [6, 7]), tensor('b', 'I16', [9, 5], 0, { storage: 1, strides: [1, 9] })],
    dropped: [],
  };
  const whole = await run(plan, source);
  for (let start = 0; start < whole.length; start += 7) {
    if (!(await run(plan, source, { start })).equals(whole.subarray(start))) t.fail(`from ${start}`);
    const end = Math.min(start + 31, whole.length);
    if (!(await run(plan, source, { start, end })).equals(whole.subarray(start, end))) t.fail(`${start} to ${end}`);
  }
  t.equal(whole.length, layOut(plan).size);
});

t.test('a deflated member is inflated, and must have the size that was planned', async (t) => {
  const plain = bytesOf(64);
  const packed = deflateRawSync(plain);
  const make = (size: number): Plan => ({
    storages: [stored(0, packed.length, { method: 'deflated', size })],
    tensors: [tensor('a', 'F32', [16])],
    dropped: [],
  });
  t.ok(parse(await run(make(64), packed)).data.equals(plain));
  t.not(await codeOf(() => run(make(63), packed)), 'no fault');
  t.equal(await codeOf(() => run(make(65), packed)), 'UPSTREAM_MISMATCH');
  t.equal(await codeOf(() => run(make(1 << 30), packed)), 'LIMIT_EXCEEDED');
});

t.test('a large deflated member goes over scratch room, which is given back whatever happens', async (t) => {
  const size = 65 << 20;
  const plain = Buffer.alloc(size, bytesOf(16_384));
  const packed = deflateRawSync(plain, { level: 1 });
  const make = (declared: number): Plan => ({
    storages: [stored(0, packed.length, { method: 'deflated', size: declared }), stored(0, 8)],
    tensors: [
      tensor('back', 'U8', [1000], size - 1000),
      tensor('front', 'U8', [1000]),
      tensor('other', 'U8', [8], 0, { storage: 1 }),
    ],
    dropped: [],
  });
  const rooms: { written: number; open: boolean }[] = [];
  const scratch = async (asked: number) => {
    const room = { written: 0, open: true };
    const bytes = Buffer.alloc(asked);
    rooms.push(room);
    return {
      size: asked,
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
      write: async (chunk: Uint8Array) => {
        bytes.set(chunk, room.written);
        room.written += chunk.length;
      },
      discard: async () => {
        room.open = false;
      },
    };
  };
  const { data } = parse(await run(make(size), packed, { scratch }));
  t.same(
    [...data].toSorted(),
    [...plain.subarray(0, 1000), ...plain.subarray(size - 1000), ...packed.subarray(0, 8)].toSorted(),
  );
  t.match(rooms, [{ written: size, open: false }], 'once, for both tensors');
  t.equal(await codeOf(() => run(make(size), packed)), 'LIMIT_EXCEEDED', 'without scratch room');
  t.equal(await codeOf(() => run(make(size - 1), packed, { scratch })), 'UPSTREAM_MISMATCH');
  t.ok((rooms.at(-1)?.written ?? size) < size, 'nothing beyond what was declared is kept');
  t.equal(await codeOf(() => run(make(size + 1), packed, { scratch })), 'UPSTREAM_MISMATCH');
  const cut = packed.subarray(0, packed.length - 100);
  const short = make(size);
  const storages = [stored(0, cut.length, { method: 'deflated', size }), stored(0, 8)];
  t.equal(await codeOf(() => run({ ...short, storages }, cut, { scratch })), 'UPSTREAM_MISMATCH', 'cut');
  t.equal(
    await codeOf(() => run(make(2 ** 40), packed, { scratch })),
    'LIMIT_EXCEEDED',
    'before any room is asked for',
  );
  const chunks = execute(make(size), layOut(make(size)), sourceOf(packed), { scratch });
  await chunks.next();
  await chunks.next();
  await chunks.return(undefined);
  t.ok(
    rooms.every(({ open }) => !open),
    'also of those that failed, and when the reader left',
  );
});

t.test(
  'the local header says where the data begin; without one, or with data outside, the conversion stops',
  async (t) => {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(6, 26);
    header.writeUInt16LE(28, 28);
    const source = Buffer.concat([header, Buffer.from('data/0'), Buffer.alloc(28), bytesOf(32)]);
    const make = (offset: number): Plan => ({
      storages: [stored(offset, 32, { localHeader: 0 })],
      tensors: [tensor('a', 'U8', [32])],
      dropped: [],
    });
    t.ok(parse(await run(make(64), source)).data.equals(bytesOf(32)));
    t.ok(parse(await run(make(56), source)).data.equals(bytesOf(32)), 'a derived place may be off by a descriptor');
    t.equal(await codeOf(() => run(make(64), source.subarray(0, 90))), 'UPSTREAM_MISMATCH');
    t.equal(await codeOf(() => run(make(64), Buffer.concat([Buffer.alloc(1), source]))), 'UPSTREAM_MISMATCH');
    header.writeUInt16LE(8, 8);
    const deflated = Buffer.concat([header, source.subarray(30)]);
    t.equal(await codeOf(() => run(make(64), deflated)), 'UPSTREAM_MISMATCH');
  },
);

t.test('a view that reaches past its storage never reads its neighbour', async (t) => {
  const plan = (offset: number, strides: number[]): Plan => ({
    storages: [stored(0, 32)],
    tensors: [tensor('a', 'U8', [8], offset, { strides })],
    dropped: [],
  });
  t.equal(await codeOf(() => run(plan(25, [1]), bytesOf(64))), 'UPSTREAM_MISMATCH');
  t.not(await codeOf(() => run(plan(0, [5]), bytesOf(64))), 'no fault');
});

t.test('names that a header cannot hold are refused', async (t) => {
  const named = (...names: string[]): Plan => ({
    storages: [stored(0, 32)],
    tensors: names.map((name) => tensor(name, 'U8', [4])),
    dropped: [],
  });
  t.equal(await codeOf(() => layOut(named('a', 'a'))), 'NOT_CONVERTIBLE');
  t.equal(await codeOf(() => layOut(named('__metadata__'))), 'NOT_CONVERTIBLE');
  t.equal(await codeOf(() => layOut(named('\ud800'))), 'NOT_CONVERTIBLE');
  const odd = named('1', '0', '"\\\n', '__proto__');
  t.same(
    Object.keys(parse(await run(odd, bytesOf(32))).header).sort(),
    ['"\\\n', '0', '1', '__metadata__', '__proto__'].sort(),
  );
  const huge: Plan = { ...named(), tensors: [tensor('a', 'F64', [2 ** 40, 2 ** 40])] };
  t.equal(await codeOf(() => layOut(huge)), 'LIMIT_EXCEEDED');
});

t.test('the identity of a conversion has 40 digits and depends on source, converter and header', async (t) => {
  const header = layOut({ storages: [stored(0, 4)], tensors: [tensor('a', 'U8', [4])], dropped: [] }).header;
  const identity = conversionIdentity('00'.repeat(32), header);
  t.match(identity, /^[0-9a-f]{40}$/);
  t.equal(conversionIdentity('00'.repeat(32), header), identity);
  t.not(conversionIdentity('01'.repeat(32), header), identity);
  t.not(conversionIdentity('00'.repeat(32), header.subarray(1)), identity);
});
