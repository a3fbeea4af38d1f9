/**
 * Operators that compute on tensors, keep state inside the session or steer the graph, and touch nothing outside it
 * (tensorflow/core/ops). A name that is not here is a finding, whatever it does.
 */
const MATHEMATICS = `Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan
  Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1
  BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Betainc Bincount Bucketize Cast Ceil ClipByValue Complex
  ComplexAbs Conj Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp Dawsn DenseBincount Digamma Div DivNoNan Equal Erf
  Erfc Erfinv EuclideanNorm Exp Expint Expm1 Floor FloorDiv FloorMod FresnelCos FresnelSin Greater GreaterEqual
  HistogramFixedWidth Igamma IgammaGradA Igammac Imag Inv InvGrad IsFinite IsInf IsNan Less LessEqual Lgamma LinSpace
  Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter
  NotEqual Polygamma Pow Prod QuantizeDownAndShrinkRange QuantizedAdd QuantizedMatMul QuantizedMul RaggedBincount Range
  Real RealDiv Reciprocal ReciprocalGrad RequantizationRange Requantize Rint Round Rsqrt RsqrtGrad SegmentMax
  SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2
  Sigmoid SigmoidGrad Sign Sin Sinh SobolSample SparseBincount SparseMatMul SparseSegmentMean SparseSegmentMeanGrad
  SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNGrad SparseSegmentSqrtNWithNumSegments
  SparseSegmentSum SparseSegmentSumGrad SparseSegmentSumWithNumSegments Spence Sqrt SqrtGrad Square SquaredDifference Sub
  Sum Tan Tanh TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
  UnsortedSegmentSum Xdivy Xlog1py Xlogy Zeta BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount RightShift
  FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D RFFTND BatchFFT
  BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D BatchIFFT3D AudioSpectrogram Mfcc BatchCholesky BatchMatrixBandPart
  BatchMatrixDeterminant BatchMatrixDiag BatchMatrixDiagPart BatchMatrixInverse BatchMatrixSetDiag BatchMatrixSolve
  BatchSelfAdjointEig BatchSelfAdjointEigV2 BatchSvd BandedTriangularSolve Cholesky CholeskyGrad Eig Einsum
  LogMatrixDeterminant Lu MatrixDeterminant MatrixExponential MatrixInverse MatrixLogarithm MatrixSolve MatrixSolveLs
  MatrixSquareRoot MatrixTriangularSolve Qr SelfAdjointEig SelfAdjointEigV2 Svd TridiagonalMatMul TridiagonalSolve
  SparseTensorDenseMatMul SparseTensorDenseAdd SparseAdd SparseAddGrad SparseConcat SparseCross SparseCrossHashed
  SparseCrossV2 SparseDenseCwiseAdd SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows SparseFillEmptyRowsGrad
  SparseReduceMax SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse SparseReorder SparseReshape SparseSlice
  SparseSliceGrad SparseSoftmax SparseSparseMaximum SparseSparseMinimum SparseSplit SparseToDense SparseToSparseSetOperation
  DenseToDenseSetOperation DenseToSparseSetOperation SetSize SerializeManySparse SerializeSparse DeserializeSparse`;

const NETWORKS = `AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalization
  BatchNormWithGlobalNormalizationGrad BiasAdd BiasAddGrad BiasAddV1 Conv Conv2D Conv2DBackpropFilter
  Conv2DBackpropFilterV2 Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropFilter Conv3DBackpropFilterV2
  Conv3DBackpropInput Conv3DBackpropInputV2 CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss CTCLossV2 CudnnRNN
  CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNCanonicalToParams CudnnRNNCanonicalToParamsV2
  CudnnRNNParamsSize CudnnRNNParamsToCanonical CudnnRNNParamsToCanonicalV2 CudnnRNNV2 CudnnRNNV3 BlockLSTM BlockLSTMV2
  BlockLSTMGrad BlockLSTMGradV2 GRUBlockCell GRUBlockCellGrad LSTMBlockCell LSTMBlockCellGrad DataFormatDimMap
  DataFormatVecPermute DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
  Dilation2D Dilation2DBackpropFilter Dilation2DBackpropInput Elu EluGrad FakeQuantWithMinMaxArgs
  FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient
  FakeQuantWithMinMaxVarsPerChannel FakeQuantWithMinMaxVarsPerChannelGradient FractionalAvgPool FractionalAvgPoolGrad
  FractionalMaxPool FractionalMaxPoolGrad FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3
  FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D _FusedConv2D _FusedMatMul
  _FusedDepthwiseConv2dNative _FusedBatchNormEx InTopK InTopKV2 L2Loss LRN LRNGrad LeakyRelu LeakyReluGrad LogSoftmax
  MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradV2
  MaxPoolGradWithArgmax MaxPoolV2 MaxPoolWithArgmax NthElement QuantizedAvgPool
  QuantizedBatchNormWithGlobalNormalization QuantizedBiasAdd QuantizedConv2D QuantizedConv2DAndRelu
  QuantizedConv2DAndReluAndRequantize QuantizedConv2DAndRequantize QuantizedConv2DWithBias
  QuantizedConv2DWithBiasAndRelu QuantizedConv2DWithBiasAndReluAndRequantize QuantizedConv2DWithBiasAndRequantize
  QuantizedDepthwiseConv2D QuantizedDepthwiseConv2DWithBias QuantizedInstanceNorm QuantizedMatMulWithBias QuantizedMaxPool
  QuantizedRelu QuantizedRelu6 QuantizedReluX Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad Softmax
  SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign SoftsignGrad SparseSoftmaxCrossEntropyWithLogits TopK
  TopKV2 ApproxTopK UniformQuantize UniformDequantize UniformQuantizedDot UniformQuantizedDotHybrid
  UniformQuantizedConvolution UniformQuantizedConvolutionHybrid UniformQuantizedAdd UniformRequantize
  UniformQuantizedClipByValue`;

