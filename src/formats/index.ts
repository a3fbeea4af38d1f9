import { type Budget, createBudget, DEFAULT_LIMITS, type Limits } from '../bytes/limits.ts';
import { metered } from '../bytes/metered.ts';
import { head, type RandomAccess } from '../bytes/random-access.ts';
import { isFault } from '../errors.ts';
import { WINDOW, windowed } from './archive/window.ts';
import { arrow } from './arrow/ipc.ts';
import { parquet } from './arrow/parquet.ts';
import { catboost } from './boosting/catboost.ts';
import { lightgbm } from './boosting/lightgbm.ts';
import { xgboostUbj } from './boosting/xgboost.ts';
import { xgboostBinary } from './boosting/xgboost-binary.ts';
import { brotli } from './brotli/brotli.ts';
import { blosc } from './compressed/blosc.ts';
import { bzip2 } from './compressed/bzip2.ts';
import { gzip, zlib } from './compressed/gzip.ts';
import { lz4 } from './compressed/lz4.ts';
import { lzma } from './compressed/lzma.ts';
import { sealed } from './compressed/sealed.ts';
import { xz } from './compressed/xz.ts';
import { zstd } from './compressed/zstd.ts';
import { coreml } from './coreml/coreml.ts';
import { coremlWeights } from './coreml/weights.ts';
import { crfsuite } from './crfsuite/crfsuite.ts';
import { withoutRuns } from './dataset-rows.ts';
import { dawg } from './dawg.ts';
import { beginsLike } from './disguise.ts';
import { engines } from './engines.ts';
import { executorch } from './executorch.ts';
import { faiss } from './faiss.ts';
import { fasttext } from './fasttext.ts';
import { explain } from './findings/explain.ts';
import {
  CONTENTS,
  type Context,
  complete,
  type Finding,
  type Format,
  type Inspection,
  incomplete,
  printable,
  type Report,
  UNRECOGNISED,
} from './format.ts';
import { ggml } from './ggml.ts';
import { gguf } from './gguf/gguf.ts';
import { hdf5 } from './hdf5/hdf5.ts';
import { hnswlib } from './hnswlib/hnswlib.ts';
import { hnswlibLinks } from './hnswlib/links.ts';
import { hnswlibHeader } from './hnswlib/parts.ts';
import { javaSerialized } from './java.ts';
import { joblib } from './joblib.ts';
import { json, jsonLines } from './json/json.ts';
import { lance } from './lance/lance.ts';
import { lanceTransaction } from './lance/transaction.ts';
import { mat } from './matlab/mat.ts';
import { audio } from './media/audio.ts';
import { gif } from './media/gif.ts';
import { jpeg } from './media/jpeg.ts';
import { pdf } from './media/pdf.ts';
import { png } from './media/png.ts';
import { riff } from './media/riff.ts';
import { mediapipe } from './mediapipe/mediapipe.ts';
import { merge } from './merge.ts';
import { flax } from './msgpack/flax.ts';
import { mxnetParams } from './mxnet.ts';
import { native } from './native.ts';
import { ncnnParam } from './ncnn.ts';
import { npy } from './npy.ts';
import { ocdbt } from './ocdbt/ocdbt.ts';
import { onnx } from './onnx/onnx.ts';
import { paddle } from './paddle/paddle.ts';
import { paddleParams } from './paddle/params.ts';
import { pickle } from './pickle/format.ts';
import { pythonBytecode } from './python-bytecode.ts';
import { qdrantFormats } from './qdrant/qdrant.ts';
import { rds } from './r/rds.ts';
import { rocksdbLog } from './rocksdb/log.ts';
import { rocksdbTable } from './rocksdb/table.ts';
import { safetensors } from './safetensors.ts';
import { sentencepiece } from './sentencepiece.ts';
import { sevenZip } from './sevenzip/sevenzip.ts';
import { skops } from './skops/skops.ts';
import { sqlite } from './sqlite/sqlite.ts';
import { tar } from './tar/tar.ts';
import { checkpointIndex } from './tensorflow/checkpoint.ts';
import { fingerprint, graphDef, kerasMetadata, metaGraph, savedModel } from './tensorflow/formats.ts';
import { linesAt } from './text/lines.ts';
import { markup } from './text/markup.ts';
import { plainText } from './text/plain.ts';
import { pointer } from './text/pointer.ts';
import { pythonSource } from './text/python.ts';
import { script } from './text/script.ts';
import { template } from './text/template.ts';
import { tflite } from './tflite/tflite.ts';
import { torchLegacy } from './torch/legacy.ts';
import { torchTar } from './torch/torch-tar.ts';
import { torch7 } from './torch7.ts';
import { structureOf } from './weights/plan.ts';
import { openvino } from './xml/openvino.ts';
import { pmml } from './xml/pmml.ts';
import { xml } from './xml/xml.ts';
import { zipFamilies } from './zip/families.ts';
import { zip } from './zip/zip.ts';

