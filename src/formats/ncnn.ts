import { MIB, within } from '../bytes/limits.ts';
import { WeighbridgeError } from '../errors.ts';
import { type Companion, complete, type Format, type Inspection, type Json, printable } from './format.ts';
import { wholeText } from './text/decode.ts';

/** Bytes of a graph in text, and layers of one: the largest published ones have some thousand. */
const TEXT = 64 * MIB;
const LAYERS = 100_000;
/** Tensors with a mark of how they are stored; each is checked in the file of weights. */
const MARKED = 20_000;
/** Before the weights of some layers: how they are stored (ncnn `ModelBinFromDataReader::load`). */
const FLOAT16 = 0x01306b47;
const FLOAT32 = 0;

/** A run of numbers in the file of weights: marked ones say how they are stored, plain ones are 32 bits wide. */
type Run = { readonly numbers: number; readonly marked: boolean };
/** The parameters of a layer by number, as they are written. */
type Parameters = ReadonlyMap<number, string>;
type Value = (key: number, otherwise?: number) => number;

/** Layers that read nothing from the file of weights. */
const WEIGHTLESS = new Set(
  `AbsVal ArgMax BNLL BinaryOp CELU Cast Clip Concat CopyTo Crop CumulativeSum DetectionOutput Diag Dropout ELU Eltwise Erf
   Exp ExpandDims Flatten Flip Fold GELU GLU GridSample HardSigmoid HardSwish Input Interp LRN Log MVN MatMul Mish Noop
   Packing Permute PixelShuffle Pooling Pooling1D Pooling3D Power PriorBox Proposal PSROIPooling ROIAlign ROIPooling
   ReLU Reduction Reorg Reshape SELU SPP Shrink ShuffleChannel Sigmoid Slice Softmax Softplus Split Squeeze Swish TanH
   Threshold Tile UnaryOp Unfold YoloDetectionOutput Yolov3DetectionOutput`.split(/\s+/),
);

const plain = (numbers: number): Run => ({ numbers, marked: false });
const marked = (numbers: number): Run => ({ numbers, marked: true });

/** Weights, and a bias; quantised ones and those that arrive as an input are left to a person. */
const convolution = (value: Value): readonly Run[] | undefined => {
  if (value(8) !== 0 || value(19) !== 0 || value(28) !== 0) return undefined;
  return [marked(value(6)), ...(value(5) === 0 ? [] : [plain(value(0))])];
};
const scaled = (count: number, affine: number, runs: number): readonly Run[] =>
  affine === 0 ? [] : Array.from({ length: runs }, () => plain(count));

/** What layers read from the file of weights, in order (`Layer::load_model` of each); undefined for what is not read here. */
const WEIGHTS: Readonly<Record<string, (value: Value) => readonly Run[] | undefined>> = {
  Convolution: convolution,
  Convolution1D: convolution,
  ConvolutionDepthWise: convolution,
  Deconvolution: convolution,
  DeconvolutionDepthWise: convolution,
  InnerProduct: (value) =>
    value(8) === 0 ? [marked(value(2)), ...(value(1) === 0 ? [] : [plain(value(0))])] : undefined,
  Embed: (value) => (value(18) === 0 ? [marked(value(3)), ...(value(2) === 0 ? [] : [plain(value(0))])] : undefined),
  Padding: (value) => (value(6) === 0 ? [] : [plain(value(6))]),
  PReLU: (value) => [plain(value(0))],
  Bias: (value) => [plain(value(0))],
  BatchNorm: (value) => scaled(value(0), 1, 4),
  InstanceNorm: (value) => scaled(value(0), value(2, 1), 2),
  GroupNorm: (value) => scaled(value(1), value(3, 1), 2),
  LayerNorm: (value) => scaled(value(0), value(2, 1), 2),
  Scale: (value) => [plain(value(0)), ...(value(1) === 0 ? [] : [plain(value(0))])],
};

