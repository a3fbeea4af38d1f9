import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, type Inspection, printable } from '../format.ts';
import { looksLikePickle } from '../pickle/trial.ts';
import { readZipDirectory, type ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { inspectMember, judgeDirectory } from '../zip/plain.ts';
import { torchRoot, zipRole } from '../zip/recognise.ts';
import { inspectExtras, isRecord, openTorchArchive, type TorchArchive } from './archive.ts';
import { readDataPickle } from './data-pickle.ts';
import { planFor, storageNames, together } from './torch-zip.ts';

const FORMAT = 'torch-package';
/** Where the package keeps storages and its own records, and what the names of storages end in. */
const DATA = '.data';
const STORAGE = '.storage';
/** Records of `torch.package` beside those of every torch archive. */
const OWN_RECORDS = new Set([`${DATA}/extern_modules`, `${DATA}/python_version`, `${DATA}/version`]);

/** What `torch.package.PackageExporter` writes: pickles and other resources, their storages, and perhaps their code. */
export const torchPackage: Format = {
  name: FORMAT,
  title: 'PyTorch package (torch.package)',
  recognisedBy: 'A zip whose first folder holds .data/extern_modules and no data.pkl.',
  checks:
    'The zip is strict; every resource that is a pickle runs on the abstract machine, with the storages under .data/; views lie inside ' +
    'their storages; every other resource is inspected. Python modules in the package would run, and may stand in for any name that ' +
    'its pickles import: a package with code is held. Objects made by functions of the package are refused.',
  references: ['torch/package/package_exporter.py', 'torch/package/package_importer.py', 'CWE-502'],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    return inspectPackage(openTorchArchive(directory, context, FORMAT, STORAGE));
  },
};

type Resource = { readonly member: ZipMember; readonly name: string };

const inspectPackage = (archive: TorchArchive): Inspection => {
  const { directory, context } = archive;
  const { size } = directory.source;
  const resources = resourcesOf(archive);
  const used = new Set<string>();
  const pickles: string[] = [];
  let all: Together = { content: 'inert', coverage: complete(size) };
  for (const { member, name } of resources) {
    const found = isPickle(archive, member)
      ? inspectPickle(archive, name, used, pickles)
      : inspectMember(directory, member, context, FORMAT);
    all = joinMember(all, found, member.name, size);
  }
  all = joinMember(all, judgeCode(resources, context), 'code', size);
  const read = new Set(resources.map(({ name }) => name));
  const extras = inspectExtras(archive, used, (name) => read.has(name) || OWN_RECORDS.has(name));
  return {
    format: FORMAT,
    ...joinMember(all, extras, 'members', size),
    notConvertible: 'a torch package is loaded by its own importer, which asks for its pickles by name',
    details: { pickles: pickles.slice(0, 64), storages: used.size },
  };
};

/** What is no storage and no record: the importer opens it under any name that the program gives. */
const resourcesOf = ({ directory, context }: TorchArchive): readonly Resource[] => {
  const prefix = `${torchRoot(directory)}/`;
  context.budget.spend('steps', directory.members.length);
  return directory.members
    .filter(({ name, kind }) => name.startsWith(prefix) && kind === 'file')
    .map((member) => ({ member, name: member.name.slice(prefix.length) }))
    .filter(({ name, member }) => !isOfData(name) && !isRecord(name, member.size));
};

const isOfData = (name: string): boolean =>
  OWN_RECORDS.has(name) || (name.startsWith(`${DATA}/`) && name.endsWith(STORAGE));

const isPickle = ({ directory, context }: TorchArchive, member: ZipMember): boolean => {
  const opened = openMember(directory, member, { ...context, report: () => undefined }, FORMAT);
  return !('unreadable' in opened) && opened.bytes.size > 0 && looksLikePickle(opened.bytes, 0, opened.bytes.size);
};

const inspectPickle = (archive: TorchArchive, name: string, used: Set<string>, pickles: string[]): Together => {
  const data = readDataPickle(archive, name, DATA);
  for (const storage of storageNames(data, DATA, STORAGE)) used.add(storage);
  pickles.push(printable(name, 100));
  // The plan is not used; making it shows that every view lies inside its storage.
  const { content } = planFor(data, data.content);
  const { size } = archive.directory.source;
  return { content, coverage: together(data.coverage, complete(size), size) };
};

/** A module of the package is imported in the place of any other of its name (`PackageImporter.import_module`). */
const judgeCode = (resources: readonly Resource[], context: Context): Together => {
  const modules = resources.filter(({ name }) => name.endsWith('.py'));
  const [first] = modules;
  const coverage = complete(0);
  if (first === undefined) return { content: 'inert', coverage };
  context.report({
    rule: `${FORMAT}.code`,
    severity: 'medium',
    message: `the package brings ${modules.length} Python module(s), which run when its pickles are loaded`,
    offset: first.member.localHeader,
    evidence: printable(first.name),
    refs: ['CWE-94', 'CWE-829'],
  });
  return { content: 'code', coverage };
};