/** Every format that is recognised. Order matters only for the name of the report: the first that fits gives it. */
export const formats: readonly Format[] = [
  safetensors,
  gguf,
  joblib,
  pickle,
  npy,
  ...zipFamilies,
  torch7,
  torchLegacy,
  skops,
  zip,
  torchTar,
  tar,
  sevenZip,
  gzip,
  zlib,
  bzip2,
  xz,
  lzma,
  lz4,
  zstd,
  blosc,
  brotli,
  sealed,
  flax,
  mat,
  rds,
  javaSerialized,
  ggml,
  mxnetParams,
  crfsuite,
  dawg,
  fasttext,
  paddleParams,
  xgboostUbj,
  xgboostBinary,
  lightgbm,
  catboost,
  pointer,
  json,
  jsonLines,
  pythonSource,
  script,
  template,
  pmml,
  openvino,
  ncnnParam,
  xml,
  markup,
  plainText,
  native,
  pythonBytecode,
  parquet,
  arrow,
  sqlite,
  faiss,
  hnswlib,
  hnswlibHeader,
  hnswlibLinks,
  lance,
  lanceTransaction,
  rocksdbTable,
  rocksdbLog,
  ...qdrantFormats,
  ocdbt,
  sentencepiece,
  hdf5,
  onnx,
  tflite,
  executorch,
  coreml,
  coremlWeights,
  paddle,
  savedModel,
  metaGraph,
  graphDef,
  mediapipe,
  kerasMetadata,
  fingerprint,
  checkpointIndex,
  engines,
  png,
  jpeg,
  gif,
  riff,
  pdf,
  audio,
];

/** The formats with a mark that a file may be of, by its first byte. */
const WITH_A_MARK: readonly (readonly Format[])[] = Array.from({ length: 256 }, (_, byte) =>
  formats.filter(({ lastResort, begins }) => lastResort !== true && begins?.includes(byte) !== false),
);
const LAST_RESORTS = formats.filter(({ lastResort }) => lastResort === true);

/** Bytes that `recognise` is shown; every magic number and every first line fits. */
const HEAD = 4096;

type Options = {
  readonly limits?: Partial<Limits>;
  readonly provisional?: boolean;
  readonly personalData?: boolean;
};
type Shared = {
  readonly budget: Budget;
  readonly provisional: boolean;
  readonly personalData: boolean;
  readonly findings: Finding[];
  dropped: number;
};

/**
 * Inspects a file as every loader that could open it: each registered format that recognises it reads it, and the
 * report is the worst of the readings. Never throws on account of the bytes: an error, a limit and an unknown format
 * are coverage.
 */
export const inspect = (source: RandomAccess, options: Options = {}): Report => {
  const budget = createBudget({ ...DEFAULT_LIMITS, ...options.limits });
  const { provisional = false, personalData = false } = options;
  const shared: Shared = { budget, provisional, personalData, findings: [], dropped: 0 };
  const inspection = withStructure(
    onlyOfDataset(onlyOfData(readAll(begun(metered(source, budget), shared), shared, []))),
  );
  if (shared.dropped === 0) return { ...inspection, findings: shared.findings };
  const reason = `${shared.dropped} findings beyond the limit of ${budget.limits.findings} are not listed`;
  const { bytesInspected, bytesTotal } = inspection.coverage;
  return {
    ...inspection,
    findings: shared.findings,
    coverage: incomplete('partial', bytesInspected, bytesTotal, reason),
  };
};

/** Recognisers look at the beginning again and again: of a remote file it is fetched once. */
const begun = (source: RandomAccess, { provisional }: Shared): RandomAccess => {
  if (!provisional) return source;
  const view = windowed(source);
  view.fetch(0, Math.min(source.size, WINDOW));
  return view;
};

const readAll = (source: RandomAccess, shared: Shared, path: readonly string[]): Inspection => {
  if (path.length > shared.budget.limits.depth) {
    return unknown(source, `containers are nested deeper than ${shared.budget.limits.depth}`);
  }
  if (source.size === 0) return { format: 'empty', content: 'inert', coverage: complete(0) };
  const start = head(source, HEAD);
  const fitting = (among: readonly Format[]): readonly Format[] =>
    among.filter((format) => recognises(format, start, source, shared.provisional));
  const marked = fitting(WITH_A_MARK[start[0] ?? 0] ?? []);
  const readings = (marked.length > 0 ? marked : fitting(LAST_RESORTS)).map((format) =>
    readAs(format, source, shared, path),
  );
  const [first, ...others] = readings;
  if (first === undefined) return unknown(source, unrecognised(source));
  return others.reduce(merge, first);
};

