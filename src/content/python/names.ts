import type { Severity } from '../../formats/format.ts';

/** What a call does, with its severity when it runs at import and when it waits inside a function. */
export type Danger = {
  readonly what: string;
  readonly rule: string;
  readonly atImport: Severity;
  readonly inFunction: Severity;
};

const danger = (rule: string, what: string, atImport: Severity, inFunction: Severity): Danger => ({
  rule: `python.${rule}`,
  what,
  atImport,
  inFunction,
});

const PROCESS = danger('process', 'starts a program', 'high', 'medium');
const EVALUATE = danger('evaluate', 'runs text as code', 'high', 'medium');
const NATIVE = danger('native', 'loads native code', 'high', 'medium');
const UNPICKLE = danger('unpickle', 'unpickles, which runs what the pickle says', 'high', 'medium');
const IMPORT = danger('dynamic-import', 'imports a module whose name is computed', 'medium', 'low');
const NETWORK = danger('network', 'opens a network connection', 'high', 'low');
const DELETE = danger('delete', 'deletes or moves files', 'medium', 'low');
const WRITE = danger('write', 'writes a file', 'medium', 'info');
const REFERENCE = danger('reference', 'is handed on and may be called', 'medium', 'low');
const LOAD = danger('load', 'loads what may hold code', 'low', 'low');
const UNPICKLE_FILE = danger('unpickle', 'unpickles a file, which runs what the file says', 'medium', 'low');
const REMOTE = danger('remote-code', 'fetches code and runs it', 'medium', 'low');
const MODULE_VALUE = danger(
  'module-value',
  'is handed on whole, so that what is called cannot be seen',
  'medium',
  'low',
);
const SHELL = danger('reverse-shell', 'ties a connection to standard input and output', 'high', 'high');
const HOOK = danger('import-hook', 'changes how modules are imported', 'medium', 'low');
const SYSTEM = danger('system', 'changes or reads the state of the system', 'medium', 'low');