const ARRAYS = `BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo CheckNumerics
  CheckNumericsV2 Concat ConcatOffset ConcatV2 ConjugateTranspose Const Copy CopyHost DeepCopy DepthToSpace Dequantize
  Diag DiagPart EditDistance Empty EnsureShape ExpandDims ExtractImagePatches ExtractVolumePatches Fill Fingerprint Gather
  GatherNd GatherV2 GuaranteeConst Identity IdentityN InplaceAdd InplaceSub InplaceUpdate InvertPermutation ListDiff
  LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
  MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad MirrorPadGrad OneHot OnesLike Pack Pad PadV2 ParallelConcat
  ParallelDynamicStitch Placeholder PlaceholderV2 PlaceholderWithDefault PreventGradient QuantizeAndDequantize
  QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 QuantizedConcat QuantizedConcatV2
  QuantizedReshape Rank Reshape ResourceStridedSliceAssign Reverse ReverseSequence ReverseV2 Roll ScatterNd
  ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze
  StopGradient StridedSlice StridedSliceAssign StridedSliceGrad TensorScatterAdd TensorScatterMax TensorScatterMin
  TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile TileGrad Transpose Unique UniqueV2 UniqueWithCounts
  UniqueWithCountsV2 Unpack UnravelIndex UpperBound Where ZerosLike DynamicPartition DynamicStitch RaggedGather
  RaggedRange RaggedCross RaggedFillEmptyRows RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
  RaggedTensorToVariant RaggedTensorToVariantGradient RaggedCountSparseOutput SparseCountSparseOutput
  DenseCountSparseOutput AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression
  CropAndResize CropAndResizeGradBoxes CropAndResizeGradImage DrawBoundingBoxes DrawBoundingBoxesV2 ExtractGlimpse
  ExtractGlimpseV2 GenerateBoundingBoxProposals HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3
  NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
  NonMaxSuppressionWithOverlaps QuantizedResizeBilinear RGBToHSV ResizeArea ResizeBicubic ResizeBicubicGrad
  ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor ResizeNearestNeighborGrad SampleDistortedBoundingBox
  SampleDistortedBoundingBoxV2 StatelessSampleDistortedBoundingBox ScaleAndTranslate ScaleAndTranslateGrad EncodeJpeg
  EncodeJpegVariableQuality EncodePng EncodeWav`;

const TEXT = `AsString EncodeBase64 DecodeBase64 ReduceJoin RegexFullMatch RegexReplace
  StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower StringNGrams StringSplit
  StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper
  Substr UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode UnsortedSegmentJoin
  ShardedFilename ShardedFilespec ParseExample ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2
  ParseSingleExample ParseSingleSequenceExample DecodeCSV DecodeJSONExample SerializeTensor CaseFoldUTF8
  ConstrainedSequence MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap RegexSplitWithOffsets RougeL
  SentenceFragments SentencepieceOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp SentencepieceDetokenizeOp
  SentencepieceIdToStringOp SentencepieceStringToIdOp SentencepieceVocabSizeOp SplitMergeTokenizeWithOffsets
  UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WhitespaceTokenizeWithOffsetsV2
  WordpieceTokenizeWithOffsets FastWordpieceTokenizeWithOffsets FastWordpieceDetokenize FastBertNormalize
  SkipGram TFText>FastWordpieceTokenizeWithOffsets TFText>FastBertNormalize TFText>FastWordpieceDetokenize
  TFText>RoundRobinTrim TFText>RoundRobinGenerateMasks TFText>WhitespaceTokenizeWithOffsetsV2 TFText>NgramsStringJoin
  TFText>BoiseOffsetsToTags`;