/** Why nothing is known of bytes that no format takes for its own, which may begin like something even so. */
const unrecognised = (source: RandomAccess): string => {
  try {
    const kind = beginsLike(source);
    return kind === undefined ? UNRECOGNISED : `${UNRECOGNISED}, which begins like ${kind}`;
  } catch (error) {
    if (!isFault(error)) throw error;
    return `${UNRECOGNISED}, whose beginning could not be read`;
  }
};

const recognises = (format: Format, start: Uint8Array, source: RandomAccess, provisional: boolean): boolean => {
  try {
    return format.recognise(start, source, provisional);
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};

const readAs = (format: Format, source: RandomAccess, shared: Shared, path: readonly string[]): Inspection => {
  const context = contextAt(shared, path);
  const before = shared.findings.length;
  try {
    const inspection = format.inspect(source, context);
    addLines(inspection.format, source, shared, before, path);
    return inspection;
  } catch (error) {
    if (!isFault(error)) throw error;
    const limit = error.code === 'LIMIT_EXCEEDED';
    record(
      shared,
      {
        rule: limit ? `${format.name}.limit` : `${format.name}.malformed`,
        severity: 'medium',
        message: `${format.title}: ${printable(error.message)}`,
        offset: placeOf(error.details['offset']),
        refs: limit ? ['CWE-400'] : ['CWE-20'],
      },
      path,
    );
    addLines(format.name, source, shared, before, path);
    return {
      format: format.name,
      content: 'unknown',
      coverage: incomplete('partial', 0, source.size, printable(error.message)),
    };
  }
};

/** Says in which lines of a text the findings from `first` on stand that are in it, and not in a member. */
const addLines = (
  format: string,
  source: RandomAccess,
  { findings, provisional }: Shared,
  first: number,
  path: readonly string[],
): void => {
  if (provisional) return;
  const own = findings.slice(first).filter(({ where }) => where.path === path);
  const lines = linesAt(
    format,
    source,
    own.map(({ where }) => where.offset),
  );
  for (let index = first; index < findings.length && lines.size > 0; index++) {
    const finding = findings[index];
    const line = finding?.where.path === path ? lines.get(finding.where.offset) : undefined;
    if (finding !== undefined && line !== undefined)
      findings[index] = { ...finding, where: { ...finding.where, line } };
  }
};

/** Where a fault was: a parser that looked before the start of a file that is too short found it at its start. */
const placeOf = (offset: unknown): number =>
  typeof offset === 'number' && Number.isSafeInteger(offset) ? Math.max(0, offset) : 0;

const contextAt = (shared: Shared, path: readonly string[]): Context => ({
  path,
  budget: shared.budget,
  provisional: shared.provisional,
  personalData: shared.personalData,
  report: (finding) => record(shared, finding, path),
  nested: (member, name) => alone(readAll(member, shared, [...path, printable(name)])),
  among: (member, name) => readAll(member, shared, [...path, printable(name)]),
  inside: (name) => contextAt(shared, [...path, printable(name)]),
});

/** A member takes nothing out of its container: no loader finds bytes for it outside, and its rows are not those of all. */
const alone = (inspection: Inspection): Inspection => {
  const { companions, parts, rows, ...rest } = inspection;
  return companions === undefined && parts === undefined && rows === undefined ? inspection : rest;
};

const record = (shared: Shared, finding: Parameters<Context['report']>[0], path: readonly string[]): void => {
  if (shared.findings.length >= shared.budget.limits.findings) {
    shared.dropped += 1;
    return;
  }
  const { rule, severity, message, offset, evidence = '' } = finding;
  const refs = finding.refs?.length ? finding.refs : (explain(rule)?.refs ?? []);
  shared.findings.push({ rule, severity, message, where: { path, offset }, evidence: evidence.slice(0, 200), refs });
};

const unknown = (source: RandomAccess, reason: string): Inspection => ({
  format: 'unknown',
  content: 'unknown',
  coverage: incomplete('opaque', 0, source.size, reason),
});

/** What is not provably data is not converted, even where its tensors could be found. */
const onlyOfData = (inspection: Inspection): Inspection => {
  if (CONTENTS.indexOf(inspection.content) <= CONTENTS.indexOf('library')) return inspection;
  const { plan, ...rest } = inspection;
  return plan === undefined ? rest : { ...rest, notConvertible: `it holds ${inspection.content} content` };
};

/** Rows are left out only of what is nothing but a dataset, and was read to its end. */
const onlyOfDataset = (inspection: Inspection): Inspection => {
  const { rows, content, coverage } = inspection;
  if (rows === undefined || (content === 'inert' && coverage.state === 'complete')) return inspection;
  return { ...inspection, rows: withoutRuns(rows, 'it is not only a dataset, or was not read to its end') };
};

/** A checkpoint with a plan has the structure of the safetensors file that it becomes. */
const withStructure = (inspection: Inspection): Inspection => {
  const { plan, details } = inspection;
  return plan === undefined ? inspection : { ...inspection, details: { ...details, weights: structureOf(plan) } };
};
