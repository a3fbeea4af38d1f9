import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { npyFile } from '../formats/samples/tensors.ts';
import { lz4Frame } from './frame-writer.ts';
import { assemble, op, type Piece, pickled } from './pickle-assembler.ts';
import { writeTar } from './tar-writer.ts';
import { checkpointMembers, dict, legacyCheckpoint, type Storage, tensor } from './torch-writer.ts';
import { writeZip } from './zip-writer.ts';

/**
 * The names that published attacks on pickle scanners import, as `module name`. The streams built of them carry one short
 * text as argument and are never loaded by anything.
 */
const GADGETS = `
os system|posix system|nt system|subprocess Popen|builtins eval|builtins exec|builtins compile|builtins open
builtins __import__|builtins getattr|importlib import_module|importlib.util spec_from_file_location
pkgutil resolve_name|pydoc locate|pydoc pipepager|operator attrgetter|_operator attrgetter|_operator methodcaller
operator methodcaller|functools partial|_functools partial|pickle loads|_pickle loads|marshal loads
idlelib.pyshell ModifiedInterpreter.runcode|idlelib.pyshell ModifiedInterpreter.runcommand
idlelib.debugobj ObjectTreeItem.SetText|idlelib.run Executive.runcode|idlelib.autocomplete AutoComplete.get_entity
idlelib.autocomplete AutoComplete.fetch_completions|idlelib.calltip Calltip.fetch_tip|idlelib.calltip get_entity
ctypes CDLL|cProfile run|cProfile runctx|profile run|profile Profile.run|profile Profile.runctx|trace Trace.run
trace Trace.runctx|doctest debug_script|code InteractiveInterpreter.runcode|codeop compile_command
ensurepip _run_pip|pty spawn|distutils.file_util write_file|numpy.f2py.crackfortran getlincoef
lib2to3.pgen2.pgen ParserGenerator.make_label|lib2to3.pgen2.grammar Grammar.loads
torch.utils.bottleneck.__main__ run_cprofile|torch.utils.bottleneck.__main__ run_autograd_prof
torch._dynamo.guards GuardBuilder.get|torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
torch.utils.collect_env run|torch.utils.data.datapipes.utils.decoder basichandlers
torch.jit.unsupported_tensor_ops execWrapper|torch.utils._config_module ConfigModule.load_config
torch._inductor.codecache compile_file|torch._inductor.codecache PyCodeCache.load|torch.serialization load
torch.storage _load_from_bytes|torch load|torch.hub load|torch.jit.annotations parse_type_line
torch.distributed.rpc rpc_sync|asyncio.unix_events _UnixSubprocessTransport._start|uuid _get_command_stdout
imaplib IMAP4_stream|_osx_support _read_output|_aix_support _read_cmd_output|_pyrepl.pager pipe_pager
test.support.script_helper assert_python_ok|_io FileIO|urllib.request urlopen|logging FileHandler|types CodeType
cloudpickle.cloudpickle subimport|cloudpickle.cloudpickle _make_function|timeit timeit|ssl get_server_certificate
numpy.testing._private.utils runstring|numpy load|venv create|bdb Bdb.run|pdb run|aiohttp ClientSession
requests.api get|webbrowser open|_posixsubprocess fork_exec|site addpackage|atexit register
_interpreters run_string|_xxsubinterpreters run_string|multiprocessing.util spawnv_passfds
mlflow.projects.backend.local _run_entry_point|pandas read_csv|pandas read_pickle|pandas.io.pickle read_pickle
transformers.dynamic_module_utils get_class_from_dynamic_module|setuptools.sandbox run_setup|shelve open|http.server test
sqlite3 connect|zipimport zipimporter|runpy run_path|antigravity fly|commands getoutput|_winapi CreateProcess
joblib load|dill loads|dill._dill _create_function|sys settrace|socket create_connection|shutil rmtree
collections abc.sys.modules.get|torch serialization.os.system|sklearn.utils _os.system
`;

export type Gadget = { readonly module: string; readonly name: string };
export const gadgets: readonly Gadget[] = GADGETS.trim()
  .split(/[|\n]/)
  .map((written) => {
    const [module = '', name = ''] = written.split(' ');
    return { module, name };
  });

/** The file that a shell would leave where one of these was executed: it must be nowhere after any run. */
export const MARKER = 'weighbridge-attack-was-executed';
const ARGUMENT = `touch ${MARKER}`;

export const protocols: readonly number[] = [0, 1, 2, 3, 4, 5];

const text = (value: string, protocol: number): Uint8Array => {
  if (protocol === 0) return op.unicode(value);
  return protocol >= 4 ? op.shortBinunicode(value) : op.binunicode(value);
};
const imported = ({ module, name }: Gadget, protocol: number): Uint8Array =>
  protocol >= 4 ? assemble(text(module, 4), text(name, 4), op.stackGlobal()) : op.global(module, name);
