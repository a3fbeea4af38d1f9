/**
 * Classes that Keras itself defines (Keras 2 and 3, tf.keras) and that do nothing with a configuration but compute.
 * Those that run code or read files by design (Lambda, TFSMLayer, TorchModuleWrapper, ...) are not among them.
 */
const LAYERS = `Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
  AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
  ContrastLimitedAdaptiveHistogramEqualization Add AdditiveAttention AlphaDropout AtrousConvolution1D AtrousConvolution2D
  Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D
  BatchNormalization BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding CenterCrop Concatenate Conv1D
  Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D
  Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D
  Cropping3D CuDNNGRU CuDNNLSTM CutMix Deconvolution2D Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
  EinsumDense Embedding Equalization Flatten GRU GRUCell GRUCellV2 GRUV2 GaussianDropout GaussianNoise
  GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D
  GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Grayscale
  GroupNormalization GroupQueryAttention HashedCrossing Hashing Highway Identity InputLayer InputSpec IntegerLookup LSTM
  LSTMCell LSTMCellV2 LSTMV2 LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxPool1D
  MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D MaxNumBoundingBoxes MaxoutDense Maximum MelSpectrogram Merge
  Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline Posterization RMSNormalization RNN
  RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
  RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective
  RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom
  ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
  SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D
  SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract SyncBatchNormalization
  TextVectorization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
  ZeroPadding2D ZeroPadding3D DenseFeatures LinearModel WideDeepModel RandomFourierFeatures PeepholeLSTMCell Layer`;

const MODEL_CLASSES = 'Functional Model Sequential Graph';
const QUANTIZERS = `Quantizer AbsMaxQuantizer GPTQConfig Float8QuantizationConfig Tokenizer AWQConfig
  Int4QuantizationConfig Int8QuantizationConfig QuantizationConfig AWQDTypePolicy GPTQDTypePolicy Int4DTypePolicy`;

const PARTS = `Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform
  Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling Zeros
  glorot_normal glorot_uniform he_normal he_uniform lecun_normal lecun_uniform L1 L1L2 L2 l1 l1_l2 l2 max_norm min_max_norm non_neg unit_norm OrthogonalRegularizer MaxNorm
  MinMaxNorm NonNeg UnitNorm RadialConstraint DTypePolicy DTypePolicyMap Float8DTypePolicy FloatDTypePolicy Policy
  QuantizedDTypePolicy QuantizedFloat8DTypePolicy PolicyV1 LossScaleOptimizer DynamicLossScale FixedLossScale SeedGenerator
  CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay LearningRateSchedule PiecewiseConstantDecay
  PolynomialDecay LinearCosineDecay NoisyLinearCosineDecay KerasTensor TensorShape`;

const TRAINING = `MultiOptimizer ScheduleFreeAdamW CategoricalGeneralizedCrossEntropy Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion Muon Nadam RMSprop SGD CTC
  BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge
  Circle CosineSimilarity Dice Generalized_Dice Hinge Huber KLDivergence LogCosh MeanAbsoluteError
  MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy
  SquaredHinge Tversky AUC Accuracy BinaryAccuracy BinaryIoU CategoricalAccuracy ConcordanceCorrelation F1Score FBetaScore
  FalseNegatives FalsePositives IoU LogCoshError Mean MeanIoU MeanMetricWrapper MeanRelativeError MeanTensor OneHotIoU
  OneHotMeanIoU PearsonCorrelation Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
  SensitivityAtSpecificity SparseCategoricalAccuracy SparseTopKCategoricalAccuracy SpecificityAtSensitivity Sum
  TopKCategoricalAccuracy TrueNegatives TruePositives SumOverBatchSize SumOverBatchSizeMetricWrapper Metric CompileMetrics
  CompileLoss LossFunctionWrapper`;

/** What the serialiser writes in place of values that JSON lacks. */
const VALUES = `__bytes__ __complex__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__ __typespec__
  Tuple tuple set frozenset slice TensorSpec`;

const setOf = (...lists: readonly string[]): ReadonlySet<string> => new Set(lists.flatMap((list) => list.split(/\s+/)));

