import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MIB } from '../bytes/limits.ts';

/**
 * How a worker is started, strongest first: in namespaces of its own, with the permission model only, and bare (a
 * platform without either). Each weaker one is tried only when the one before does not start.
 */
export const LEVELS = ['namespaces', 'permission', 'bare'] as const;
export type Level = (typeof LEVELS)[number];

export type CommandLine = { readonly command: string; readonly args: readonly string[] };

/** Programs of the host that build walls; undefined where one is missing. */
export type Tools = {
  readonly bwrap: string | undefined;
  readonly prlimit: string | undefined;
  readonly setpriv: string | undefined;
};

/** File descriptor on which bubblewrap tells the process id of the worker. */
export const INFO_PIPE = 5;

/**
 * Address space that the kernel counts as data though it stays untouched: Node 574 MB, each isolate's code range
 * 530 MB, for the running isolate and two unused ones. What is really held is watched by `watch.ts`.
 */
const RUNTIME_DATA = 600 * MIB + 3 * 544 * MIB;
/** Open files of a worker: its pipes and what Node opens at start. */
const OPEN_FILES = 64;
/** Seconds of processor time in a worker's whole life: the end of one that nobody is left to end. */
const PROCESSOR_SECONDS = 3600;

const TOOL_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin'];

const findTool = (name: string): string | undefined =>
  TOOL_FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** The tools of this host, looked for in the system's own folders only: PATH is for users. */
export const findTools = (): Tools =>
  process.platform === 'linux'
    ? { bwrap: findTool('bwrap'), prlimit: findTool('prlimit'), setpriv: findTool('setpriv') }
    : { bwrap: undefined, prlimit: undefined, setpriv: undefined };

/** The native half of isolated-vm for this runtime; the host never loads it, only finds it. */
export const findAddon = (): string => {
  const packageFile = createRequire(import.meta.url).resolve('isolated-vm/package.json');
  const finder: { path(folder: string): string } = createRequire(packageFile)('node-gyp-build');
  return realpathSync(finder.path(join(packageFile, '..')));
};

/** The shared libraries that this process runs on: the worker is the same program. */
const libraries = (): readonly string[] => {
  const { report } = process;
  // Not yet in the types: without them the report asks the network interfaces and copies the environment.
  Object.assign(report, { excludeNetwork: true, excludeEnv: true });
  const shared: unknown = JSON.parse(JSON.stringify(report.getReport())).sharedObjects;
  return Array.isArray(shared) ? shared.filter((path) => typeof path === 'string' && existsSync(path)) : [];
};

type Parts = { readonly tools: Tools; readonly addon: string; readonly workerFile: string; readonly memory: number };

/** The command that starts one worker at `level`; undefined where the host lacks what it needs. */
export const commandLine = (level: Level, parts: Parts): CommandLine | undefined => {
  const { tools } = parts;
  if (level === 'namespaces') {
    if (tools.bwrap === undefined) return undefined;
    return chain(limited(parts), [
      tools.bwrap,
      ...namespaces(parts),
      ...node('/w/node', '/w/worker.cjs', '/w/vm.node'),
    ]);
  }
  const program = node(process.execPath, parts.workerFile, parts.addon, level === 'permission');
  const bound = tools.setpriv === undefined ? [] : [tools.setpriv, '--pdeathsig', 'KILL', '--no-new-privs', '--'];
  return chain([...EMPTY_ENVIRONMENT, ...bound, ...limited(parts)], program);
};

/**
 * bubblewrap clears the environment itself. Elsewhere `env` does, since what instruments this process (a coverage tool,
 * a monitoring agent) may put its own variables into every child, and NODE_OPTIONS would load its code into the worker.
 */
const EMPTY_ENVIRONMENT: readonly string[] = existsSync('/usr/bin/env') ? ['/usr/bin/env', '-i', '--'] : [];

const chain = (prefix: readonly string[], rest: readonly string[]): CommandLine | undefined => {
  const [command, ...args] = [...prefix, ...rest];
  return command === undefined ? undefined : { command, args };
};

/** Kernel limits: no core file, no file written, few open files, and twice the isolate's memory beside the runtime. */
const limited = ({ tools, memory }: Parts): readonly string[] =>
  tools.prlimit === undefined
    ? []
    : [
        tools.prlimit,
        '--core=0',
        '--fsize=0',
        `--nofile=${OPEN_FILES}`,
        `--cpu=${PROCESSOR_SECONDS}`,
        `--data=${RUNTIME_DATA + 2 * memory}`,
        '--',
      ];

/** bubblewrap: every namespace, no capability, and of the file system only the program and its libraries, read-only. */
const namespaces = ({ addon, workerFile }: Parts): readonly string[] => [
  '--unshare-all',
  '--unshare-user',
  ...['--uid', '65534', '--gid', '65534'],
  '--die-with-parent',
  '--new-session',
  '--clearenv',
  ...['--cap-drop', 'ALL'],
  '--as-pid-1',
  ...['--info-fd', String(INFO_PIPE)],
  ...['--ro-bind', process.execPath, '/w/node'],
  ...['--ro-bind', workerFile, '/w/worker.cjs'],
  ...['--ro-bind', addon, '/w/vm.node'],
  ...libraries().flatMap((path) => ['--ro-bind', path, path]),
  ...['--remount-ro', '/'],
  ...['--chdir', '/'],
  '--',
];

/**
 * An isolate lives for one file, some 10 ms (decision 25). Code that is compiled to be thrown away costs more than it
 * saves, and 8 MB for young objects are not collected before most files are done.
 */
const FOR_SHORT_LIVES: readonly string[] = ['--no-sparkplug', '--min-semi-space-size=8'];

/**
 * isolated-vm needs Node without its start-up snapshot. Addons must be allowed for it, and only the worker's own two
 * files can be read. Where the permission model is missing, Node does not know these options.
 */
const node = (program: string, workerFile: string, addon: string, permission = true): readonly string[] => [
  program,
  '--no-node-snapshot',
  '--no-warnings',
  '--disallow-code-generation-from-strings',
  ...FOR_SHORT_LIVES,
  ...(permission
    ? ['--permission', '--allow-addons', `--allow-fs-read=${workerFile}`, `--allow-fs-read=${addon}`]
    : []),
  workerFile,
  addon,
];
