import t from 'tap';
import { fromBytes, type RandomAccess } from '../../src/bytes/random-access.ts';
import { DTYPES, type Plan, type Report } from '../../src/formats/format.ts';
import { inspect } from '../../src/formats/index.ts';
import { materialise } from '../support/materialise.ts';
import { assemble, callForms, op, type Piece, pickled } from '../support/pickle-assembler.ts';
import { bitFlips, passes, reportOf, rules, truncations } from '../support/reports.ts';
import {
  checkpoint,
  checkpointMembers,
  dict,
  fromType,
  legacyCheckpoint,
  parameter,
  type Storage,
  tarCheckpoint,
  tarObject,
  tensor,
  value,
} from '../support/torch-writer.ts';
import { writeZip, type ZipEntry } from '../support/zip-writer.ts';

/** A call that would make an empty marker file; built from opcodes, never loaded. */
const hostile = callForms['globalReduce']?.('os', 'system', [op.binunicode('true')]) ?? '';

const numbers = (count: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, i) => (i * 37 + seed * 11) & 255));
const storageOf = (key: string, type: string, elements: number, width: number): Storage => ({
  key,
  type,
  elements,
  bytes: numbers(elements * width, Number(key) + 1),
});
const floats = (key: string, elements: number): Storage => storageOf(key, 'FloatStorage', elements, 4);
const planOf = (report: Report): Plan => {
  if (report.plan === undefined) throw new Error(`no plan: ${report.notConvertible} ${rules(report)}`);
  return report.plan;
};
const convert = (file: Buffer) => materialise(file, planOf(reportOf(file)));

t.test('every element type that safetensors knows is planned', async (t) => {
  const storages = {
    DoubleStorage: 'F64',
    FloatStorage: 'F32',
    HalfStorage: 'F16',
    BFloat16Storage: 'BF16',
    LongStorage: 'I64',
    IntStorage: 'I32',
    ShortStorage: 'I16',
    CharStorage: 'I8',
    ByteStorage: 'U8',
    BoolStorage: 'BOOL',
    ComplexFloatStorage: 'C64',
  } as const;
  for (const [type, dtype] of Object.entries(storages)) {
    const storage = storageOf('0', type, 12, DTYPES[dtype]);
    const file = checkpoint(dict([['w', tensor({ storage, shape: [3, 4] })]]), [storage]);
    t.same(convert(file), { w: { dtype, shape: [3, 4], bytes: storage.bytes } }, type);
    t.ok(passes(reportOf(file)), type);
  }
  const types = {
    float8_e4m3fn: 'F8_E4M3',
    float8_e5m2: 'F8_E5M2',
    float8_e4m3fnuz: 'F8_E4M3FNUZ',
    float8_e5m2fnuz: 'F8_E5M2FNUZ',
    float8_e8m0fnu: 'F8_E8M0',
    uint16: 'U16',
    uint32: 'U32',
    uint64: 'U64',
    bfloat16: 'BF16',
    int64: 'I64',
  } as const;
  for (const [type, dtype] of Object.entries(types)) {
    const storage = storageOf('0', 'UntypedStorage', 6 * DTYPES[dtype], 1);
    const file = checkpoint(dict([['w', tensor({ storage, shape: [2, 3], dtype: type })]]), [storage]);
    t.same(convert(file), { w: { dtype, shape: [2, 3], bytes: storage.bytes } }, type);
  }
});

t.test('views, tied and shared tensors, scalars and empty tensors come out right', async (t) => {
  const a = floats('0', 24);
  const none = floats('1', 0);
  const one = floats('2', 1);
  const file = checkpoint(
    dict([
      ['plain', tensor({ storage: a, shape: [4, 6] })],
      ['transposed', tensor({ storage: a, shape: [6, 4], strides: [1, 6] })],
      ['part', tensor({ storage: a, shape: [2, 3], strides: [6, 1], offset: 8 })],
      ['spread', tensor({ storage: one, shape: [3, 2], strides: [0, 0] })],
      ['scalar', tensor({ storage: one, shape: [] })],
      ['empty', tensor({ storage: none, shape: [0, 4] })],
    ]),
    [a, none, one],
  );
  const got = convert(file);
  t.ok(got['plain']?.bytes.equals(a.bytes));
  t.equal(got['transposed']?.bytes.readUInt32LE(4), Buffer.from(a.bytes).readUInt32LE(24));
  t.ok(got['part']?.bytes.subarray(0, 12).equals(Buffer.from(a.bytes).subarray(32, 44)));
  t.equal(got['spread']?.bytes.length, 24);
  t.ok(got['scalar']?.bytes.equals(one.bytes));
  t.equal(got['empty']?.bytes.length, 0);
  t.equal(planOf(reportOf(file)).storages.length, 3, 'a shared storage is there once');
  t.ok(passes(reportOf(file)));
});

