#!/usr/bin/env node
// Starts Weighbridge on a Node that can run it. Plain JavaScript for Node 20, the oldest that may start this file:
// the sandbox needs Node 24, which the package carries as an optional dependency.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = 24;
const GUARD = 'WEIGHBRIDGE_CARRIED_NODE';
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** A checkout runs its TypeScript; Node refuses to strip types under node_modules, so a package brings JavaScript. */
const program = () => {
  const source = join(root, 'src', 'main.ts');
  const installed = root.split(sep).includes('node_modules');
  return !installed && existsSync(source) ? source : join(root, 'build', 'src', 'main.js');
};

const carriedNode = () => {
  const require = createRequire(import.meta.url);
  const file = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node';
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    try {
      const found = join(dirname(require.resolve(`${name}/package.json`)), file);
      if (existsSync(found)) return found;
    } catch {
      // Not installed: optional dependencies are only there for their own platform.
    }
  }
  return undefined;
};

const restart = (node) => {
  const args = ['--no-node-snapshot', '--disable-warning=ExperimentalWarning', program(), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, [GUARD]: '1' } });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both processes by itself; a second one would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`weighbridge: ${node} does not start: ${error.message}`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 2);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
};

/** Ends in order with the npm that started this: npm signals the shell between the two, which tells nobody. */
const followParent = () => {
  const parent = process.ppid;
  const look = () => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  };
  const timer = setInterval(look, 250);
  timer.unref();
};

if (process.env.npm_lifecycle_event !== undefined) followParent();
if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  await import(pathToFileURL(program()).href);
} else {
  const node = process.env[GUARD] === undefined ? carriedNode() : undefined;
  if (node === undefined) {
    console.error(
      `weighbridge: needs Node ${NEEDED} or later and this is ${process.version}. ` +
        `Install without --omit=optional to get the Node it carries, or run it with Node ${NEEDED}.`,
    );
    process.exit(2);
  }
  restart(node);
}
