import { readFileSync, readlinkSync } from 'node:fs';
import type { SandboxOptions, Wall } from './types.ts';
import { residentMemory } from './watch.ts';
import type { WorkerProcess } from './worker-process.ts';

/** The namespaces that a worker must have of its own. */
const NAMESPACES = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user'] as const;

/** Which of the kernel's namespaces a process has for itself, as the kernel says: not what anyone asked for. */
const ownNamespaces = (pid: number): readonly string[] =>
  NAMESPACES.filter((name) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`);
    } catch {
      return false;
    }
  });

const limitOf = (pid: number, name: string): string => {
  try {
    return (
      new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(readFileSync(`/proc/${pid}/limits`, 'latin1'))?.[1] ?? 'unlimited'
    );
  } catch {
    return 'unlimited';
  }
};

/** Looks at a living worker from outside and says which walls stand around it. `missing` says why a stronger start failed. */
export const observeWalls = (worker: WorkerProcess, missing: string): readonly Wall[] => {
  const own = ownNamespaces(worker.pid);
  const { read, write, spawn } = worker.refused;
  const polled = residentMemory(worker.pid) !== undefined;
  const data = limitOf(worker.pid, 'Max data size');
  const lacking = missing === '' ? '' : ` (${missing})`;
  const inNamespaces = own.length === NAMESPACES.length;
  return [
    { name: 'isolate', stands: true, detail: 'parsers run in a fresh isolate per file, without code generation' },
    {
      name: 'permission',
      stands: read && write && spawn,
      detail:
        read && write && spawn
          ? 'the worker was refused files and processes when it tried'
          : `the worker could ${[read ? '' : 'read files', write ? '' : 'write files', spawn ? '' : 'start processes'].filter(Boolean).join(', ')}`,
    },
    {
      name: 'limits',
      stands: polled && data !== 'unlimited',
      detail: `resident memory is ${polled ? 'watched' : 'not visible'}, the kernel's limit of data is ${data}`,
    },
    {
      name: 'namespaces',
      stands: inNamespaces,
      detail: inNamespaces ? `own ${own.join(', ')}` : `own ${own.join(', ') || 'none'}${lacking}`,
    },
    {
      name: 'network',
      stands: own.includes('net'),
      detail: own.includes('net')
        ? 'the worker has a network of its own, without a way out'
        : `the permission model of Node 24 does not cover the network${lacking}`,
    },
  ];
};

/** What must stand for each setting of `sandbox.require`. */
const REQUIRED: Readonly<Record<SandboxOptions['require'], readonly Wall['name'][]>> = {
  namespaces: ['isolate', 'permission', 'namespaces', 'network'],
  permission: ['isolate', 'permission'],
  isolate: ['isolate'],
};

/** The walls that `require` asks for and that do not stand. */
export const missingWalls = (walls: readonly Wall[], require: SandboxOptions['require']): readonly Wall[] =>
  walls.filter(({ name, stands }) => !stands && REQUIRED[require].includes(name));
