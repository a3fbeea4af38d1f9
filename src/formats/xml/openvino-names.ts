const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Elements of the intermediate representation, versions 10 and 11. */
export const OPENVINO_ELEMENTS = words(`
  net layers layer data input output port dim edges edge rt_info attribute body then_body else_body port_map
  then_port_map else_port_map back_edges external_port_id blobs weights biases custom statistics
  pre-process mean channel scale
`);

/** Operations of opset1 to opset16 (openvino/opsets), and the layers of version 10 that the readers still take. */
export const OPENVINO_LAYERS = words(`
  Abs Acos Acosh AdaptiveAvgPool AdaptiveMaxPool Add Asin Asinh Assign Atan Atanh AvgPool BatchNormInference
  BatchToSpace BinaryConvolution BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Broadcast
  Bucketize CTCGreedyDecoder CTCGreedyDecoderSeqLen CTCLoss Ceiling Clamp Col2Im Concat Const Constant Convert
  ConvertLike ConvertPromoteTypes Convolution ConvolutionBackpropData Cos Cosh CumSum DFT DeformableConvolution
  DeformablePSROIPooling DepthToSpace DetectionOutput Divide Einsum Elu EmbeddingBagOffsets EmbeddingBagOffsetsSum
  EmbeddingBagPacked EmbeddingBagPackedSum EmbeddingSegmentsSum Equal Erf Exp ExperimentalDetectronDetectionOutput
  ExperimentalDetectronGenerateProposalsSingleImage ExperimentalDetectronPriorGridGenerator
  ExperimentalDetectronROIFeatureExtractor ExperimentalDetectronTopKROIs ExtractImagePatches Eye FakeConvert FakeQuantize
  Floor FloorMod GRN GRUCell GRUSequence Gather GatherElements GatherND GatherTree Gelu GenerateProposals Greater
  GreaterEqual GridSample GroupConvolution GroupConvolutionBackpropData GroupNormalization HSigmoid HSwish HardSigmoid
  I420toBGR I420toRGB IDFT IRDFT ISTFT Identity If Interpolate Inverse IsFinite IsInf IsNaN LRN LSTMCell LSTMSequence
  LSTMSequence Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr LogicalXor Loop MVN MatMul MatrixNms MaxPool
  Maximum Minimum Mish Mod MulticlassNms Multinomial Multiply NMSRotated NV12toBGR NV12toRGB Negative NonMaxSuppression
  NonZero NormalizeL2 NotEqual OneHot PRelu PSROIPooling Pad Parameter Power PriorBox PriorBoxClustered Proposal RDFT
  RNNCell RNNSequence ROIAlign ROIAlignRotated ROIPooling RandomPoisson RandomUniform Range ReLU Relu ReadValue ReduceL1
  ReduceL2 ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum RegionYolo ReorgYolo
  Reshape Result ReverseSequence Reverse Roll Round RMS RoPE STFT ScaledDotProductAttention ScatterElementsUpdate
  ScatterNDUpdate ScatterUpdate SearchSorted SegmentMax Select Selu ShapeOf ShuffleChannels Sigmoid Sign Sin Sinh Slice
  SliceScatter SoftMax Softmax SoftPlus SoftSign SpaceToBatch SpaceToDepth SparseFillEmptyRows Split Sqrt SquaredDifference
  Squeeze StridedSlice StringTensorPack StringTensorUnpack Subtract Swish Tan Tanh TensorIterator Tile TopK Transpose
  Unique Unsqueeze VariadicSplit Xor PagedAttentionExtension
`);
