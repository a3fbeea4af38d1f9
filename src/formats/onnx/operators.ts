/**
 * Operators that are computed by the runtime itself and touch nothing but tensors: what the ONNX specification defines
 * (all versions up to opset 26), and the experimental ones of its first versions that exporters still write.
 */
const STANDARD = `Abs Acos Acosh Add Affine AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool
  BatchNormalization Bernoulli BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike
  CausalConvWithState Ceil Celu CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantFill
  ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh Crop CumProd CumSum DFT DeformConv DepthToSpace
  DequantizeLinear Det Div Dropout DynamicQuantizeLinear DynamicSlice Einsum Elu Equal Erf Exp Expand EyeLike Flatten
  Floor GRU GRUUnit Gather GatherElements GatherND Gelu Gemm GivenTensorFill GlobalAveragePool GlobalLpPool
  GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish
  Hardmax Identity If ImageDecoder ImageScaler InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu
  Less LessOrEqual LinearAttention Log LogSoftmax Loop LpNormalization LpPool MatMul MatMulInteger Max MaxPool
  MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg
  NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or PRelu
  Pad ParametricSoftplus Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN RandomNormal
  RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
  ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape Resize
  ReverseSequence RoiAlign RotaryEmbedding Round STFT Scale ScaledTanh Scan Scatter ScatterElements ScatterND Selu
  SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink
  Sigmoid Sign SimplifiedLayerNormalization Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign
  SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish Tan
  Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample Where Xor
  FlexAttention`;

const LEARNING = `ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer
  LabelEncoder LinearClassifier LinearRegressor Normalizer OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsemble
  TreeEnsembleClassifier TreeEnsembleRegressor ZipMap`;

const TRAINING = 'Adagrad Adam Gradient GraphCall Momentum';

const setOf = (names: string): ReadonlySet<string> => new Set(names.split(/\s+/));
const standard = setOf(STANDARD);
const training = setOf(TRAINING);

/** Operators by domain; the empty name is the standard domain. */
export const OPERATORS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['', standard],
  ['ai.onnx', standard],
  ['ai.onnx.ml', setOf(LEARNING)],
  ['ai.onnx.preview', standard],
  ['ai.onnx.training', training],
  ['ai.onnx.preview.training', training],
]);

/** Domains whose operators are compiled into ONNX Runtime; nothing of the file runs, but no other runtime knows them. */
export const CONTRIBUTED: ReadonlySet<string> = new Set([
  'com.microsoft',
  'com.microsoft.nchwc',
  'com.microsoft.experimental',
  'com.ms.internal.nhwc',
]);

/** Operators that hand over to an interpreter or to a compiled engine, in whatever domain. */
export const DANGEROUS: ReadonlyMap<string, string> = new Map([
  ['PyOp', 'calls a Python function'],
  ['PyCustomOp', 'calls a Python function'],
  ['PythonOp', 'calls a Python function'],
  ['PythonOpGrad', 'calls a Python function'],
  ['EPContext', 'loads an engine compiled elsewhere, from the file or from a path'],
]);
