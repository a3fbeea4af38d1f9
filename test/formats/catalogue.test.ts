import { deflateSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { lz4Frame, zstdFrame } from '../support/frame-writer.ts';
import { gguf } from '../support/gguf-writer.ts';
import { callForms, pickled, text } from '../support/pickle-assembler.ts';
import { bytes, passes, reportOf, rules } from '../support/reports.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { sevenZipFile } from '../support/sevenzip-writer.ts';
import { paxRecords, writeTar } from '../support/tar-writer.ts';
import { dict, legacyCheckpoint, type Storage, tensor } from '../support/torch-writer.ts';
import { writeZip, type ZipEntry } from '../support/zip-writer.ts';
import { hostilePickle, hostileZip, rows } from './samples/hostile.ts';
import { npyFile } from './samples/tensors.ts';

type Makers = Readonly<Record<string, () => Uint8Array | string>>;

const zip = (...entries: readonly ZipEntry[]): Uint8Array => new Uint8Array(writeZip(entries));
const member = { name: 'model/data.pkl', data: hostilePickle };
const honest = { name: 'rows.csv', data: rows };
const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24) };
const weights = dict([['w', tensor({ storage, shape: [2, 3], legacy: true })]]);
const protocol0 = pickled(0, callForms['globalReduce']?.('os', 'system', [text('true', 0)]) ?? '');
const json = (value: unknown): string => JSON.stringify(value);

/** Containers and files that two readers see differently, one entry for each kind of trick. */
const CONTAINERS: Makers = {
  'Z1 a pickle under a name of something else': () => zip({ name: 'readme.txt', data: hostilePickle }),
  'Z1 a plain pickle where a checkpoint is expected': () => hostilePickle,
  'Z2 a member marked as encrypted in the directory': () => zip({ ...member, central: { flags: 1 } }),
  'Z2 a member marked as encrypted in its header': () => zip({ ...member, local: { flags: 1 } }),
  'Z3 two names of one member': () => zip({ ...member, local: { name: 'model/data.txt' } }),
  'Z4 a checksum of zero': () => zip({ ...member, central: { crc: 0 }, local: { crc: 0 } }),
  'Z5 two members of one name': () => zip(honest, { ...honest, data: 'a,b\n1,2\n' }),
  'Z6 two archives one behind the other': () => bytes(zip(honest), zip(honest)),
  'Z6 an end record in the comment': () => new Uint8Array(writeZip([honest], { comment: zip(honest) })),
  'Z6 bytes before the archive': () => new Uint8Array(writeZip([honest], { prefix: bytes('anything') })),
  'Z7 a pickle with an archive behind it': () => bytes(hostilePickle, zip(honest)),
  'Z8 a pickle as a storage': () =>
    zip({ name: 'm/data.pkl', data: pickled(2, dict([])) }, { name: 'm/data/0', data: hostilePickle }),
  'Z8 a pickle of protocol 0 without an extension': () => zip(honest, { name: 'x', data: protocol0 }),
  'Z9 an archive in an archive': () => zip({ name: 'inner.bin', data: hostileZip }),
  'Z10 a 7z archive': () => sevenZipFile([{ name: 'model.bin', data: hostilePickle }]),
  'Z11 gzip': () => gzipSync(hostilePickle),
  'Z11 zlib': () => deflateSync(hostilePickle),
  'Z11 lz4': () => lz4Frame(hostilePickle),
  'Z11 zstd': () => zstdFrame(hostilePickle),
  'Z12 a checkpoint in a tar': () =>
    writeTar(['sys_info', 'pickle', 'storages', 'tensors'].map((name) => ({ name, data: hostilePickle }))),
  'Z13 a bomb': () => zip({ name: 'zeros', data: new Uint8Array(4 << 20), method: 'deflated' }),
  'Z13 members that overlap': () => zip(honest, { ...honest, name: 'b', central: { offset: 0 } }),
  'Z14 a name that leads out': () => zip({ ...honest, name: '../rows.csv' }),
  'Z14 an absolute name': () => zip({ ...honest, name: '/rows.csv' }),
  'Z14 a drive': () => zip({ ...honest, name: 'C:rows.csv' }),
  'Z14 a backslash': () => zip({ ...honest, name: '..\\rows.csv' }),
  'Z14 a NUL in a name': () => zip({ ...honest, name: 'rows\0.csv' }),
  'Z14 names that differ in case': () => zip(honest, { ...honest, name: 'ROWS.csv' }),
  'Z14 names that look alike': () => zip({ ...honest, name: 'model' }, { ...honest, name: 'm\u043edel' }),
  'Z14 a link': () => zip({ name: 'l', data: '../../etc/passwd', mode: 0o120777 }),
  'Z15 a path in an extended header': () =>
    writeTar([
      { name: 'x', type: 'x', data: paxRecords({ path: '../rows.csv' }) },
      { name: 'rows.csv', data: rows },
    ]),
  'Z15 a size in an extended header': () =>
    writeTar([
      { name: 'x', type: 'x', data: paxRecords({ size: '4' }) },
      { name: 'rows.csv', data: rows },
    ]),
  'Z15 a hard link': () => writeTar([{ name: 'l', type: '1', link: '../../etc/passwd' }]),
  'Z15 a sparse member': () => writeTar([{ name: 's', type: 'S', data: rows }]),
  'Z15 an archive behind the end': () => bytes(writeTar([{ name: 'rows.csv', data: rows }]), writeTar([member])),
  'Z16 safetensors with an archive behind': () => safetensors({}, { trailing: hostileZip }),
  'Z16 safetensors with a header beyond the file': () => safetensors({}, { headerLength: 1n << 40n }),
  'Z17 GGUF with an archive behind': () => gguf({ trailing: hostileZip }),
  'Z17 a program with GGUF behind': () => bytes('MZqFpD=', new Uint8Array(64), gguf()),
  'Z18 a pointer': () => `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`,
  'P14 a pickle behind the storages of an older checkpoint': () =>
    new Uint8Array(legacyCheckpoint(weights, [storage], { after: hostilePickle })),
};

