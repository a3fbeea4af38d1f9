import t from 'tap';
import { contiguous, hdf5, link, type Message, type Node, pack, REFERENCE, space } from '../support/hdf5-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { float32 } from '../support/safetensors-writer.ts';
import { writeZip } from '../support/zip-writer.ts';
import { hostilePickle } from './samples/hostile.ts';

const weights: Node = { data: { shape: [2, 2], bytes: float32(1, 2, 3, 4) } };
const model = {
  class_name: 'Sequential',
  config: { name: 'model', layers: [{ class_name: 'Dense', config: { name: 'dense', units: 2, activation: 'relu' } }] },
};
const lambda = { class_name: 'Lambda', config: { name: 'x', function: ['YwAA', null, null], function_type: 'lambda' } };
const root: Node = {
  attributes: { model_config: JSON.stringify(model), keras_version: bytes('2.12.0'), backend: 'tensorflow' },
  children: {
    model_weights: {
      attributes: { layer_names: bytes('dense') },
      children: { 'kernel:0': weights, 'bias:0': weights },
    },
    deeper: { children: { still: { children: { dataset: weights } } } },
  },
};
const both = (node: Node): readonly Uint8Array[] => [hdf5(node, { old: true }), hdf5(node)];
const dataset = (...messages: Message[]): Node => ({ children: { data: { ...weights, messages } } });

t.test('honest files of both forms pass with their facts', async (t) => {
  for (const file of both(root)) {
    const report = reportOf(file);
    t.match(report, { format: 'hdf5', content: 'inert', coverage: { state: 'complete' }, findings: [] });
    t.match(report.details, { groups: 4, datasets: 3, keras: true });
    t.ok(passes(report));
  }
  for (const file of both({})) t.ok(passes(reportOf(file)), 'an empty file');
});

t.test('what stands around the file is a finding', async (t) => {
  const matlab = bytes('MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 2024', new Uint8Array(445));
  for (const old of [true, false]) {
    t.ok(passes(reportOf(hdf5(root, { old, userBlock: new Uint8Array(512) }))), 'an empty user block');
    t.ok(passes(reportOf(hdf5(root, { old, userBlock: matlab }))), 'the user block of MATLAB');
    const script = bytes('#!/bin/sh\necho x\n', new Uint8Array(1024 - 17));
    t.equal(worst(reportOf(hdf5(root, { old, userBlock: script }))), 'high', 'a script');
    const zip = writeZip([{ name: 'data.pkl', data: hostilePickle }]);
    t.not(passes(reportOf(hdf5(root, { old, userBlock: bytes(zip, new Uint8Array(1024 - zip.length)) }))), 'a zip');
    t.equal(worst(reportOf(hdf5(root, { old, trailing: bytes('more') }))), 'high', 'something behind it');
    t.equal(passes(reportOf(hdf5(root, { old, endOffset: 8 }))), false, 'an end behind the file');
  }
});

t.test('nothing leads out of the file', async (t) => {
  const external = link('x', 64, bytes([0], '/etc/passwd\0/data\0'));
  const cases: readonly (readonly [Node, string, string])[] = [
    [{ messages: [external] }, 'hdf5.external-link', 'high'],
    [{ children: { inner: { messages: [external] } } }, 'hdf5.external-link', 'high'],
    [{ messages: [link('x', 65, bytes('plug-in'))] }, 'hdf5.user-link', 'high'],
    [{ messages: [link('x', 1, bytes('/elsewhere'))] }, 'hdf5.soft-link', 'low'],
    [dataset([8, pack([1, 4], [1, 3], [8, 0], [4, 0])]), 'hdf5.virtual', 'high'],
    [dataset([7, pack([4, 1], [2, 1], [2, 0], [8, 0xffff_ffff_ffff_ffffn])]), 'hdf5.external-storage', 'high'],
    [dataset([11, pack([1, 1], [1, 1], [2, 0], [4, 0], [2, 32_026], [2, 0], [2, 0], [2, 0])]), 'hdf5.filter', 'medium'],
    [dataset([3, REFERENCE], [1, space([2])]), 'hdf5.reference', 'low'],
  ];
  for (const [node, rule, severity] of cases) {
    const report = reportOf(hdf5(node));
    t.same(rules(report), [rule]);
    t.equal(worst(report), severity, rule);
  }
});

