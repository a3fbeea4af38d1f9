import {
  type Content,
  type Coverage,
  complete,
  type Format,
  type Inspection,
  incomplete,
  worseContent,
} from '../format.ts';
import { runPickle } from '../pickle/machine.ts';
import { readZipDirectory } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { judgeDirectory } from '../zip/plain.ts';
import { zipRole } from '../zip/recognise.ts';
import { inspectExtras, locateStorage, openTorchArchive, type TorchArchive } from './archive.ts';
import { makePlan } from './plan.ts';
import { collectTensors } from './state-dict.ts';
import { collectStorages } from './storages.ts';

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
  const { directory, context, find } = archive;
  const { size } = directory.source;
  const member = find('data.pkl');
  const opened =
    member === undefined ? { unreadable: 'there is no data.pkl' } : openMember(directory, member, context, FORMAT);
  if ('unreadable' in opened) {
    return { format: FORMAT, content: 'unknown', coverage: incomplete('opaque', 0, size, opened.unreadable) };
  }
  const inner = context.inside?.(member?.name ?? '') ?? context;
  const storages = collectStorages(inner);
  const run = runPickle(opened.bytes, 0, {
    context: inner,
    persistent: storages.persistent,
  });
  let content: Content = run.content;
  let coverage: Coverage = run.fault === undefined ? complete(size) : incomplete('partial', 0, size, run.fault);
  if (run.stopped && run.end < opened.bytes.size) {
    const message = `${opened.bytes.size - run.end} bytes follow the pickle`;
    inner.report({ rule: `${FORMAT}.pickle-tail`, severity: 'medium', message, offset: run.end, refs: ['CWE-436'] });
    content = worseContent(content, 'unknown');
  }
  const located = new Map([...storages.ids].map(([key, id]) => [key, locateStorage(archive, 'data', id)]));
  const used = new Set([...storages.ids.keys()].map((key) => `data/${key}`));
  const extras = inspectExtras(archive, used, () => false);
  content = extras.content === 'inert' ? content : worseContent(content, extras.content);
  if (coverage.state === 'complete') coverage = extras.coverage;
  const details = { storages: storages.ids.size, globals: [...run.globals], protocol: run.protocol };
  const found = { format: FORMAT, content, coverage, details };
  if (run.value === undefined) return found;
  const planned = makePlan(collectTensors(run.value), (id) => located.get(id.key), inner);
  return { ...found, ...planned };
};