t.test('names are the keys on the way, joined by dots; the rest is listed', async (t) => {
  const [a, b, c] = [floats('0', 2), floats('1', 2), floats('2', 2)];
  const file = checkpoint(
    dict([
      ['state_dict', dict([['fc.weight', tensor({ storage: a, shape: [2] })]])],
      [
        'optimizer',
        dict([
          [
            'state',
            dict([
              [
                0,
                dict([
                  ['exp_avg', tensor({ storage: b, shape: [2] })],
                  ['step', value.int(5)],
                ]),
              ],
            ]),
          ],
          ['lr', value.float(0.1)],
        ]),
      ],
      [
        'list',
        assemble(op.emptyList(), op.mark(), value.int(1), parameter(tensor({ storage: c, shape: [2] })), op.appends()),
      ],
      ['epoch', value.int(3)],
      [
        'nested',
        dict([
          ['a', value.none()],
          ['b', value.str('x')],
        ]),
      ],
    ]),
    [a, b, c],
  );
  const plan = planOf(reportOf(file));
  t.same(
    plan.tensors.map(({ name }) => name),
    ['state_dict.fc.weight', 'optimizer.state.0.exp_avg', 'list.1'],
  );
  t.same(plan.dropped, [
    { path: 'optimizer.state.0.step', type: 'int' },
    { path: 'optimizer.lr', type: 'float' },
    { path: 'list.0', type: 'int' },
    { path: 'epoch', type: 'int' },
    { path: 'nested', type: 'dict' },
  ]);
  const typed = checkpoint(
    dict([
      ['w', fromType({ storage: a, shape: [2] })],
      ['v', fromType({ storage: b, shape: [2] }, 'Tensor')],
    ]),
    [a, b],
  );
  t.same(Object.keys(convert(typed)), ['w', 'v']);
  const alone = checkpoint(tensor({ storage: a, shape: [2] }), [a]);
  t.same(Object.keys(convert(alone)), ['tensor']);
});

t.test('what cannot be written exactly is not converted, with the reason', async (t) => {
  const a = floats('0', 4);
  const w = tensor({ storage: a, shape: [4] });
  const conjugated = (metadata: Piece) =>
    value.call(
      '_rebuild_tensor_v2',
      assemble(
        value.tuple(
          value.str('storage'),
          op.global('torch', 'FloatStorage'),
          value.str('0'),
          value.str('cpu'),
          value.int(4),
        ),
        op.binpersid(),
      ),
      value.int(0),
      value.tuple(value.int(4)),
      value.tuple(value.int(1)),
      op.false(),
      value.ordered(),
      metadata,
    );
  const quantised = storageOf('0', 'QInt8Storage', 4, 1);
  const wide = storageOf('0', 'ComplexDoubleStorage', 4, 16);
  const refused: readonly (readonly [string, Piece, readonly Storage[], RegExp])[] = [
    [
      'two of one name',
      dict([
        ['a.b', w],
        ['a', dict([['b', w]])],
      ]),
      [a],
      /this name/,
    ],
    ['a reserved name', dict([['__metadata__', w]]), [a], /name/],
    [
      'a tuple as key',
      assemble(op.emptyDict(), op.mark(), value.tuple(value.int(1), value.int(2)), w, op.setitems()),
      [a],
      /neither text nor a number/,
    ],
    [
      'an empty key beside another',
      dict([
        ['', w],
        ['x', w],
      ]),
      [a],
      /key that is empty/,
    ],
    ['conjugated', dict([['w', conjugated(dict([['conj', op.true()]]))]]), [a], /conjugated/],
    [
      'quantised storage',
      dict([['w', tensor({ storage: quantised, shape: [4] })]]),
      [quantised],
      /safetensors does not have/,
    ],
    ['complex128', dict([['w', tensor({ storage: wide, shape: [4] })]]), [wide], /safetensors does not have/],
    [
      'meta',
      dict([
        [
          'w',
          value.call(
            '_rebuild_meta_tensor_no_storage',
            op.global('torch', 'float32'),
            value.tuple(value.int(2)),
            value.tuple(value.int(1)),
            op.false(),
          ),
        ],
      ]),
      [],
      /meta/,
    ],
    ['no tensors', dict([['epoch', value.int(1)]]), [], /no tensors/],
    [
      'in an object',
      dict([
        ['w', assemble(op.global('argparse', 'Namespace'), op.emptyTuple(), op.reduce(), dict([['w', w]]), op.build())],
      ]),
      [a],
      /inside an object/,
    ],
  ];
  for (const [what, root, storages, reason] of refused) {
    const report = reportOf(checkpoint(root, storages));
    t.equal(report.plan, undefined, what);
    t.match(report.notConvertible, reason, what);
  }
  const expanded = tensor({ storage: a, shape: [3000, 3000], strides: [0, 0] });
  t.match(reportOf(checkpoint(dict([['w', expanded]]), [a])).notConvertible, /expand/);
});

