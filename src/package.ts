import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const rootAbove = (folder: string): string => {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('package.json not found above the program');
  return rootAbove(parent);
};

/** The folder of package.json: of the checkout, or of the installed package where the program runs from `build/`. */
export const packageRoot = rootAbove(import.meta.dirname);

/** The version in package.json. */
export const version: string = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
