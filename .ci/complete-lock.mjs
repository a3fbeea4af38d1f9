// Adds to package-lock.json the builds of optional dependencies for platforms whose packages the registry at hand did not
// have. npm leaves them out of a lockfile that it writes, and `npm ci` then calls that lockfile out of step.
// Run it after every `npm install` that changes the lockfile; test/package.test.ts says when it was forgotten.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));

/** What npm would install a build on, as its name says it: `binding-linux-arm64-musl`, `cli-win32-x64`. */
const platformOf = (name) => {
  const parts = name.split(/[/-]/);
  const has = (part) => parts.includes(part) || undefined;
  const os = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'].find(has);
  const cpu = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x'].find(has);
  if (os === undefined || cpu === undefined) throw new Error(`${name}: the name does not say for which platform it is`);
  const libc = os === 'linux' && ['gnu', 'gnueabihf'].some(has) ? 'glibc' : ['musl', 'musleabihf'].some(has) && 'musl';
  return { cpu: [cpu], os: [os], ...(libc && { libc: [libc] }) };
};

const missing = Object.values(lock.packages).flatMap((entry) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => [`node_modules/${name}`, { version, ...(entry.dev && { dev: true }), optional: true, ...platformOf(name) }]),
);
const order = ([a], [b]) => (a < b ? -1 : 1);
lock.packages = Object.fromEntries([...Object.entries(lock.packages), ...missing].sort(order));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${missing.length} added`);