t.test('storages and views that lie are dangerous', async (t) => {
  const a = floats('0', 4);
  const short = { ...a, bytes: a.bytes.subarray(0, 8) };
  const wrong: readonly (readonly [string, Buffer])[] = [
    ['a view beyond its storage', checkpoint(dict([['w', tensor({ storage: a, shape: [5] })]]), [a])],
    ['an offset beyond', checkpoint(dict([['w', tensor({ storage: a, shape: [2], offset: 3 })]]), [a])],
    ['strides beyond', checkpoint(dict([['w', tensor({ storage: a, shape: [2, 2], strides: [3, 1] })]]), [a])],
    ['a negative stride', checkpoint(dict([['w', tensor({ storage: a, shape: [2], strides: [-1] })]]), [a])],
    [
      'a type wider than its storage',
      checkpoint(dict([['w', tensor({ storage: { ...a, type: 'UntypedStorage' }, shape: [4], dtype: 'float64' })]]), [
        a,
      ]),
    ],
    ['a member smaller than the pickle says', checkpoint(dict([['w', tensor({ storage: a, shape: [4] })]]), [short])],
    ['no member', checkpoint(dict([['w', tensor({ storage: a, shape: [4] })]]), [])],
    [
      'two sizes',
      checkpoint(
        dict([
          ['w', tensor({ storage: a, shape: [4] })],
          ['v', tensor({ storage: { ...a, elements: 400 }, shape: [400] })],
        ]),
        [a],
      ),
    ],
    [
      'a storage class that is none',
      checkpoint(dict([['w', tensor({ storage: { ...a, type: 'load' }, shape: [4] })]]), [a]),
    ],
  ];
  for (const [what, file] of wrong) {
    const report = reportOf(file);
    t.equal(report.plan, undefined, what);
    t.notOk(passes(report), `${what}: ${rules(report)}`);
  }
});

t.test('nothing else belongs into the archive', async (t) => {
  const a = floats('0', 4);
  const root = dict([['w', tensor({ storage: a, shape: [4] })]]);
  const withMembers = (...more: ZipEntry[]) => reportOf(writeZip([...checkpointMembers(root, [a]), ...more]));
  const hidden = withMembers({ name: 'archive/data/7', data: pickled(2, hostile) });
  t.equal(hidden.content, 'active', 'a hidden pickle');
  t.ok(rules(hidden).includes('torch-zip.extra-member'));
  t.equal(withMembers({ name: 'elsewhere/x', data: pickled(2, hostile) }).content, 'active', 'outside the folder');
  const text = withMembers({ name: 'archive/README.md', data: '# Hello\n' });
  t.same(rules(text), ['torch-zip.extra-member']);
  t.ok(passes(text), 'harmless text is mentioned');
  t.ok(
    rules(withMembers({ name: 'archive/data.pkl', data: pickled(2, hostile) })).includes('torch-zip.duplicate-name'),
  );
  for (const [disguised, harmless] of [
    [pickled(2, hostile), false],
    [pickled(2, dict([['a', op.none()]])), true],
    [Buffer.from('\x7fELF\x02\x01\x01'), true],
    [writeZip([{ name: 'x', data: 'y' }]), true],
  ] as const) {
    const bytes = Uint8Array.from(Buffer.concat([disguised, Buffer.alloc(64)]));
    const storage: Storage = { key: '0', type: 'ByteStorage', elements: bytes.length, bytes };
    const report = reportOf(checkpoint(dict([['w', tensor({ storage, shape: [bytes.length] })]]), [storage]));
    t.same(rules(report), ['torch.storage-content'], 'a storage in disguise is mentioned');
    t.equal(passes(report) && report.plan !== undefined, harmless);
  }
});

