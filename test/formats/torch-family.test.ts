import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Report } from '../../src/formats/format.ts';
import { systemCall } from '../support/checkpoints.ts';
import { runPython } from '../support/clients.ts';
import { checkpointIndexOf, indexOf, slicesOf, storageInfo, tensorPart } from '../support/distributed-writer.ts';
import { assemble, op, type Piece, pickled } from '../support/pickle-assembler.ts';
import { passes, reportOf, rules, worst } from '../support/reports.ts';
import {
  checkpoint,
  checkpointMembers,
  dict,
  fromType,
  type Storage,
  tensor,
  unsummedMembers,
  value,
} from '../support/torch-writer.ts';
import { writeZip } from '../support/zip-writer.ts';

/** The compiler of torch reads its source, so that it has to be in a file. */
const NET = `
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x):
        if x.sum() > 0:
            return torch.relu(self.layer(x))
        return self.layer(x) + torch.tensor([1.0, 2.0])
`;

/** What real torch writes beside state dicts. Nothing of it is loaded here. */
const SCRIPT = `
import os, sys, torch
from torch.package import PackageExporter

os.chdir(sys.argv[1])
state = {"a.weight": torch.randn(4, 3), "a.bias": torch.randn(4)}
with PackageExporter("weights.pt") as package:
    package.save_pickle("weights", "weights.pkl", state)
    package.save_text("weights", "config.json", '{"hidden": 3}')
with PackageExporter("layer.pt") as package:
    package.extern("**")
    package.save_pickle("model", "model.pkl", torch.nn.Linear(3, 2))
with PackageExporter("code.pt") as package:
    package.save_source_string("mine", "x = 1")
    package.save_pickle("weights", "weights.pkl", state)

sys.path.insert(0, sys.argv[1])
from net import Net

net = torch.jit.script(Net())
net.save("script.pt")
net._save_for_lite_interpreter("lite.ptl")
net._save_for_lite_interpreter("debug.ptl", _save_mobile_debug_info=True)
torch.jit.freeze(net.eval())._save_for_lite_interpreter("frozen.ptl")
torch.save({"coo": torch.eye(3).to_sparse(), "csr": torch.eye(3).to_sparse_csr()}, "sparse.pt")
torch.save({"q": torch.quantize_per_tensor(torch.randn(3, 3), 0.1, 2, torch.qint8)}, "quantised.pt")
torch.save({"m": torch.empty(3, device="meta")}, "meta.pt")
torch.save({"c": torch.randn(3, dtype=torch.complex64).conj()}, "conjugated.pt")
`;

t.setTimeout(120_000);

t.test('files of real torch are what they are, and those that are inert pass', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-torch-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'net.py'), NET);
  const { code, stderr } = await runPython('torch', SCRIPT, { args: [folder] });
  t.equal(code, 0, stderr);
  const read = (name: string): Report => reportOf(readFileSync(join(folder, name)));
  const expected: readonly (readonly [name: string, format: string, content: string, rules: readonly string[]])[] = [
    ['weights.pt', 'torch-package', 'tensors', []],
    ['layer.pt', 'torch-package', 'library', []],
    ['code.pt', 'torch-package', 'code', ['torch-package.code']],
    ['script.pt', 'torchscript', 'code', []],
    ['lite.ptl', 'torchscript', 'code', ['torchscript.mobile-bytecode']],
    ['debug.ptl', 'torchscript', 'code', ['torchscript.mobile-bytecode']],
    ['frozen.ptl', 'torchscript', 'code', ['torchscript.mobile-bytecode']],
    ['sparse.pt', 'torch-zip', 'tensors', []],
    ['quantised.pt', 'torch-zip', 'tensors', []],
    ['meta.pt', 'torch-zip', 'tensors', []],
    ['conjugated.pt', 'torch-zip', 'tensors', []],
  ];
  for (const [name, format, content, found] of expected) {
    const report = read(name);
    t.same(
      [report.format, report.content, report.coverage.state, rules(report)],
      [format, content, 'complete', found],
      name,
    );
  }
  for (const name of ['code.pt', 'lite.ptl', 'frozen.ptl']) t.equal(worst(read(name)), 'medium', `${name} is held`);
  for (const [name, why] of [
    ['sparse.pt', /coo: a sparse tensor, kept as indices and values: safetensors has no form for it/],
    ['quantised.pt', /q: a quantised tensor, kept as integers with scale and zero point/],
    ['meta.pt', /m: a tensor on the meta device/],
    ['weights.pt', /loaded by its own importer/],
  ] as const)
    t.match(read(name).notConvertible, why, name);
});

const [values, offsets]: readonly [Storage, Storage] = [
  { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24).fill(1) },
  { key: '1', type: 'LongStorage', elements: 3, bytes: new Uint8Array(24) },
];
const NESTED = 'torch.nested._internal.nested_tensor';
type Parts = Record<string, Piece>;

const parts: Parts = {
  values: tensor({ storage: values, shape: [6] }),
  offsets: tensor({ storage: offsets, shape: [3] }),
  lengths: op.none(),
  _ragged_idx: value.int(1),
  _metadata_cache: dict([['max_seqlen', tensor({ storage: values, shape: [0, 3] })]]),
  requires_grad: op.false(),
};
/** What the compiler notes of a dimension of such a tensor. */
const range = assemble(
  op.global('torch._dynamo.decorators', '_DimRange'),
  op.emptyTuple(),
  op.newobj(),
  dict([
    ['dim', value.int(0)],
    ['min', op.none()],
  ]),
  op.build(),
);
const jagged = (
  given: Parts = parts,
  type = 'NestedTensor',
  func: Piece = op.global(NESTED, '_rebuild_njt'),
): Uint8Array =>
  assemble(
    op.global('torch._tensor', '_rebuild_from_type_v2'),
    value.tuple(
      func,
      op.global(NESTED, type),
      value.tuple(dict(Object.entries(given))),
      dict([
        ['_ragged_idx', value.int(1)],
        ['_dynamo_dynamic_range', range],
      ]),
    ),
    op.reduce(),
  );