const RANDOM = `Multinomial ParameterizedTruncatedNormal RandomGamma RandomGammaGrad RandomPoisson RandomPoissonV2
  RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt TruncatedNormal NonDeterministicInts
  RngReadAndSkip RngSkip StatefulRandomBinomial StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal
  StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessMultinomial StatelessParameterizedTruncatedNormal
  StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessRandomGetAlg StatelessRandomGetKeyCounter
  StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
  StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
  StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
  StatelessTruncatedNormalV2 AllCandidateSampler ComputeAccidentalHits
  LearnedUnigramCandidateSampler LogUniformCandidateSampler UniformCandidateSampler`;

const STATE = `Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp AssignSubVariableOp CountUpTo
  DestroyResourceOp DestroyTemporaryVariable DisableCopyOnRead IsVariableInitialized ReadVariableOp _ReadVariablesOp
  ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterDiv ResourceScatterMax ResourceScatterMin
  ResourceScatterMul ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub
  ResourceScatterNdUpdate ResourceScatterSub ResourceScatterUpdate ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul
  ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub ScatterNdUpdate ScatterSub ScatterUpdate TemporaryVariable
  VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2 ResourceCountUpTo Stack StackClose StackCloseV2
  StackPop StackPopV2 StackPush StackPushV2 StackV2 HashTable HashTableV2 AnonymousHashTable AnonymousMutableHashTable
  AnonymousMutableDenseHashTable AnonymousMutableHashTableOfTensors MutableDenseHashTable MutableDenseHashTableV2
  MutableHashTable MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2 InitializeTable
  InitializeTableV2 LookupTableExport LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport
  LookupTableImportV2 LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 LookupTableSize LookupTableSizeV2
  EmptyTensorList EmptyTensorMap TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
  TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
  TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList
  TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorMapErase TensorMapHasKey TensorMapInsert
  TensorMapLookup TensorMapSize TensorMapStackKeys ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA ApplyAdagradV2
  ApplyAdam ApplyAddSign ApplyCenteredRMSProp ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum ApplyPowerSign
  ApplyProximalAdagrad ApplyProximalGradientDescent ApplyRMSProp`;

const CONTROL = `Case ControlTrigger Enter Exit FakeParam For If LoopCond Merge NextIteration NoOp PartitionedCall RefEnter
  RefExit RefIdentity RefMerge RefNextIteration RefSelect RefSwitch StatefulPartitionedCall StatelessCase StatelessIf
  StatelessWhile Switch SymbolicGradient ToBool While _Arg _Retval _SwitchN _ListToArray _ArrayToList
  _DeviceArg _DeviceRetval _ParallelConcatStart _ParallelConcatUpdate Assert Timestamp MergeSummary ScalarSummary
  HistogramSummary TensorSummary TensorSummaryV2 Batch BatchFunction Unbatch UnbatchGrad
  BoostedTreesBucketize BoostedTreesPredict BoostedTreesEnsembleResourceHandleOp BoostedTreesCreateEnsemble
  BoostedTreesDeserializeEnsemble IsBoostedTreesEnsembleInitialized BoostedTreesQuantileStreamResourceHandleOp
  SimpleMLInferenceOp SimpleMLInferenceOpWithHandle OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone`;

/** Tensor arrays of three versions, and the optimisers' updates of resources. */
const ARRAY_STEPS = `Close Concat Gather Grad Pack Read Scatter Size Split Unpack Write`.split(' ');
const UPDATES =
  `AdaMax Adadelta Adagrad AdagradDA AdagradV2 Adam AdamWithAmsgrad AddSign CenteredRMSProp Ftrl FtrlV2 GradientDescent
  KerasMomentum Momentum PowerSign ProximalAdagrad ProximalGradientDescent RMSProp`.split(/\s+/);

const families = [
  ...['', 'V2', 'V3'].flatMap((version) => [
    `TensorArray${version}`,
    ...ARRAY_STEPS.map((step) => `TensorArray${step}${version}`),
  ]),
  'TensorArrayGradWithShape',
  ...UPDATES.flatMap((update) => [`ResourceApply${update}`, `ResourceSparseApply${update}`, `SparseApply${update}`]),
];

const lists = [MATHEMATICS, NETWORKS, ARRAYS, TEXT, RANDOM, STATE, CONTROL];

export const INERT: ReadonlySet<string> = new Set([...lists.flatMap((list) => list.split(/\s+/)), ...families]);