/** A graph of ncnn in text, with its weights in the `.bin` of the same name. */
export const ncnnParam: Format = {
  name: 'ncnn-param',
  title: 'ncnn graph (text)',
  begins: [0x37],
  recognisedBy: 'text whose first line is 7767517',
  checks:
    'as many layers as it says, each with its inputs, outputs and parameters; the weights beside it are laid out when every layer that reads some is known',
  references: ['https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure', 'CWE-125'],
  // `Net::load_param` reads the number first.
  recognise: (head) => /^7767517[ \t]*\r?\n/.test(String.fromCharCode(...head.subarray(0, 32))),
  inspect(source, context): Inspection {
    const lines = wholeText(source, TEXT).split(/\r?\n/);
    const [, counts = '', ...rest] = lines;
    const layers = rest.map((line) => line.trim().split(/\s+/)).filter(([type]) => type !== '');
    within('ncnn.layers', layers.length, LAYERS);
    context.budget.spend('steps', layers.length);
    if (!/^\d{1,9}\s+\d{1,9}\s*$/.test(counts) || Number(counts.trim().split(/\s+/)[0]) !== layers.length)
      throw new WeighbridgeError('FORMAT_INVALID', 'the graph has another number of layers than it says', {
        offset: 0,
      });
    const runs = layers.map(runsOf);
    const unread = layers.find((_, index) => runs[index] === undefined)?.[0];
    const laidOut = unread === undefined ? runs.flatMap((some) => some ?? []) : [];
    const companions = companionsOf(laidOut);
    const told: { [key: string]: Json } =
      unread === undefined ? {} : { notLaidOut: `${printable(unread, 60)}: what it reads is not known` };
    return {
      format: 'ncnn-param',
      content: 'inert',
      coverage: complete(source.size),
      details: { layers: layers.length, ...told },
      ...(companions.length === 0 ? {} : { companions }),
    };
  },
};

/** What one layer reads. Throws FORMAT_INVALID for a line that is none. */
const runsOf = (words: readonly string[]): readonly Run[] | undefined => {
  const [type = '', , inputs = '', outputs = '', ...rest] = words;
  const names = Number(inputs) + Number(outputs);
  if (!/^\d{1,6}$/.test(inputs) || !/^\d{1,6}$/.test(outputs) || rest.length < names)
    throw new WeighbridgeError('FORMAT_INVALID', `a layer is cut: ${printable(type, 60)}`, { offset: 0 });
  if (WEIGHTLESS.has(type)) return [];
  const parameters = parametersOf(rest.slice(names));
  const read = Object.hasOwn(WEIGHTS, type) ? WEIGHTS[type] : undefined;
  if (read === undefined || parameters === undefined) return undefined;
  let certain = true;
  const runs = read((key, otherwise = 0) => {
    const written = parameters.get(key);
    certain &&= written === undefined || /^\d{1,12}$/.test(written);
    return written === undefined ? otherwise : Number(written);
  });
  return certain ? runs : undefined;
};

const parametersOf = (words: readonly string[]): Parameters | undefined => {
  const parameters = new Map<number, string>();
  for (const word of words) {
    const [, key = '', written = ''] = /^(-?\d{1,6})=(.*)$/.exec(word) ?? [];
    if (key === '' || parameters.has(Number(key))) return undefined;
    parameters.set(Number(key), written);
  }
  return parameters;
};

/** The weights as they are when every marked run is stored in 16 bits, and in 32. */
const companionsOf = (runs: readonly Run[]): readonly Companion[] => {
  const marks = runs.filter((run) => run.marked).length;
  if (marks > MARKED) return [];
  const stored = (marks === 0 ? [FLOAT32] : [FLOAT16, FLOAT32]).map((mark) => layOut(runs, mark));
  return stored.filter(({ size }) => Number.isSafeInteger(size) && size > 0);
};

const layOut = (runs: readonly Run[], mark: number): Companion => {
  const fixed: { offset: number; length: number; value: number }[] = [];
  let size = 0;
  for (const run of runs) {
    if (run.marked) {
      fixed.push({ offset: size, length: 4, value: mark });
      size += 4;
    }
    const width = run.marked && mark === FLOAT16 ? 2 : 4;
    const end = size + run.numbers * width;
    // Writers fill up to a multiple of four bytes (`ModelWriter::fwrite_weight_tag_data`).
    const padding = (4 - (end % 4)) % 4;
    if (padding > 0) fixed.push({ offset: end, length: padding, value: 0 });
    size = end + padding;
  }
  return { names: ['.bin'], sameStem: true, size, fixed };
};