t.test('a payload in the pickle is found wherever it stands', async (t) => {
  const a = floats('0', 4);
  const w = tensor({ storage: a, shape: [4] });
  for (const root of [
    dict([
      ['w', w],
      ['x', hostile],
    ]),
    dict([['w', parameter(hostile)]]),
    assemble(hostile, op.pop(), dict([['w', w]])),
  ]) {
    for (const file of [checkpoint(root, [a]), legacyCheckpoint(root, [a])]) {
      const report = reportOf(file);
      t.equal(report.content, 'active');
      t.ok(report.findings.some(({ rule, severity }) => rule.startsWith('pickle.') && severity === 'critical'));
    }
  }
  const report = reportOf(checkpoint(dict([['x', hostile]]), []));
  t.same(report.findings[0]?.where.path, ['archive/data.pkl'], 'the finding names the member');
});

t.test('big-endian and deflated checkpoints', async (t) => {
  const a = floats('0', 4);
  const root = dict([['w', tensor({ storage: a, shape: [4] })]]);
  const big = writeZip(checkpointMembers(root, [a], { byteOrder: 'big' }));
  const swapped = Buffer.from(a.bytes).swap32();
  t.ok(convert(big)['w']?.bytes.equals(swapped));
  t.notOk(passes(reportOf(writeZip(checkpointMembers(root, [a], { byteOrder: 'middle' })))));
  const deflated = writeZip(checkpointMembers(root, [a]).map((entry): ZipEntry => ({ ...entry, method: 'deflated' })));
  t.equal(planOf(reportOf(deflated)).storages[0]?.method, 'deflated');
  t.ok(convert(deflated)['w']?.bytes.equals(Buffer.from(a.bytes)));

  const large = { key: '0', type: 'ByteStorage', elements: 130 << 20, bytes: Buffer.alloc(130 << 20, numbers(8191)) };
  const repacked = (bytes: Uint8Array, central: ZipEntry['central'] = {}) =>
    writeZip(
      checkpointMembers(dict([['w', tensor({ storage: large, shape: [large.elements] })]]), [{ ...large, bytes }]).map(
        (entry): ZipEntry => ({ ...entry, method: 'deflated', ...(entry.name.endsWith('data/0') ? { central } : {}) }),
      ),
    );
  const seen = reportOf(repacked(large.bytes));
  t.match(planOf(seen).storages, [{ method: 'deflated', size: 130 << 20 }], 'more than is held in memory');
  t.ok(passes(seen), `${rules(seen)}`);
  t.notOk(passes(reportOf(repacked(Buffer.alloc(130 << 20)))), 'a bomb');
  t.notOk(passes(reportOf(repacked(Buffer.concat([pickled(2, hostile), large.bytes])))), 'with a payload in front');
});

/** A source that counts how it is read, as a remote file would be. */
const counting = (content: Buffer) => {
  const reads: { offset: number; length: number }[] = [];
  const source: RandomAccess = {
    size: content.length,
    read(offset, length) {
      reads.push({ offset, length });
      return fromBytes(content).read(offset, length);
    },
  };
  return { source, reads };
};

