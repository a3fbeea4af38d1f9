/**
 * What nodes of MediaPipe's own graphs are called (`REGISTER_CALCULATOR`, `register_as` in mediapipe/calculators, /gpu and
 * /modules, MediaPipe 0.10). Only calculators that compute on packets and write nothing stand here, and the graphs that
 * are built into the library with their models.
 */
const TYPES = `AffineMatrix Boolean ClassificationList Detection Float GpuBuffer Image ImageFrame ImageSize Int Integer
  Integers LandmarkListVector Matrix MatrixVector NormalizedLandmarkListVector NormalizedRect RenderData String Tensor
  TfLiteTensor Uint64t Item`.split(/\s+/);
const LISTS = `AffineMatrixVector BoolVector ClassificationList ClassificationListVector DetectionVector FloatVector
  GlBufferVector ImageVector Int32Vector IntVector JointList LandmarListVector LandmarkList LandmarkListVector
  LandmarkVector MatrixVector NormalizedLandmarkList NormalizedLandmarkListVector NormalizedRectVector RenderDataVector
  TensorVector TfLiteTensorVector UInt64Vector Uint64tVector`.split(/\s+/);

const CORE = `AddHeader Bypass ClassificationListVectorSize ClipDetectionVectorSize ClipNormalizedRectVectorSize
  CountingSource DefaultSidePacket DequantizeByteArray DroppingGate FlowLimiter Gate GetClassificationListVectorItem
  GetDetectionVectorItem GetLandmarkListVectorItem GetNormalizedLandmarkListVectorItem GetNormalizedRectVectorItem
  GetRectVectorItem ImmediateMux IntVectorIndices LandmarkListVectorSize MakePair MatrixMultiply MatrixSubtract
  MatrixToVector Merge MergeDetectionsToVector MergeGpuBuffersToVector MergeImagesToVector Mux NonZero
  NormalizedLandmarkListVectorIndices PacketCloner PacketInnerJoin PacketPresence PacketResampler PacketSequencer
  PacketThinner PassThrough PassThroughOrEmptyVector PreviousLoopback QuantizeFloatVector RealTimeFlowLimiter
  RoundRobinDemux SequenceShift SidePacketToStream StreamToSidePacket StringToInt StringToInt32 StringToInt64
  StringToUint StringToUint32 StringToUint64 SwitchDemux SwitchMux Uint64tVectorIndices ValueOrDefault`;
const IMAGES = `BilateralFilter ColorConvert FeatureDetector FromImage GlScaler GpuBufferToImageFrame ImageClone
  ImageCropping ImageFrameToGpuBuffer ImageProperties ImageTransformation Luminance MaskOverlay Recolor ScaleImage
  SegmentationSmoothing SetAlpha SobelEdges ToImage WarpAffine YUVToImage`;
const TENSORS = `AudioToTensor FeedbackTensors ImageToTensor LandmarksToTensor SsdAnchors TensorConverter TensorToJoints
  TensorsDequantization TensorsToAudio TensorsToClassification TensorsToDetections TensorsToFloats TensorsToLandmarks
  TensorsToSegmentation TfLiteConverter TfLiteCustomOpResolver TfLiteModel TfLiteTensorsToDetections
  TfLiteTensorsToFloats TfLiteTensorsToLandmarks TfLiteTensorsToObjects TfLiteTensorsToSegmentation TensorsToObjects
  VectorToTensor Inference`;
const LANDMARKS = `AlignHandToPoseInWorld AlignmentPointsRects AnnotationOverlay AssociationDetection AssociationNormRect
  ClassificationListVectorHasMinSize ClockLatency ClockTimestamp CombineJoints DetectionClassificationsMerger
  DetectionLetterboxRemoval DetectionProjection DetectionToLandmarks DetectionTransformation DetectionUniqueId
  DetectionsDeduplicate DetectionsToRects DetectionsToRenderData DetectionsToTimedBoxList FaceToRect
  FilterClassificationListCollection FilterDetection FilterDetections FilterLandmarkListCollection
  FilterNormalizedLandmarkListCollection FilterNormalizedRectCollection FilterUInt64Collection FlatColorImage
  FrameAnnotationToRect FrameAnnotationToTimedBoxList FrameAnnotationTracker HandDetectionsFromPoseToRects
  LabelsToRenderData LandmarkLetterboxRemoval LandmarkProjection LandmarkVisibility LandmarksRefinement
  LandmarksSmoothing LandmarksToDetection LandmarksToFloats LandmarksToFrameAnnotation LandmarksToRenderData
  LandmarksTransformation Lift2DFrameAnnotationTo3D Logic MultiLandmarksSmoothing MultiWorldLandmarksSmoothing
  NonMaxSuppression NormalizedLandmarkListVectorHasMinSize NormalizedRectVectorHasMinSize PacketFrequency PacketLatency
  RectProjection RectToRenderData RectToRenderScale RectTransformation RoiTracking SetJointsVisibility
  SetLandmarkVisibility Thresholding TimedBoxListToRenderData VisibilityCopy VisibilitySmoothing WorldLandmarkProjection`;
