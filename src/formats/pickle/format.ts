import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Content, type Context, type Format, type Inspection, worseContent } from '../format.ts';
import { rememberLast } from '../last-answer.ts';
import { isArrayWrapper, joblibArrays, readAsOpcodes } from './arrays.ts';
import { partsNamedBy } from './checkpoint-index.ts';
import { runStreams } from './streams.ts';
import { looksLikePickle } from './trial.ts';
import { windowed } from './window.ts';

/** The integer that torch.save writes as a pickle of its own before everything else (torch/serialization.py, MAGIC_NUMBER). */
const TORCH_MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** The same number in the decimal text of protocols 0 and 1. */
const TORCH_MAGIC_TEXT = [...'L119547037146038801333356L\n.'].map((letter) => letter.charCodeAt(0));

/**
 * True when the first pickle is exactly the constant that begins a legacy torch checkpoint. A first stream that only
 * computes that number (GHSA-97f8-7cmv-76j2) is not one.
 */
export const isTorchLegacy = (head: Uint8Array): boolean => {
  if (startsWith(head, 0, TORCH_MAGIC_TEXT)) return true;
  if (head[0] !== 0x80 || (head[1] ?? 0) < 2 || (head[1] ?? 0) > 5) return false;
  return (
    startsWith(head, 2, TORCH_MAGIC) ||
    (startsWith(head, 2, [0x95, TORCH_MAGIC.length]) && startsWith(head, 11, TORCH_MAGIC))
  );
};

const startsWith = (bytes: Uint8Array, from: number, wanted: readonly number[]): boolean =>
  wanted.every((byte, at) => bytes[from + at] === byte);

/** A pickle without torch around it holds no tensors that a converter could find: its plain values are data. */
const asData = (content: Content): Content => (content === 'tensors' ? 'data' : content);

/**
 * Reads a file of pickles, with joblib's arrays between the opcodes where there are any. A loader that does not know
 * joblib would read those arrays as opcodes; `readAsOpcodes` looks at them that way too.
 */
export const inspectPickle = (file: RandomAccess, context: Context): Inspection => {
  const source = windowed(file);
  const arrays = joblibArrays(source, context);
  const run = runStreams(source, 0, { context, outside: arrays.read });
  const firstArray = arrays.first();
  const misread = firstArray === undefined ? 'inert' : readAsOpcodes(source, context, firstArray);
  const { streams, protocol, opcodes, calls, globals } = run;
  const parts = partsNamedBy(run.value, context);
  return {
    format: firstArray === undefined ? 'pickle' : 'joblib',
    content: worseContent(worseContent(asData(run.content), misread), parts === undefined ? 'inert' : 'unknown'),
    coverage: run.coverage,
    notConvertible: 'a pickle that torch did not write',
    details: { streams, protocol, opcodes, calls, globals: globals.slice(0, 64) },
    // Only what is data but for the parts that it names may pass with them.
    ...(parts !== undefined && parts.length > 0 && asData(run.content) === 'data' && misread === 'inert'
      ? { parts }
      : {}),
  };
};

/** True when a loader of pickles would do something with the file; legacy torch checkpoints have their own format. */
export const isPickle = rememberLast(
  (head, source) => source.size > 0 && !isTorchLegacy(head) && looksLikePickle(windowed(source), 0, source.size),
);

export const pickle: Format = {
  name: 'pickle',
  title: 'Python pickle',
  recognisedBy:
    'PROTO and an opcode; or, without PROTO, bytes that run as pickles to the end of the file, or call something before they break',
  checks:
    'Every stream runs on an abstract machine for protocols 0 to 5 that imports and calls nothing. Each imported name must be on the ' +
    'allow-list, in the role that it plays there (referenced, called, given a state), with arguments that its rule accepts. ' +
    'Computed callees, extension codes, foreign persistent ids, frames that lie, bytes behind the end, expansion bombs and ' +
    'pickles inside constants are findings.',
  references: [
    'CPython Modules/_pickle.c, Lib/pickle.py and Lib/pickletools.py',
    'PyTorch torch/_weights_only_unpickler.py',
    'CWE-502',
  ],
  recognise: (head, source) => isPickle(head, source) && !isArrayWrapper(source),
  inspect: inspectPickle,
};