t.test('a remote checkpoint is planned from its directory and its pickle alone', async (t) => {
  for (const count of [3, 5000]) {
    const storages = Array.from({ length: count }, (_, i) => floats(`${i}`, 64));
    const root = dict(storages.map((storage, i) => [`layer.${i}.weight`, tensor({ storage, shape: [8, 8] })]));
    const file = checkpoint(root, storages);
    const { source, reads } = counting(file);
    const report = inspect(source, { provisional: true });
    const full = reportOf(file);
    t.ok(passes(report), `${rules(report)}`);
    t.ok(passes(full), `${rules(full)}`);
    const plain = planOf(report).storages.map(({ localHeader: _seen, ...rest }) => rest);
    t.same(plain, planOf(full).storages, 'derived offsets are the real ones');
    t.ok(planOf(report).storages.every(({ localHeader }) => localHeader !== undefined));
    t.same(planOf(report).tensors, planOf(full).tensors);
    const pickle = pickled(2, root).length;
    const directory = file.length - file.indexOf('PK\x01\x02', 0, 'latin1');
    const total = reads.reduce((sum, { length }) => sum + length, 0);
    t.ok(reads.length <= 4, `${reads.length} reads for ${count} storages`);
    t.ok(total <= pickle + directory + 1024 * 1024, `${total} bytes read`);
  }
});

t.test('a remote checkpoint does not hide anything that its local reading shows', async (t) => {
  const a = floats('0', 4);
  const root = dict([['w', tensor({ storage: a, shape: [4] })]]);
  const extra = writeZip([...checkpointMembers(root, [a]), { name: 'archive/data/7', data: pickled(2, hostile) }]);
  t.equal(inspect(fromBytes(extra), { provisional: true }).content, 'active');
  const gap = writeZip(
    checkpointMembers(root, [a]).map((entry) =>
      entry.name.endsWith('data/0') ? { ...entry, gap: Buffer.alloc(9) } : entry,
    ),
  );
  t.notOk(passes(reportOf(gap)), 'a gap shifts derived offsets: the local reading finds it');
});

t.test('checkpoints in a tar are planned the same', async (t) => {
  const [a, b] = [floats('10', 6), storageOf('11', 'HalfStorage', 4, 2)];
  const root = dict([
    ['w', tarObject(20)],
    ['h', tarObject(21)],
    ['part', tarObject(22)],
    ['epoch', value.int(3)],
  ]);
  const tensors = [
    { key: 20, storage: 10, view: { shape: [3, 2], strides: [1, 3] } },
    { key: 21, storage: 11, view: { shape: [4] } },
    { key: 22, storage: 12, view: { shape: [1], offset: 1 } },
  ];
  const file = tarCheckpoint(root, [a, b], tensors, { views: [[12, 11, 2, 2]] });
  const report = reportOf(file);
  t.match(report, { format: 'torch-tar', content: 'tensors', coverage: { state: 'complete' } });
  t.ok(passes(report), `${rules(report)}`);
  t.ok(rules(report).includes('torch.legacy-tar'));
  const zip = checkpoint(
    dict([
      ['w', tensor({ storage: a, shape: [3, 2], strides: [1, 3] })],
      ['h', tensor({ storage: b, shape: [4] })],
      ['part', tensor({ storage: b, shape: [1], offset: 3 })],
    ]),
    [a, b],
  );
  t.same(convert(file), convert(zip));
  t.same(planOf(report).dropped, [{ path: 'epoch', type: 'int' }]);

  const module = (name: Piece) => assemble(value.tuple(name, value.str('x.py'), value.str('class X')), op.binpersid());
  const called = assemble(module(op.global('os', 'system')), value.tuple(value.str('true')), op.reduce());
  t.equal(reportOf(tarCheckpoint(called, [a], [])).content, 'active', 'a class that is no class');
  const built = assemble(tarObject(20), dict([['__dict__', value.int(1)]]), op.build());
  t.notOk(passes(reportOf(tarCheckpoint(built, [a, b], tensors.slice(0, 1)))), 'a state given to a tensor');
  t.notOk(passes(reportOf(tarCheckpoint(tarObject(99), [a], []))), 'a tensor that is not there');
  const twice = tarCheckpoint(root, [a, b], [...tensors, ...tensors.slice(0, 1)], { views: [[12, 11, 2, 2]] });
  t.notOk(passes(reportOf(twice)), 'a key twice');
  const again = tarCheckpoint(root, [a, b], tensors, {
    views: [[12, 11, 2, 2]],
    more: [{ name: 'pickle', data: pickled(2, hostile) }],
  });
  t.match(reportOf(again), { format: 'tar', content: 'active' }, 'loaders take the last of two members');
  // Below a block it is text, and the blocks of zeros at its end say nothing.
  for (const cut of truncations(file)) {
    const inside = cut.length >= 512 && cut.length <= file.length - 1024;
    if (inside && passes(reportOf(cut))) t.fail(`cut at ${cut.length} passes`);
  }
});

