// Writes build/: the sources as JavaScript for installed packages, where Node strips no types, and what the sandbox runs.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writePrograms } from '../src/sandbox/bundle.ts';

const root = join(import.meta.dirname, '..');
rmSync(join(root, 'build'), { recursive: true, force: true });
execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
await writePrograms(join(root, 'build', 'src', 'sandbox', 'prebuilt'));