const tuple = (protocol: number): Uint8Array => assemble(op.mark(), text(ARGUMENT, protocol), op.tuple());

/** Each opcode that calls a name, or what amounts to it, and the pickle that uses it. */
export const calls: Readonly<Record<string, (gadget: Gadget, protocol: number) => Uint8Array>> = {
  REDUCE: (gadget, at) => assemble(imported(gadget, at), tuple(at), op.reduce()),
  'GLOBAL and REDUCE': ({ module, name }, at) => assemble(op.global(module, name), tuple(at), op.reduce()),
  INST: ({ module, name }, at) => assemble(op.mark(), text(ARGUMENT, at), op.inst(module, name)),
  OBJ: (gadget, at) => assemble(op.mark(), imported(gadget, at), text(ARGUMENT, at), op.object()),
  NEWOBJ: (gadget, at) => assemble(imported(gadget, at), tuple(at), op.newobj()),
  NEWOBJ_EX: (gadget, at) => assemble(imported(gadget, at), tuple(at), op.emptyDict(), op.newobjEx()),
  BUILD: (gadget, at) => assemble(imported(gadget, at), op.emptyDict(), op.build()),
  'REDUCE and POP': (gadget, at) => assemble(imported(gadget, at), tuple(at), op.reduce(), op.pop(), op.none()),
};

const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24).fill(1) };
const state = (legacy = false): Uint8Array => dict([['w', tensor({ storage, shape: [2, 3], legacy })]]);
const benign = pickled(2, op.emptyDict());
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);

/** A pickle alone, and the parts that a container needs of it: what calls, before a whole benign value. */
type Payload = { readonly pickle: Uint8Array; readonly call: Piece; readonly protocol: number };

/** A torch archive with the members of an honest one, changed. */
const archive = (change: (name: string, data: Uint8Array | string) => Uint8Array | string): Uint8Array =>
  writeZip(
    checkpointMembers(state(), [storage]).map((member) => ({
      ...member,
      data: change(member.name.replace('archive/', ''), member.data ?? ''),
    })),
  );

/** Each kind of file that some loader reads a pickle from. */
export const containers: Readonly<Record<string, (payload: Payload) => Uint8Array>> = {
  pickle: ({ pickle }) => pickle,
  'a second stream': ({ pickle }) => joined(benign, pickle),
  'a stream that breaks off': ({ pickle }) => pickle.subarray(0, -1),
  'a torch zip': ({ pickle }) => archive((name, data) => (name === 'data.pkl' ? pickle : data)),
  'a torch zip, before the tensors': ({ call, protocol }) =>
    archive((name, data) => (name === 'data.pkl' ? pickled(Math.max(2, protocol), call, op.pop(), state()) : data)),
  'a torch zip, in a storage': ({ pickle }) => archive((name, data) => (name === 'data/0' ? pickle : data)),
  'a torch zip with one member more': ({ pickle }) =>
    writeZip([...checkpointMembers(state(), [storage]), { name: 'archive/extra', data: pickle }]),
  'a torch file of before 1.6': ({ call }) => legacyCheckpoint(assemble(call, op.pop(), state(true)), [storage]),
  'a torch tar': ({ pickle }) =>
    writeTar([
      { name: 'sys_info', data: benign },
      { name: 'pickle', data: pickle },
      { name: 'tensors', data: benign },
    ]),
  'a zip': ({ pickle }) => writeZip([{ name: 'notes.txt', data: pickle, method: 'deflated' }]),
  'a zip in a zip': ({ pickle }) => writeZip([{ name: 'a.zip', data: writeZip([{ name: 'b', data: pickle }]) }]),
  'a zip with the name twice': ({ pickle }) =>
    writeZip([
      { name: 'a/data.pkl', data: pickle },
      { name: 'a/data.pkl', data: benign },
    ]),
  'a pickle before a zip': ({ pickle }) => joined(pickle, writeZip([{ name: 'archive/data.pkl', data: benign }])),
  tar: ({ pickle }) => writeTar([{ name: 'model', data: pickle }]),
  'tar and gzip': ({ pickle }) => gzipSync(writeTar([{ name: 'model', data: pickle }])),
  gzip: ({ pickle }) => gzipSync(pickle),
  zlib: ({ pickle }) => deflateSync(pickle),
  zstd: ({ pickle }) => zstdCompressSync(pickle),
  lz4: ({ pickle }) => lz4Frame(pickle),
  npy: ({ pickle }) => npyFile('|O', '(1,)', pickle),
  npz: ({ pickle }) => writeZip([{ name: 'w.npy', data: npyFile('|O', '(1,)', pickle) }]),
};

/** The file of one cell of the matrix. */
export const attack = (
  gadget: Gadget,
  call: (gadget: Gadget, protocol: number) => Uint8Array,
  container: (payload: Payload) => Uint8Array,
  protocol: number,
): Uint8Array => {
  const calling = call(gadget, protocol);
  return container({ pickle: pickled(protocol, calling), call: calling, protocol });
};