t.test('legacy checkpoints are planned the same', async (t) => {
  const [a, b] = [floats('10', 6), storageOf('11', 'HalfStorage', 2, 2)];
  const root = (legacy: boolean) =>
    dict([
      ['w', tensor({ storage: a, shape: [3, 2], strides: [1, 3], legacy })],
      ['h', parameter(tensor({ storage: b, shape: [2], legacy }))],
    ]);
  const file = legacyCheckpoint(root(true), [a, b]);
  const report = reportOf(file);
  t.match(report, { format: 'torch-legacy', content: 'tensors', coverage: { state: 'complete' } });
  t.ok(passes(report), `${rules(report)}`);
  t.same(convert(file), convert(checkpoint(root(false), [a, b])));
  const big = legacyCheckpoint(root(true), [a, b], { little: false });
  t.equal(planOf(reportOf(big)).storages[0]?.byteOrder, 'big');

  const named = (module: string, name: string) =>
    assemble(
      value.tuple(value.str('module'), op.global(module, name), value.str('x.py'), value.str('class X: pass')),
      op.binpersid(),
    );
  const made = (type: Piece) =>
    assemble(type, op.emptyTuple(), op.newobj(), dict([['training', op.false()]]), op.build());
  t.equal(
    reportOf(legacyCheckpoint(made(named('torch.nn.modules.linear', 'Linear')), [])).content,
    'library',
    'a whole module',
  );
  t.not(reportOf(legacyCheckpoint(made(named('somewhere', 'Linear')), [])).content, 'library');
  t.equal(
    reportOf(legacyCheckpoint(assemble(named('os', 'system'), value.tuple(value.str('true')), op.reduce()), []))
      .content,
    'active',
  );

  const lies = {
    'bytes behind': legacyCheckpoint(root(true), [a, b], { after: pickled(2, hostile) }),
    'a count that differs': legacyCheckpoint(root(true), [{ ...a, elements: 5 }, b]),
    'a key that is missing': legacyCheckpoint(root(true), [a]),
    'a key too many': legacyCheckpoint(root(true), [a, b, floats('12', 1)]),
  };
  for (const [what, lie] of Object.entries(lies)) t.notOk(passes(reportOf(lie)), what);
  t.equal(reportOf(lies['bytes behind']).content, 'active');
});

const script = (code: string, more: readonly ZipEntry[] = [], data: Piece = moduleObject): Buffer =>
  writeZip([
    { name: 'm/data.pkl', data: pickled(2, data) },
    { name: 'm/code/__torch__.py', data: code, method: 'deflated' },
    { name: 'm/constants.pkl', data: pickled(2, op.emptyTuple()) },
    { name: 'm/version', data: '3\n' },
    ...more,
  ]);
const moduleObject = assemble(
  op.global('__torch__', 'Net'),
  op.emptyTuple(),
  op.newobj(),
  dict([['training', op.false()]]),
  op.build(),
);
const forward = (...lines: string[]) =>
  [
    'class Net(Module):',
    '  __parameters__ = []',
    '  training : bool',
    '  def forward(self: __torch__.Net,',
    '    x: Tensor) -> Tensor:',
    ...lines.map((line) => `    ${line}`),
    '',
  ].join('\n');

t.test('the inputs that a module was traced with are types and shapes; what else stands there is judged', async (t) => {
  const traced = (inputs: Piece, storage: string, extra: readonly ZipEntry[] = []) =>
    reportOf(
      script(forward('return x'), [
        { name: 'm/traced_inputs/0', data: storage },
        { name: 'm/traced_inputs.pkl', data: pickled(2, inputs) },
        ...extra,
      ]),
    );
  const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24) };
  const inputs = assemble(
    op.global('torch.jit._pickle', 'restore_type_tag'),
    dict([['forward', tensor({ storage, shape: [2, 3] })]]),
    op.binunicode('Dict[str, Tensor]'),
    op.tuple2(),
    op.reduce(),
  );
  const report = traced(inputs, '');
  t.same(
    [report.format, report.content, report.coverage.state, report.findings],
    ['torchscript', 'code', 'complete', []],
  );
  t.same(traced(inputs, 'x'.repeat(24)).findings, [], 'with its bytes');
  t.notOk(passes(traced(inputs, 'x'.repeat(23))), 'with some of its bytes');
  t.equal(traced(hostile, '').content, 'active');
  t.notOk(
    passes(traced(inputs, '', [{ name: 'm/traced_inputs/1', data: pickled(2, hostile) }])),
    'with another member',
  );
});