/** Whole modules: every call below these names. */
const MODULES: readonly (readonly [readonly string[], Danger])[] = [
  [['subprocess', 'pty', 'commands', 'popen2', 'pexpect', 'sh', 'plumbum', 'multiprocessing.popen_fork'], PROCESS],
  [['_posixsubprocess', 'distutils.spawn', 'pip', 'pip._internal', 'setuptools.sandbox'], PROCESS],
  [['code', 'codeop', 'runpy', 'imp', 'py_compile', 'zipimport', 'pdb', 'bdb', 'cProfile', 'trace'], EVALUATE],
  [['_xxsubinterpreters', '_interpreters', 'torch.package', 'numpy.f2py.crackfortran'], EVALUATE],
  [['keyring', 'browser_cookie3', 'winreg', '_winreg'], SYSTEM],
  [['ctypes', '_ctypes', 'cffi', 'distutils.ccompiler', 'torch.utils.cpp_extension'], NATIVE],
  [['pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'marshal', 'shelve', 'jsonpickle'], UNPICKLE],
  [
    [
      'socket',
      '_socket',
      'requests',
      'urllib.request',
      'urllib2',
      'urllib3',
      'http.client',
      'httplib',
      'httpx',
      'aiohttp',
    ],
    NETWORK,
  ],
  [
    ['ftplib', 'smtplib', 'telnetlib', 'paramiko', 'websocket', 'websockets', 'xmlrpc', 'socketserver', 'webbrowser'],
    NETWORK,
  ],
];

/** Calls by their whole name. */
const CALLS: readonly (readonly [readonly string[], Danger])[] = [
  [['os.system', 'os.popen', 'os.startfile', 'os.fork', 'posix.system', 'nt.system', 'platform.popen'], PROCESS],
  [['asyncio.create_subprocess_exec', 'asyncio.create_subprocess_shell'], PROCESS],
  [['eval', 'exec', 'compile', 'execfile', 'types.CodeType'], EVALUATE],
  [
    [
      'multiprocessing.util.spawnv_passfds',
      'nltk.internals.java',
      'transformers.dynamic_module_utils.get_class_from_dynamic_module',
    ],
    PROCESS,
  ],
  [['torch.ops.load_library', 'torch.classes.load_library', 'tensorflow.load_op_library'], NATIVE],
  [['tensorflow.load_library', 'llvmlite.binding.load_library_permanently'], NATIVE],
  [['sys.meta_path.insert', 'sys.meta_path.append', 'sys.path_hooks.append', 'sys.path_hooks.insert'], HOOK],
  [['os.kill', 'os.setuid', 'os.setgid', 'os.killpg', 'os.chroot', 'pyperclip.paste', 'gc.get_objects'], SYSTEM],
  [['keras.config.enable_unsafe_deserialization', 'numexpr.evaluate', 'pandas.eval', 'sympy.sympify'], LOAD],
  [['sys.settrace', 'sys.setprofile', 'threading.settrace', 'site.addsitedir', 'timeit.timeit'], EVALUATE],
  [['importlib.util.spec_from_file_location', 'importlib.machinery.SourceFileLoader'], EVALUATE],
  [['importlib.import_module', '__import__', 'pkgutil.resolve_name', 'pydoc.locate'], IMPORT],
  [['pickle.load', 'cPickle.load', '_pickle.load', 'dill.load', 'cloudpickle.load', 'marshal.load'], UNPICKLE_FILE],
  [['yaml.unsafe_load', 'yaml.unsafe_load_all'], UNPICKLE],
  [
    [
      'joblib.load',
      'pandas.read_pickle',
      'numpy.load',
      'torch.load',
      'torch.jit.load',
      'yaml.load',
      'types.FunctionType',
    ],
    LOAD,
  ],
  [['torch.hub.load'], REMOTE],
  [['urllib.urlopen', 'urllib.urlretrieve', 'torch.hub.download_url_to_file', 'wget.download'], NETWORK],
  [
    ['shutil.rmtree', 'shutil.move', 'os.remove', 'os.unlink', 'os.rmdir', 'os.removedirs', 'os.rename', 'os.chmod'],
    DELETE,
  ],
];

/** Families within `os` that start programs. */
/** Methods that load native code, whatever object they belong to. */
const NATIVE_METHODS = /\.(?:load_extension|register_custom_ops_library)$/;
/** Methods of a path that write. */
const WRITING_METHODS = /^pathlib\.(?:\w+\.)*\w+\(\)(?:\.\w+(?:\(\))?)*\.write_(?:text|bytes)$/;

const PROCESS_PREFIXES = ['os.exec', 'os.spawn', 'os.posix_spawn', 'posix.exec', 'posix.spawn'];

/** What a notebook's kernel offers as `!` and `%`. */
const SHELL_OF_NOTEBOOK =
  /^(?:\?|IPython\.)get_ipython\(\)\.(?:system|getoutput|run_cell_magic|run_line_magic|run_cell|ex|safe_execfile)$/;

/** Functions of those modules that only describe or convert and are common in honest code. */
const HARMLESS = new Set([
  'subprocess.CalledProcessError',
  'subprocess.list2cmdline',
  'pickle.dumps',
  'pickle.dump',
  'marshal.dumps',
  'marshal.dump',
  'cPickle.dump',
  'cPickle.dumps',
  'cloudpickle.dump',
  'dill.dump',
  'subprocess.STARTUPINFO',
  'subprocess.TimeoutExpired',
  'pickle.PicklingError',
  'pickle.UnpicklingError',
  'requests.exceptions.HTTPError',
  'requests.exceptions.ConnectionError',
  'requests.exceptions.Timeout',
  'requests.Response',
  'requests.adapters.HTTPAdapter',
  'urllib.request.Request',
  'urllib3.disable_warnings',
  'urllib3.util.retry.Retry',
  'urllib3.util.Retry',
  'socket.getfqdn',
  'socket.setdefaulttimeout',
  'ctypes.create_string_buffer',
  'ctypes.create_unicode_buffer',
  'ctypes.c_int',
  'ctypes.c_long',
  'ctypes.c_ulong',
  'ctypes.c_char_p',
  'ctypes.c_void_p',
  'ctypes.c_size_t',
  'ctypes.c_float',
  'ctypes.c_double',
  'cloudpickle.dumps',
  'dill.dumps',
  'socket.gethostname',
  'requests.Session',
  'requests.exceptions.RequestException',
  'ctypes.sizeof',
  'ctypes.byref',
  'ctypes.POINTER',
  'ctypes.Structure',
]);

const byModule = new Map(MODULES.flatMap(([names, danger]) => names.map((name) => [name, danger] as const)));
const byCall = new Map(CALLS.flatMap(([names, danger]) => names.map((name) => [name, danger] as const)));

/** What calling `path` (a dotted name with aliases resolved) does, or nothing when it is not known to be dangerous. */
export const dangerOf = (path: string): Danger | undefined => {
  if (HARMLESS.has(path)) return undefined;
  const exact = byCall.get(path);
  if (exact) return exact;
  if (SHELL_OF_NOTEBOOK.test(path)) return PROCESS;
  if (NATIVE_METHODS.test(path)) return NATIVE;
  if (WRITING_METHODS.test(path)) return WRITE;
  if (PROCESS_PREFIXES.some((prefix) => path.startsWith(prefix))) return PROCESS;
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const found = byModule.get(path.slice(0, dot));
    if (found) return found;
  }
  return undefined;
};

/** Functions that need not be called where they are named: a list, a map or a parenthesis calls them. */
const REFERENCED =
  /^(?:(?:os|posix|nt)\.(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?)|subprocess\.(?:Popen|run|call|check_call|check_output|getoutput|getstatusoutput)|eval|exec|execfile|__import__)$/;

/** What naming `path` without calling it means. */
export const referenceOf = (path: string): Danger | undefined => (REFERENCED.test(path) ? REFERENCE : undefined);

export { EVALUATE, IMPORT, MODULE_VALUE, NETWORK, SHELL, WRITE };

/** Modules whose functions must not be reached by a computed name. */
export const SENSITIVE = new Set([
  'os',
  'sys',
  'subprocess',
  'builtins',
  '__builtins__',
  'posix',
  'nt',
  'importlib',
  'socket',
  'ctypes',
]);