t.test('datasets have the bytes that they claim, inside the file', async (t) => {
  for (const message of [
    [8, contiguous(1 << 30, 16)],
    [8, contiguous(96, 8)],
    [8, contiguous(2n ** 62n, 16)],
    [1, space([1000, 1000])],
    [1, space([2 ** 50, 2 ** 50])],
    [8, pack([1, 3], [1, 0], [2, 4], [4, 0])],
    [8, pack([1, 9], [1, 1], [8, 0], [8, 0])],
    [3, pack([1, 0x1f], [1, 0], [2, 0], [4, 4])],
  ] as const) {
    t.equal(passes(reportOf(hdf5(dataset(message)))), false, `message ${message[0]}`);
  }
  t.ok(passes(reportOf(hdf5(dataset([8, contiguous(0xffff_ffff_ffff_ffffn, 16)])))), 'never written');
});

t.test('Keras JSON and pickles in attributes are judged wherever they stand', async (t) => {
  const text = JSON.stringify({ class_name: 'Sequential', config: { layers: [lambda] } });
  for (const attributes of [{ model_config: text }, { model_config: bytes(text, [0, 0]) }, { other: text }]) {
    for (const file of [...both({ attributes }), ...both({ children: { inner: { attributes } } })]) {
      t.match(worst(reportOf(file)), /high|critical/);
    }
  }
  const cut = reportOf(hdf5({ attributes: { model_config: '{"class_name": "Sequential"' } }));
  t.equal(passes(cut), false, 'a configuration that is cut');
  t.equal(passes(reportOf(hdf5({ attributes: { TITLE: hostilePickle } }))), false, 'a pickle');
  t.equal(worst(reportOf(hdf5({ attributes: { PSEUDOATOM: 'object' } }))), 'high', 'a dataset of pickles');
});

t.test('groups in circles end, and trees in circles are refused', async (t) => {
  const file = hdf5({ children: { a: { children: { b: {} } } } });
  const top = Number(Buffer.from(file).readBigUInt64LE(36));
  const circle = hdf5({
    children: { a: {} },
    messages: [[6, bytes(pack([1, 1], [1, 0], [1, 1]), 'r', pack([8, top]))]],
  });
  t.type(reportOf(circle).format, 'string');
  const tree = Buffer.from(hdf5(root, { old: true }));
  const node = tree.indexOf('TREE');
  tree.writeUInt8(1, node + 5);
  tree.writeBigUInt64LE(BigInt(node), node + 32);
  t.equal(passes(reportOf(new Uint8Array(tree))), false);
  const header = Buffer.from(hdf5({ messages: [[0x10, pack([8, 48], [8, 64])]] }));
  t.equal(passes(reportOf(new Uint8Array(header))), false, 'a header that continues in itself');
});

t.test('messages and versions that nobody knows are not passed over', async (t) => {
  t.match(reportOf(hdf5({ messages: [[0x55, pack([4, 0])]] })).coverage, { state: 'partial' });
  const newer = hdf5({});
  newer[8] = 9;
  t.equal(passes(reportOf(newer)), false);
});

t.test('cut anywhere or with bits turned, a file only ever yields a report', async (t) => {
  for (const file of both({ attributes: { model_config: JSON.stringify(model) }, children: { w: weights } })) {
    for (const cut of truncations(file)) {
      if (cut.length >= 8) t.equal(passes(reportOf(cut)), false, `cut at ${cut.length}`);
    }
    let reports = 0;
    for (const turned of bitFlips(file, 2000, 13)) reports += reportOf(turned).format.length > 0 ? 1 : 0;
    t.equal(reports, 2000);
  }
});
