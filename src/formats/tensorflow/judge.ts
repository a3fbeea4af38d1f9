import type { Severity } from '../format.ts';
import { INERT } from './operators.ts';

export type Verdict = { readonly rule: string; readonly severity: Severity; readonly message: string };

/** Operators that read or write the checkpoint that the graph belongs to: judged by where their path comes from. */
export const CHECKPOINT: ReadonlySet<string> = new Set([
  'SaveV2',
  'RestoreV2',
  'MergeV2Checkpoints',
  'CheckpointHasKeyV2',
]);
/** Operators that read a vocabulary: judged like those above; an asset of the model is what they are for. */
export const VOCABULARY: ReadonlySet<string> = new Set([
  'InitializeTableFromTextFile',
  'InitializeTableFromTextFileV2',
]);

/** Families of operators that act outside the graph, and what they do. They word the finding; the list of inert ones decides. */
const DANGERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:Eager)?Py(?:Func|Call)/, 'calls a Python function of the process'],
  [/^(?:ReadFile|WholeFileReader|MatchingFiles|ImmutableConst)/, 'reads files'],
  [/^(?:WriteFile|SaveSlices|Save|SaveDataset|SaveDatasetV2|DatasetToTFRecord|WriteRawProtoSummary)/, 'writes files'],
  [/^(?:Restore|RestoreSlice|LoadDataset|LoadAndRemapMatrix|GenerateVocabRemapping)/, 'reads files'],
  [/^(?:TextLine|FixedLengthRecord|TFRecord|LMDB|Identity|Sql)(?:Reader|Dataset)/, 'reads files or a database'],
  [/^(?:Snapshot|Cache|SSTable|RecordIO|BigQuery|Cloud)\w*(?:Dataset|Reader)/, 'reads or writes files'],
  [/^(?:Rpc|TryRpc|RpcCall|RpcClient|RpcServer|RemoteCall|RemoteFusedGraph|DataService)/, 'calls another machine'],
  [/^(?:Debug)/, 'sends tensors to a file or another machine'],
  [
    /^(?:LoadLibrary|LoadLibraryV2|ShellExecute|ExecuteOp|ConfigureDistributedTPU|SystemConfig)/,
    'loads or runs native code',
  ],
  [
    /^(?:Summary|Create\w*SummaryWriter|WriteSummary|WriteScalarSummary|WriteGraphSummary|Write\w+Summary|ImportEvent)/,
    'writes files',
  ],
  [/^(?:_?Send|_?Recv|_Host(?:Send|Recv)|Collective)/, 'exchanges tensors with another machine'],
];

/** Parsers of untrusted bytes, in native code; harmless for the host of the model. */
const DECODERS =
  /^(?:Decode(?:Raw|PaddedRaw|Compressed|Jpeg|AndCropJpeg|Png|Gif|Bmp|Image|WebP|Wav)|ParseTensor|ExtractJpegShape)$/;
const PRINTERS = /^Print(?:V2)?$/;

const CODE = { rule: 'tensorflow.operator', severity: 'high' } as const;

/**
 * What an operator that is neither inert nor a function of the model means. Allowed are the operators in INERT; those of
 * CHECKPOINT and VOCABULARY are for the caller.
 */
export const judgeOperator = (operator: string): Verdict | undefined => {
  if (INERT.has(operator) || CHECKPOINT.has(operator) || VOCABULARY.has(operator)) return undefined;
  const danger = DANGERS.find(([family]) => family.test(operator))?.[1];
  if (danger !== undefined) return { ...CODE, message: `an operator of the graph ${danger}` };
  if (DECODERS.test(operator)) {
    return { rule: 'tensorflow.decoder', severity: 'low', message: 'an operator of the graph parses a file format' };
  }
  if (PRINTERS.test(operator)) {
    return { rule: 'tensorflow.print', severity: 'low', message: 'an operator of the graph prints, maybe into a file' };
  }
  const message = 'an operator of the graph is on no list of inert ones';
  return { rule: 'tensorflow.unknown-operator', severity: 'medium', message };
};