/** Operations of a functional model that are objects of their own (keras.src.ops): elementwise, reductions, shapes. */
const OPERATIONS = `Abs Absolute AdaptiveAveragePool AdaptiveMaxPool Add AffineTransform All AllClose Amax Amin Angle Any Append Arange
  Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin Argpartition Argsort Array ArraySplit Average
  AveragePool BatchNorm BinaryCrossentropy Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
  BitwiseRightShift BitwiseXor BroadcastTo CDist CTCDecode CTCLoss Cast CategoricalCrossentropy Cbrt Ceil Celu
  Cholesky CholeskyInverse Clip Concatenate Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef Correlate Cos
  Cosh CountNonzero CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace DepthwiseConv Det Diag Diagflat Diagonal
  Diff Digitize Divide DivideNoNan Dot DotProductAttention Dsplit Dstack Eig Eigh Einsum ElasticTransform Elu
  EmptyLike Equal Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1 ExtractPatches ExtractSequences FFT FFT2 Fabs Flip
  Fliplr Flipud Floor FloorDivide Fmax Fmin Fmod Fold Full FullLike GaussianBlur Gcd Gelu Geomspace GetItem Glu
  Greater GreaterEqual HSVToRGB HardShrink HardSigmoid HardSilu HardTanh Heaviside Histogram Hsplit Hstack Hypot I0
  IFFT2 IRFFT ISTFT Imag InTopK Inner Inv IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Kron
  LayerNorm Lcm Ldexp LeakyRelu LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 LogSigmoid LogSoftmax
  Logaddexp Logaddexp2 Logdet LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Logsumexp Lstsq LuFactor
  MapCoordinates Matmul MatrixRank Max MaxPool Maximum Mean Median Meshgrid Min Minimum Mod Moments Moveaxis
  MultiHot Multiply NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile
  Nanprod Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero Norm Normalize NotEqual OneHot OnesLike
  Outer PSNR Pad PadImages Percentile PerspectiveTransform Pinv Polar Power Prod Ptp Qr Quantile RFFT RGBToGrayscale
  RGBToHSV RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat Reshape Resize RightShift Roll Rot90
  Round Rsqrt SSIM STFT SVD ScaleAndTranslate Scatter ScatterUpdate SearchSorted SegmentReduction Select Selu
  SeparableConv Shape Sigmoid Sign Signbit Silu Sin Sinc Sinh Size Slice SliceUpdate Slogdet SobelEdges SoftShrink
  Softmax Softplus Softsign Solve SolveTriangular Sort SpaceToDepth SparseCategoricalCrossentropy SparsePlus
  SparseSigmoid Sparsemax Split Sqrt Square Squareplus Squeeze Stack Std StopGradient Subtract Sum Swapaxes Take
  TakeAlongAxis Tan Tanh TanhShrink Tensordot Threshold Tile TopK Trace Transpose Trapezoid Tril Triu TrueDivide
  Trunc Unfold Unique UnravelIndex Unstack Vander Var Vdot View ViewAsComplex ViewAsReal Vsplit Vstack Where
  ZerosLike`;

export const MODELS = setOf(MODEL_CLASSES);
export const CLASSES = setOf(LAYERS, MODEL_CLASSES, QUANTIZERS, PARTS, TRAINING, VALUES, OPERATIONS);

/** Functions that Keras finds by their bare name: activations, losses, metrics, initialisers. */
export const FUNCTIONS = setOf(
  `celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
  log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax
  squareplus swish tanh tanh_shrink threshold binary_crossentropy binary_focal_crossentropy categorical_crossentropy
  categorical_focal_crossentropy categorical_hinge circle cosine_similarity cosine_proximity ctc dice hinge huber
  huber_loss kl_divergence kld kullback_leibler_divergence log_cosh logcosh mae mape mean_absolute_error
  mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error mse msle poisson
  sparse_categorical_crossentropy squared_hinge tversky accuracy acc binary_accuracy categorical_accuracy
  sparse_categorical_accuracy top_k_categorical_accuracy sparse_top_k_categorical_accuracy glorot_uniform glorot_normal
  he_normal he_uniform lecun_normal lecun_uniform zeros ones constant random_normal random_uniform truncated_normal
  orthogonal identity`,
);

/** Modules whose classes above may be named: the public ones and where their sources are. */
export const MODULE =
  /^(?:tensorflow\.(?:python\.)?|tf_)?keras(?:\.(?:api|src|_tf_keras|_legacy|keras|v2|engine|python))*(?:\.(?:layers|models|initializers|optimizers|losses|metrics|regularizers|constraints|activations|dtype_policies|quantizers|mixed_precision|random|ops|legacy|experimental|optimizer_v2|backend|common|trainers|schedules|[a-z]+_schedule|saving|dtensor)(?:\.[a-z0-9_]+){0,4}|\.(?:functional|sequential|training|base_layer|input_layer))?$/;

/** Libraries whose classes are constructed by import too, and run no code of the file. */
export const LIBRARIES = /^(?:keras_hub|keras_nlp|keras_cv|keras_tuner|keras_rs)(?:\.[a-z0-9_]+)*$/;