const AUDIO = `AverageTimeSeriesAcrossChannels Covariance DivideByMeanAcrossChannels ElementwiseSquare FirstHalfSlicer
  L2Norm L2Normalize L2NormalizeColumn Mean MelSpectrum Mfcc PeakNormalize RationalFactorResample ReverseChannelOrder
  Spectrogram SpectrogramFloat StabilizedLog StandardDeviation SubtractMean SubtractMeanAcrossChannels
  SumTimeSeriesAcrossChannels TimeSeriesFramer TwoTapFirFilter`;

/** Graphs of mediapipe/modules, each of which the library brings along; many are there for images of several kinds. */
const GRAPHS = `BoxLandmarkSubgraph FaceDetection FaceDetectionFrontDetectionToRoi FaceDetectionFrontDetectionsToRoi
  FaceDetectionFullRange FaceDetectionShortRange FaceDetectionShortRangeByRoi FaceDetectionWithoutRoi FaceGeometry
  FaceGeometryFromDetection FaceGeometryFromLandmarks FaceGeometryFromLandmarksAndImage FaceLandmark FaceLandmarkFront
  FaceLandmarkLandmarksToRoi FaceLandmarksFromPose FaceLandmarksFromPoseToRecropRoi FaceLandmarksModelLoader
  FaceLandmarksToRoi FaceTracking HandLandmark HandLandmarkLandmarksToRoi HandLandmarkModelLoader HandLandmarkTracking
  HandLandmarksFromPose HandLandmarksFromPoseToRecropRoi HandLandmarksLeftAndRight HandLandmarksToRoi HandRecropByRoi
  HandTracking HandVisibilityFromHandLandmarksFromPose HandWristForPose HolisticLandmark IrisLandmark
  IrisLandmarkLandmarksToRoi IrisLandmarkLeftAndRight ObjectDetectionOidV4Subgraph ObjectronCpuSubgraph
  ObjectronDetection1StageSubgraphGpu ObjectronGpuSubgraph ObjectronTracking1StageSubgraphGpu PalmDetection
  PalmDetectionDetectionToRoi PalmDetectionModelLoader PoseDetection PoseDetectionToRoi PoseLandmark PoseLandmarkByRoi
  PoseLandmarkFiltering PoseLandmarkModelLoader PoseLandmarksAndSegmentationInverseProjection PoseLandmarksToRoi
  PoseSegmentationFiltering SelfieSegmentation SelfieSegmentationModelLoader TensorsToFaceLandmarks
  TensorsToFaceLandmarksWithAttention TensorsToPoseLandmarksAndSegmentation`.split(/\s+/);

const calculators = [CORE, IMAGES, TENSORS, LANDMARKS, AUDIO].flatMap((list) => list.split(/\s+/));

/** The calculator whose packets are constants of the graph. */
export const CONSTANT = 'ConstantSidePacketCalculator';
/** The calculator that reads the file that one of its packets names. */
export const FILE_CONTENTS = 'LocalFileContentsCalculator';

export const INERT: ReadonlySet<string> = new Set([
  CONSTANT,
  'SwitchContainer',
  'InferenceCalculatorCpu',
  'InferenceCalculatorGl',
  'InferenceCalculatorXnnpack',
  ...calculators.map((name) => `${name}Calculator`),
  ...TYPES.flatMap((type) => [`BeginLoop${type}Calculator`, `EndLoop${type}Calculator`]),
  ...LISTS.flatMap((list) => [`Concatenate${list}Calculator`, `Split${list}Calculator`]),
  ...GRAPHS.flatMap((graph) => ['', 'Cpu', 'Gpu', 'CpuImage', 'GpuImage', 'Image'].map((kind) => `${graph}${kind}`)),
]);

/** Calculators of MediaPipe's that act outside the graph, and what they do. They word the finding; the list decides. */
export const DANGERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:LocalFile\w*Contents|ResourceProvider|ModelResources)/, 'reads a file'],
  [
    /^(?:OpenCvVideo|ImageFileProperties|AudioDecoder|BoxDetector|MotionAnalysis|FlowPackager)/,
    'reads or writes files',
  ],
  [
    /^(?:TopKScores|DetectionLabelIdToText|TimedBoxListIdToLabel|TfLiteTensorsToClassification)/,
    'reads a file of labels',
  ],
  [/^TensorFlow(?:Session|Inference)/, 'runs a TensorFlow graph that was not inspected with it'],
  [/^(?:TfLiteInference|StableDiffusion)/, 'reads models and writes caches'],
  [/^(?:Callback|AnyInvocable|PacketGeneratorWrapper)/, 'calls a function of the process by its address'],
  [/^Python/, 'runs Python'],
];

/** Who runs the calculators, and in which order: by their names, the empty one being MediaPipe's choice. */
export const EXECUTORS: ReadonlySet<string> = new Set([
  '',
  'ApplicationThreadExecutor',
  'GlContextExecutor',
  'ThreadPoolExecutor',
]);
export const HANDLERS: ReadonlySet<string> = new Set([
  '',
  ...['Barrier', 'Default', 'EarlyClose', 'FixedSize', 'Immediate', 'Mux', 'SyncSet', 'TimestampAlign'].map(
    (kind) => `${kind}InputStreamHandler`,
  ),
  'InOrderOutputStreamHandler',
]);
