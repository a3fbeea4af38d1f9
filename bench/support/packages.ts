import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './files.ts';
import { run } from './processes.ts';
import { python } from './python.ts';

/** One release of a package; `registry` says whose client fetches it. */
export type Package = { readonly registry: 'pypi' | 'npm'; readonly name: string; readonly version: string };

/** One machine for all, so that the list names the same wheel whatever runs the bench. */
const PLATFORMS = ['manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'linux_x86_64', 'any'];
const ABIS = ['cp311', 'abi3', 'none'];

/**
 * The folder with the unpacked files of a package, fetched once. Nothing of it is installed or runs: wheels only, since pip
 * runs the build of a source distribution even to download it, and no npm scripts.
 */
export const unpacked = (wanted: Package): string => {
  const folder = join(cacheFolder('packages'), `${wanted.registry}-${nameOfFolder(wanted)}`);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.part`;
  rmSync(partial, { recursive: true, force: true });
  const [archives, files] = [join(partial, 'archives'), join(partial, 'files')];
  for (const made of [archives, files]) mkdirSync(made, { recursive: true });
  const archive = fetchInto[wanted.registry](wanted, archives);
  if (wanted.registry === 'pypi') run('/usr/bin/python3', ['-m', 'zipfile', '-e', archive, files]);
  else run('tar', ['-xzf', archive, '-C', files, '--strip-components=1', '--no-same-owner']);
  renameSync(files, folder);
  rmSync(partial, { recursive: true });
  return folder;
};

const nameOfFolder = ({ name, version }: Package): string => `${name.replace('@', '').replace('/', '-')}-${version}`;

const fetchInto: Readonly<Record<Package['registry'], (wanted: Package, folder: string) => string>> = {
  pypi: ({ name, version }, folder) => {
    const target = [
      ...['--python-version', '3.11', '--implementation', 'cp'],
      ...ABIS.flatMap((abi) => ['--abi', abi]),
      ...PLATFORMS.flatMap((platform) => ['--platform', platform]),
    ];
    const pip = join(python('download', ['pip==23.2.1']), 'pip');
    run(pip, ['download', '-q', '--no-deps', '--only-binary', ':all:', ...target, '-d', folder, `${name}==${version}`]);
    return onlyFileOf(folder);
  },
  npm: ({ name, version }, folder) => {
    run('npm', ['pack', '--silent', '--ignore-scripts', `${name}@${version}`], { cwd: folder });
    return onlyFileOf(folder);
  },
};

const onlyFileOf = (folder: string): string => {
  const [file, ...others] = readdirSync(folder);
  if (file === undefined || others.length > 0) throw new Error(`expected one archive in ${folder}`);
  return join(folder, file);
};