const saved = (root: Piece): Report => reportOf(checkpoint(dict([['n', root]]), [values, offsets]));

t.test('a jagged nested tensor is data, and nothing else is made by its function', async (t) => {
  const report = saved(jagged());
  t.same([report.content, rules(report)], ['tensors', []]);
  t.match(report.notConvertible, /jagged nested tensor/);
  const bad: readonly (readonly [string, Piece])[] = [
    ['a call among the parts', jagged({ ...parts, values: assemble(systemCall(), op.none()) })],
    ['parts that are no tensors', jagged({ ...parts, offsets: value.str('x') })],
    ['a part that does not exist', jagged({ ...parts, device: value.str('cpu') })],
    ['another cache', jagged({ ...parts, _metadata_cache: dict([['x', value.int(1)]]) })],
    ['another type', jagged(parts, 'ViewBufferFromNested')],
    ['another function', jagged(parts, 'NestedTensor', op.global('os', 'system'))],
    ['a direct call', assemble(op.global(NESTED, '_rebuild_njt'), value.tuple(dict([])), op.reduce())],
    ['the class called', assemble(op.global(NESTED, 'NestedTensor'), value.tuple(), op.newobj())],
    ['the function as a value', op.global(NESTED, '_rebuild_njt')],
    ['the type for a plain tensor', fromType({ storage: values, shape: [6] }, 'NestedTensor')],
  ];
  for (const [what, root] of bad) t.notOk(passes(saved(root)), what);
});

t.test('checksums may be left out altogether, and not one by one', async (t) => {
  const root = dict([['w', tensor({ storage: values, shape: [6] })]]);
  const whole = reportOf(writeZip(unsummedMembers(root, [values]), { zip64: true }));
  t.same([whole.content, rules(whole), whole.plan?.tensors.length], ['tensors', ['torch-zip.unsummed'], 1]);
  t.ok(passes(whole));
  for (const name of ['data.pkl', 'data/0', 'version']) {
    const one = checkpointMembers(root, [values]).map((entry) => ({ ...entry, unsummed: entry.name.endsWith(name) }));
    t.ok(rules(reportOf(writeZip(one))).includes('torch-zip.crc'), `${name} alone`);
  }
  const packed = unsummedMembers(root, [values]).map((entry) => ({ ...entry, method: 'deflated' as const }));
  t.ok(rules(reportOf(writeZip(packed))).includes('torch-zip.crc'), 'compressed members have one');
  const other = unsummedMembers(root, [values]).map((entry) => ({ ...entry, local: { size: 7 } }));
  t.notOk(passes(reportOf(writeZip(other))), 'sizes are compared as ever');
  const plain = writeZip([{ name: 'a/b.txt', data: 'text', unsummed: true }]);
  t.ok(rules(reportOf(plain)).includes('zip.crc'), 'no other writer has the option');
});

t.test('an index of parts is never data by itself, whatever object it is', async (t) => {
  const part = tensorPart();
  const slices = slicesOf('a.distcp', [part.length, part.length]);
  const index = reportOf(checkpointIndexOf(slices));
  t.match(index.parts, [{ name: 'a.distcp', size: 2 * part.length, count: 2 }]);
  t.equal(index.parts?.[0]?.cuts, reportOf(Buffer.concat([part, part])).details?.['cuts'], 'the file says the same');
  t.same([index.content, rules(index)], ['unknown', ['checkpoint-index.parts']]);
  const infos = slices.map((slice) => storageInfo(slice));
  const hidden = pickled(
    4,
    assemble(
      op.global('types', 'SimpleNamespace'),
      op.emptyTuple(),
      op.newobj(),
      dict([['_content', dict([['storage_data', dict([['w', infos[0] ?? '']])]])]]),
      op.build(),
    ),
  );
  const unclear: readonly (readonly [string, Uint8Array])[] = [
    ['a gap', checkpointIndexOf([['a.distcp', 1, 9]])],
    ['an overlap', checkpointIndexOf([...slices, ['a.distcp', 3, 9]])],
    ['nothing of a file', checkpointIndexOf([['a.distcp', 0, 0]])],
    ['a number beyond counting', checkpointIndexOf([['a.distcp', -1, 9]])],
    ['a folder', checkpointIndexOf([['b/a.distcp', 0, 9]])],
    ['an attribute more', indexOf([storageInfo(['a.distcp', 0, 9], [['read', value.int(1)]])])],
    ['a name twice', indexOf([storageInfo(['a.distcp', 0, 9], [['relative_path', value.str('b.distcp')]])])],
    ['a dict that answers to names', hidden],
  ];
  for (const [what, file] of unclear) {
    const report = reportOf(file);
    t.same([report.content, report.parts, worst(report)], ['unknown', undefined, 'medium'], what);
    t.match(rules(report), ['checkpoint-index.unclear'], what);
  }
  for (const name of ['../a', '/etc/hostname', 'C:a', '\\\\host\\a', 'b/../../a', 'file:///a']) {
    const report = reportOf(checkpointIndexOf([[name, 0, 9]]));
    t.ok(rules(report).includes('checkpoint-index.outside'), name);
    t.equal(worst(report), 'high', name);
  }
  const called = reportOf(indexOf(infos, undefined, systemCall()));
  t.same([called.content, called.parts], ['active', undefined]);
});