t.test('TorchScript is judged by its operators', async (t) => {
  const plain = reportOf(
    script(
      forward(
        '_0 = torch.relu(torch.add(x, 1.5e-3))',
        '_1 = getattr(self, "0")',
        'for i in range(3):',
        '  _0 = torch.mul(_0, i)',
        'return (self).helper(_0, )',
      ),
    ),
  );
  t.match(plain, { format: 'torchscript', content: 'code', coverage: { state: 'complete' } });
  t.ok(passes(plain), `${rules(plain)}`);
  t.type(plain.notConvertible, 'string');
  const bad: Readonly<Record<string, string>> = {
    'torch.from_file("/etc/passwd", False, 10)': 'torchscript.file-operator',
    'torch.save(x, "/tmp/x")': 'torchscript.file-operator',
    'ops.aten.from_file("/etc/passwd", False, 10)': 'torchscript.file-operator',
    'torch.ops.aten.save(x, "f")': 'torchscript.file-operator',
    'open("/etc/passwd")': 'torchscript.file-operator',
    'x.save("/tmp/x")': 'torchscript.file-operator',
    'torch .save(x, "f")': 'torchscript.file-operator',
    '(torch).relu(x)': 'torchscript.operator-unknown',
    'getattr(torch, "from_file")(x)': 'torchscript.operator-unknown',
    'torch.somebodys_operator(x)': 'torchscript.operator-unknown',
    'ops.custom.run(x)': 'torchscript.operator-unknown',
    '__torch__.torch.classes.evil.Run(x)': 'torchscript.operator-unknown',
    'os.remove("x")': 'torchscript.name-unknown',
    '__import__("os")': 'torchscript.name-unknown',
    'x.__class__': 'torchscript.name-unknown',
    'torch.relu(x) ; `id`': 'torchscript.syntax',
  };
  for (const [expression, rule] of Object.entries(bad)) {
    const report = reportOf(script(forward(`_0 = ${expression}`, 'return _0')));
    t.ok(rules(report).includes(rule), `${expression}: ${rules(report)}`);
    t.notOk(passes(report), expression);
  }
  t.ok(rules(reportOf(script(`import os\n${forward('return x')}`))).includes('torchscript.statement'));
  t.equal(reportOf(script(forward('return x'), [], dict([['x', hostile]]))).content, 'active', 'its pickle is one');
  t.equal(
    reportOf(script(forward('return x'), [{ name: 'm/code/x.py.debug_pkl', data: pickled(2, hostile) }])).content,
    'active',
  );
  t.notOk(
    passes(reportOf(script(forward('return x'), [{ name: 'm/bytecode.pkl', data: pickled(2, moduleObject) }]))),
    'mobile bytecode is not understood',
  );
  t.notOk(passes(reportOf(checkpoint(moduleObject, []))), 'its classes are legal nowhere else');
});

t.test('no cut passes; no flipped bit passes with other tensors', async (t) => {
  const a = floats('0', 8);
  const root = (legacy: boolean) => dict([['w', tensor({ storage: a, shape: [2, 4], legacy })]]);
  for (const file of [checkpoint(root(false), [a]), legacyCheckpoint(root(true), [a])]) {
    for (const cut of truncations(file))
      if (cut.length > 16 && passes(reportOf(cut))) t.fail(`cut at ${cut.length} passes`);
  }
  const file = checkpoint(root(false), [a]);
  const expected = convert(file)['w']?.bytes;
  let same = 0;
  for (const flipped of bitFlips(file, 1500, 3)) {
    const report = reportOf(flipped);
    if (!passes(report) || report.plan === undefined) continue;
    const tensors = Object.values(materialise(Buffer.from(flipped), report.plan));
    if (!tensors.some(({ bytes }) => expected !== undefined && bytes.equals(expected))) t.fail('other tensors pass');
    same += 1;
  }
  t.ok(same < 750, `${same} of 1500 flips pass: they hit padding and dates`);
});
