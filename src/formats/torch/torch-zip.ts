import { type Coverage, complete, type Format, type Inspection, incomplete, worseContent } from '../format.ts';
import { readZipDirectory } from '../zip/directory.ts';
import { judgeDirectory } from '../zip/plain.ts';
import { zipRole } from '../zip/recognise.ts';
import { inspectExtras, openTorchArchive, type TorchArchive } from './archive.ts';
import { type DataPickle, readDataPickle } from './data-pickle.ts';
import { makePlan } from './plan.ts';
import { collectTensors } from './state-dict.ts';

const FORMAT = 'torch-zip';

/** What `torch.save` writes since 1.6: a zip with one pickle and the raw storages beside it. */
export const torchZip: Format = {
  name: FORMAT,
  title: 'PyTorch checkpoint (zip)',
  recognisedBy: 'A zip whose first folder holds data.pkl and no code.',
  checks:
    'The zip is strict; the pickle runs on the abstract machine; every storage it names is there and large enough, every view ' +
    'lies inside its storage; no other members; storages are not something else in disguise.',
  references: [
    'torch/serialization.py, _save and _load',
    'caffe2/serialize/inline_container.cc',
    'CVE-2025-32434',
    'CVE-2026-24747',
  ],
  recognise: (head, source) => zipRole(head, source) === FORMAT,
  inspect(source, context) {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    return inspectCheckpoint(openTorchArchive(directory, context, FORMAT));
  },
};

const inspectCheckpoint = (archive: TorchArchive): Inspection => {
  const { size } = archive.directory.source;
  const data = readDataPickle(archive, 'data.pkl', 'data');
  const extras = inspectExtras(archive, storageNames(data, 'data'), () => false);
  const found = {
    format: FORMAT,
    content: extras.content === 'inert' ? data.content : worseContent(data.content, extras.content),
    coverage: together(data.coverage, extras.coverage, size),
    details: { storages: data.storages.size, globals: data.globals.slice(0, 64), protocol: data.protocol },
  };
  return { ...found, ...planFor(data, found.content) };
};

/** Names of the members that hold a pickle's storages. */
export const storageNames = ({ storages }: DataPickle, folder: string, suffix = ''): ReadonlySet<string> =>
  new Set([...storages.keys()].map((key) => `${folder}/${key}${suffix}`));

/** The plan, or why there is none. A pickle of plain values without any tensor is data. */
export const planFor = (
  data: Pick<DataPickle, 'value' | 'storages' | 'context'>,
  content: Inspection['content'],
): Pick<Inspection, 'plan' | 'notConvertible'> & { content: Inspection['content'] } => {
  if (data.value === undefined) return { content, notConvertible: 'its pickle could not be read' };
  const state = collectTensors(data.value);
  const planned = makePlan(state, ({ key }) => data.storages.get(key), data.context);
  return { content: state.empty && content === 'tensors' ? 'data' : content, ...planned };
};

/** What both parts cover, told for the whole file. */
export const together = (data: Coverage, rest: Coverage, size: number): Coverage => {
  const worst = data.state === 'complete' ? rest : data;
  return worst.state === 'complete'
    ? complete(size)
    : incomplete(worst.state, worst.bytesInspected, size, worst.reason);
};