const keras = (layer: unknown): string =>
  json({ module: 'keras', class_name: 'Sequential', config: { name: 's', layers: [layer] }, registered_name: null });
const keras3 = (layer: unknown): Uint8Array =>
  zip({ name: 'metadata.json', data: '{"keras_version": "3.8.0"}' }, { name: 'config.json', data: keras(layer) });
const layer = (module: string, class_name: string, config: unknown = {}): unknown => ({ module, class_name, config });
const template = (value: string): Uint8Array =>
  gguf({ values: { 'tokenizer.chat_template': { type: 'string', value } } });

/** Tricks of single formats that have no pickle in them; those of protocol buffers stand in their own tests. */
const FORMATS: Makers = {
  'CVE-2024-3660 a layer of code': () =>
    keras3(layer('keras.layers', 'Lambda', { function: ['4wEAAAA=', null, null] })),
  'CVE-2025-1550 a class of another module': () => keras3(layer('os', 'system')),
  'CVE-2025-8747 a function that downloads': () => keras3(layer('keras.utils', 'get_file', { origin: 'http://x/' })),
  'CVE-2025-9906 a function that switches safety off': () =>
    keras3(layer('keras.config', 'enable_unsafe_deserialization')),
  'CVE-2025-12058 a vocabulary in a file': () =>
    keras3(layer('keras.layers', 'StringLookup', { vocabulary: '/etc/passwd' })),
  'CVE-2025-49655 a layer that unpickles': () =>
    keras3(layer('keras.layers', 'TorchModuleWrapper', { module: 'gASV' })),
  'CVE-2026-1462 a layer that loads another model': () =>
    keras3(layer('keras.layers', 'TFSMLayer', { filepath: '/tmp/model' })),
  'CVE-2024-34359 a template that reaches for the interpreter': () => template('{{ cycler.__init__.__globals__ }}'),
  'CVE-2019-6446 an array of objects': () => npyFile('|O', '(1,)', hostilePickle),
  'CVE-2025-23304 a target of Hydra in JSON': () => json({ model: { _target_: 'os.system', command: 'id' } }),
  'CVE-2025-23304 a target of Hydra in YAML': () => 'model:\n  _target_: subprocess.Popen\n  args: [id]\n',
  'CVE-2020-14343 a YAML object': () => 'x: !!python/object/apply:os.system ["id"]\n',
  'a class of the repository': () => json({ model_type: 'x', auto_map: { AutoModel: 'modeling.Evil' } }),
  'a pipeline of the repository': () => json({ _class_name: 'X', custom_pipeline: 'evil' }),
  'CVE-2024-37052 a loader of MLflow': () =>
    'flavors:\n  python_function:\n    loader_module: os\n    python_version: 3.11.0\nmodel_uuid: x\n',
  'CVE-2024-27322 a promise': () =>
    bytes('A\n3\n262657\n197888\n5\nUTF-8\n5\n253\n6\n1\n262153\n6\nsystem\n2\n16\n1\n262153\n2\nid\n254\n'),
  'CVE-2022-24294 a name of an operator': () =>
    json({ nodes: [{ op: `a${'b'.repeat(300)}`, name: 'x', inputs: [] }], arg_nodes: [0], heads: [[0, 0, 0]] }),
  'a library of operators of MXNet': () =>
    json({ nodes: [{ op: 'Custom', name: 'x', inputs: [] }], arg_nodes: [0], heads: [[0, 0, 0]] }),
  'a node of a workflow that runs Python': () => json({ 3: { class_type: 'PythonEval', inputs: { code: 'x' } } }),
  'a graph of a workflow that runs Python': () =>
    json({ nodes: [{ id: 1, type: 'ExecPython', widgets_values: ['x'] }] }),
  'an object of jsonpickle': () => json({ 'py/object': 'os.system' }),
  'a document with an entity': () =>
    '<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML version="4.4">&x;</PMML>',
  'a serialised object of Java': () => bytes([0xac, 0xed, 0, 5, 0x73, 0x72, 0, 1], 'X', new Uint8Array(12)),
  'a Java object in a model of Deeplearning4j': () =>
    zip({ name: 'configuration.json', data: '{}' }, { name: 'normalizer.bin', data: bytes([0xac, 0xed, 0, 5, 0x70]) }),
  'a compiled engine': () => bytes('ptrt', new Uint8Array(64)),
  'a handler of TorchServe': () =>
    zip(
      { name: 'MAR-INF/MANIFEST.json', data: json({ model: { modelName: 'x', handler: 'handler.py' } }) },
      { name: 'handler.py', data: 'import os\nos.system("id")\n' },
    ),
  'an archive of a model with a path out of it': () =>
    json({ model: { modelName: 'x', serializedFile: '/etc/passwd' } }),
  'a checkpoint that names what restores it': () => json({ item_handlers: { state: 'evil.Handler' } }),
  'a class for LangChain': () => json({ lc: 1, type: 'constructor', id: ['os', 'system'], kwargs: {} }),
  'a docstore of LangChain': () =>
    pickled(4, callForms['reduce']?.('langchain_community.docstore.in_memory', 'InMemoryDocstore', []) ?? ''),
};

for (const [what, makers] of Object.entries({ 'containers and files': CONTAINERS, formats: FORMATS }))
  t.test(`no trick of the catalogue passes: ${what}`, async (t) => {
    for (const [name, make] of Object.entries(makers)) {
      const report = reportOf(make());
      t.notOk(passes(report), `${name}: ${report.format} ${report.content} ${rules(report)}`);
    }
  });

t.test('what carries the payload is told from what it is said to be', async (t) => {
  t.ok(passes(reportOf(zip(honest))), 'an honest archive');
  t.ok(passes(reportOf(sevenZipFile([{ name: 'rows.csv', data: bytes(rows) }]))), 'an honest 7z archive');
  t.ok(passes(reportOf(gzipSync(rows))), 'an honest compressed file');
});
