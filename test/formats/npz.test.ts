import t from 'tap';
import { DTYPES } from '../../src/formats/format.ts';
import { materialise } from '../support/materialise.ts';
import { callForms, pickled, text } from '../support/pickle-assembler.ts';
import { passes, reportOf, rules } from '../support/reports.ts';
import { writeZip } from '../support/zip-writer.ts';

/** A pickle that would make an empty marker file; built from opcodes, never loaded. */
const HOSTILE = pickled(4, callForms['reduce']?.('os', 'system', [text('true')]) ?? '');

/** An array file of version 1, as numpy.save writes it. */
const npy = (descr: string, shape: readonly number[], data: Uint8Array, fortran = false): Buffer => {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const header = `${dict}${' '.repeat(63 - ((10 + dict.length) % 64))}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), data]);
};
const bytesOf = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => (i * 29 + 3) & 255));

t.test('archives of arrays are inert and can be converted', async (t) => {
  const types = {
    '<f8': 'F64',
    '<f4': 'F32',
    '<f2': 'F16',
    '<i8': 'I64',
    '<i4': 'I32',
    '<i2': 'I16',
    '|i1': 'I8',
    '<u8': 'U64',
    '<u4': 'U32',
    '<u2': 'U16',
    '|u1': 'U8',
    '|b1': 'BOOL',
    '<c8': 'C64',
    '>f4': 'F32',
    '>i2': 'I16',
  } as const;
  for (const method of ['stored', 'deflated'] as const) {
    const members = Object.entries(types).map(([descr, dtype]) => ({
      name: `${descr.slice(1)}${descr[0] === '>' ? 'big' : ''}.npy`,
      data: npy(descr, [2, 3], bytesOf(6 * DTYPES[dtype])),
      method,
    }));
    const file = writeZip(members);
    const report = reportOf(file);
    t.match(report, { format: 'npz', content: 'inert', coverage: { state: 'complete' } });
    t.ok(passes(report), `${rules(report)}`);
    t.ok(report.plan, `${report.notConvertible}`);
    const got = report.plan === undefined ? {} : materialise(file, report.plan);
    for (const [descr, dtype] of Object.entries(types)) {
      const name = `${descr.slice(1)}${descr[0] === '>' ? 'big' : ''}`;
      const expected = bytesOf(6 * DTYPES[dtype]);
      if (descr === '>f4') expected.swap32();
      if (descr === '>i2') expected.swap16();
      t.same(got[name], { dtype, shape: [2, 3], bytes: expected }, `${descr} ${method}`);
    }
  }
});

t.test('Fortran order, scalars and empty arrays', async (t) => {
  const data = bytesOf(24);
  const file = writeZip([
    { name: 'f.npy', data: npy('<f4', [2, 3], data, true) },
    { name: 's.npy', data: npy('<f4', [], data.subarray(0, 4)) },
    { name: 'e.npy', data: npy('<f4', [0, 5], new Uint8Array(0)) },
  ]);
  const { plan } = reportOf(file);
  const got = plan === undefined ? {} : materialise(file, plan);
  const columns = [0, 2, 4, 1, 3, 5].map((i) => data.subarray(i * 4, i * 4 + 4));
  t.ok(got['f']?.bytes.equals(Buffer.concat(columns)));
  t.ok(got['s']?.bytes.equals(data.subarray(0, 4)));
  t.same(got['e'], { dtype: 'F32', shape: [0, 5], bytes: Buffer.alloc(0) });
});

t.test('a single array is a tensor without a name of its own', async (t) => {
  const file = npy('<f4', [6], bytesOf(24));
  const { plan } = reportOf(file);
  t.ok(plan);
  t.ok(plan !== undefined && materialise(file, plan)['tensor']?.bytes.equals(bytesOf(24)));
});

t.test('objects and strings are not converted, and objects are run as the pickles that they are', async (t) => {
  const strings = reportOf(writeZip([{ name: 's.npy', data: npy('<U3', [2], bytesOf(24)) }]));
  t.equal(strings.plan, undefined);
  t.match(strings.notConvertible, /safetensors does not have/);
  t.ok(passes(strings));
  for (const method of ['stored', 'deflated'] as const) {
    const report = reportOf(
      writeZip([
        { name: 'a.npy', data: npy('<f4', [2], bytesOf(8)) },
        { name: 'b.npy', data: npy('|O', [1], HOSTILE), method },
      ]),
    );
    t.match(report, { format: 'npz', content: 'active' });
    t.equal(report.plan, undefined);
  }
  const lying = reportOf(writeZip([{ name: 'a.npy', data: HOSTILE }]));
  t.equal(lying.content, 'active', 'a member that only has the name');
  t.notOk(
    passes(reportOf(writeZip([{ name: 'a.npy', data: npy('<f4', [9], bytesOf(8)) }]))),
    'a shape larger than the data',
  );
});
