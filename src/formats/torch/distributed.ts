import { head, section } from '../../bytes/random-access.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, type Inspection, incomplete } from '../format.ts';
import { archivesIn, type Extent } from '../zip/back-to-back.ts';
import { zipRole } from '../zip/recognise.ts';
import { cutsOf } from './cuts.ts';
import { torchZip } from './torch-zip.ts';

const FORMAT = 'torch-distcp';
/** Bytes that the recogniser of zips is shown. */
const HEAD = 4096;

/**
 * What `torch.distributed.checkpoint` writes for one rank: a `torch.save` archive for each piece of a tensor and each other
 * object, back to back in one file. The index beside it (`.metadata`) says where each is, and the loader gives each of them
 * to `torch.load`; other readers see the first or the last.
 */
export const torchDistributed: Format = {
  name: FORMAT,
  title: 'PyTorch distributed checkpoint (distcp)',
  recognisedBy:
    'Several zips back to back, from the first byte to the last, of which the last is a PyTorch checkpoint.',
  checks:
    'Every one of them is read by itself and judged as a checkpoint of its own, so that each reader gets one that was judged, whichever ' +
    'it takes. Where they are cut goes to the index beside the file, which passes only if it cuts there.',
  references: ['torch/distributed/checkpoint/filesystem.py, _write_item', 'CWE-436', 'CWE-502'],
  recognise: (start, source) => zipRole(start, source) === FORMAT,
  inspect(source, context): Inspection {
    const parts = archivesIn(source) ?? [];
    context.budget.spend('steps', parts.length);
    let all: Together = { content: 'inert', coverage: complete(source.size) };
    for (const [number, part] of parts.entries()) {
      const name = `part ${number}`;
      all = joinMember(all, inspectPart(source, part, context.inside?.(name) ?? context, context), name, source.size);
    }
    return {
      format: FORMAT,
      ...all,
      notConvertible: 'a part of a distributed checkpoint, whose index puts the tensors together',
      details: { parts: parts.length, cuts: cutsOf(parts.map(({ end }) => end)) },
    };
  },
};

const inspectPart = (
  source: Parameters<Format['inspect']>[0],
  { start, end }: Extent,
  inside: Context,
  context: Context,
): Together => {
  const part = section(source, start, end);
  if (zipRole(head(part, HEAD), part) === torchZip.name) return torchZip.inspect(part, inside);
  context.report({
    rule: `${FORMAT}.part`,
    severity: 'high',
    message: 'one of the archives in the file is no checkpoint: readers of the file see different things',
    offset: start,
    refs: ['CWE-436'],
  });
  return { content: 'unknown', coverage: incomplete('opaque', 0, end - start, 'a part that is no checkpoint') };
};
