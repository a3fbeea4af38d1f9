import { schemaOf } from '../protobuf/schema.ts';

/**
 * The messages of a Core ML model that lead to the name of a class or a file, or to another model (Model.proto,
 * NeuralNetwork.proto, MIL.proto of coremltools 9). All others hold numbers and labels only and count as bytes.
 */
export const COREML = schemaOf({
  Model: `
    1 specificationVersion int, 2 description ModelDescription, 10 isUpdatable int, 200 pipelineClassifier
    PipelineClassifier, 201 pipelineRegressor PipelineRegressor, 202 pipeline Pipeline, 300 glmRegressor bytes, 301
    supportVectorRegressor bytes, 302 treeEnsembleRegressor bytes, 303 neuralNetworkRegressor
    NeuralNetworkRegressor, 304 bayesianProbitRegressor bytes, 400 glmClassifier bytes, 401 supportVectorClassifier
    bytes, 402 treeEnsembleClassifier bytes, 403 neuralNetworkClassifier NeuralNetworkClassifier, 404
    kNearestNeighborsClassifier bytes, 500 neuralNetwork NeuralNetwork, 501 itemSimilarityRecommender bytes, 502
    mlProgram MILSpecProgram, 555 customModel CustomModel, 556 linkedModel LinkedModel, 560
    classConfidenceThresholding bytes, 600 oneHotEncoder bytes, 601 imputer bytes, 602 featureVectorizer bytes, 603
    dictVectorizer bytes, 604 scaler bytes, 606 categoricalMapping bytes, 607 normalizer bytes, 609
    arrayFeatureExtractor bytes, 610 nonMaximumSuppression bytes, 900 identity bytes, 2000 textClassifier bytes,
    2001 wordTagger bytes, 2002 visionFeaturePrint bytes, 2003 soundAnalysisPreprocessing bytes, 2004 gazetteer
    bytes, 2005 wordEmbedding bytes, 2006 audioFeaturePrint bytes, 3000 serializedModel bytes`,
  ModelDescription: `
    1* input bytes, 10* output bytes, 11 predictedFeatureName text, 12 predictedProbabilitiesName text, 13* state
    bytes, 20* functions bytes, 21 defaultFunctionName text, 50* trainingInput bytes, 100 metadata Metadata`,
  Metadata: `
    1 shortDescription text, 2 versionString text, 3 author text, 4 license text, 100* userDefined
    MetadataUserDefinedEntry`,
  MetadataUserDefinedEntry: '1 key text, 2 value text',
  PipelineClassifier: '1 pipeline Pipeline',
  Pipeline: '1* models Model, 2* names text',
  PipelineRegressor: '1 pipeline Pipeline',
  NeuralNetworkRegressor: `
    1* layers NeuralNetworkLayer, 2* preprocessing bytes, 5 arrayInputShapeMapping int, 6 imageInputShapeMapping
    int, 10 updateParams bytes`,
  NeuralNetworkLayer: `
    1 name text, 2* input text, 3* output text, 4* inputTensor bytes, 5* outputTensor bytes, 10 isUpdatable int, 100
    convolution bytes, 120 pooling bytes, 130 activation bytes, 140 innerProduct bytes, 150 embedding bytes, 160
    batchnorm bytes, 165 mvn bytes, 170 l2normalize bytes, 175 softmax bytes, 180 lrn bytes, 190 crop bytes, 200
    padding bytes, 210 upsample bytes, 211 resizeBilinear bytes, 212 cropResize bytes, 220 unary bytes, 230 add
    bytes, 231 multiply bytes, 240 average bytes, 245 scale bytes, 250 bias bytes, 260 max bytes, 261 min bytes, 270
    dot bytes, 280 reduce bytes, 290 loadConstant bytes, 300 reshape bytes, 301 flatten bytes, 310 permute bytes,
    320 concat bytes, 330 split bytes, 340 sequenceRepeat bytes, 345 reorganizeData bytes, 350 slice bytes, 400
    simpleRecurrent bytes, 410 gru bytes, 420 uniDirectionalLSTM bytes, 430 biDirectionalLSTM bytes, 500 custom
    CustomLayerParams, 600 copy bytes, 605 branch BranchLayerParams, 615 loop LoopLayerParams, 620 loopBreak bytes,
    625 loopContinue bytes, 635 rangeStatic bytes, 640 rangeDynamic bytes, 660 clip bytes, 665 ceil bytes, 670 floor
    bytes, 680 sign bytes, 685 round bytes, 700 exp2 bytes, 710 sin bytes, 715 cos bytes, 720 tan bytes, 730 asin
    bytes, 735 acos bytes, 740 atan bytes, 750 sinh bytes, 755 cosh bytes, 760 tanh bytes, 770 asinh bytes, 775
    acosh bytes, 780 atanh bytes, 790 erf bytes, 795 gelu bytes, 815 equal bytes, 820 notEqual bytes, 825 lessThan
    bytes, 827 lessEqual bytes, 830 greaterThan bytes, 832 greaterEqual bytes, 840 logicalOr bytes, 845 logicalXor
    bytes, 850 logicalNot bytes, 855 logicalAnd bytes, 865 modBroadcastable bytes, 870 minBroadcastable bytes, 875
    maxBroadcastable bytes, 880 addBroadcastable bytes, 885 powBroadcastable bytes, 890 divideBroadcastable bytes,
    895 floorDivBroadcastable bytes, 900 multiplyBroadcastable bytes, 905 subtractBroadcastable bytes, 920 tile
    bytes, 925 stack bytes, 930 gather bytes, 935 scatter bytes, 940 gatherND bytes, 945 scatterND bytes, 950
    softmaxND bytes, 952 gatherAlongAxis bytes, 954 scatterAlongAxis bytes, 960 reverse bytes, 965 reverseSeq bytes,
    975 splitND bytes, 980 concatND bytes, 985 transpose bytes, 995 sliceStatic bytes, 1000 sliceDynamic bytes, 1005
    slidingWindows bytes, 1015 topK bytes, 1020 argMin bytes, 1025 argMax bytes, 1040 embeddingND bytes, 1045
    batchedMatmul bytes, 1065 getShape bytes, 1070 loadConstantND bytes, 1080 fillLike bytes, 1085 fillStatic bytes,
    1090 fillDynamic bytes, 1100 broadcastToLike bytes, 1105 broadcastToStatic bytes, 1110 broadcastToDynamic bytes,
    1120 squeeze bytes, 1125 expandDims bytes, 1130 flattenTo2D bytes, 1135 reshapeLike bytes, 1140 reshapeStatic
    bytes, 1145 reshapeDynamic bytes, 1150 rankPreservingReshape bytes, 1155 constantPad bytes, 1170
    randomNormalLike bytes, 1175 randomNormalStatic bytes, 1180 randomNormalDynamic bytes, 1190 randomUniformLike
    bytes, 1195 randomUniformStatic bytes, 1200 randomUniformDynamic bytes, 1210 randomBernoulliLike bytes, 1215
    randomBernoulliStatic bytes, 1220 randomBernoulliDynamic bytes, 1230 categoricalDistribution bytes, 1250
    reduceL1 bytes, 1255 reduceL2 bytes, 1260 reduceMax bytes, 1265 reduceMin bytes, 1270 reduceSum bytes, 1275
    reduceProd bytes, 1280 reduceMean bytes, 1285 reduceLogSum bytes, 1290 reduceSumSquare bytes, 1295
    reduceLogSumExp bytes, 1313 whereNonZero bytes, 1315 matrixBandPart bytes, 1320 lowerTriangular bytes, 1325
    upperTriangular bytes, 1330 whereBroadcastable bytes, 1350 layerNormalization bytes, 1400 NonMaximumSuppression
    bytes, 1450 oneHot bytes, 1455 cumSum bytes, 1460 clampedReLU bytes, 1461 argSort bytes, 1465 pooling3d bytes,
    1466 globalPooling3d bytes, 1470 sliceBySize bytes, 1471 convolution3d bytes`,
  CustomLayerParams: '10 className text, 20* weights bytes, 30* parameters bytes, 40 description text',
  BranchLayerParams: '1 ifBranch NeuralNetwork, 2 elseBranch NeuralNetwork',
  NeuralNetwork: `
    1* layers NeuralNetworkLayer, 2* preprocessing bytes, 5 arrayInputShapeMapping int, 6 imageInputShapeMapping
    int, 10 updateParams bytes`,
  LoopLayerParams: `
    1 maxLoopIterations int, 2 conditionVar text, 3 conditionNetwork NeuralNetwork, 4 bodyNetwork NeuralNetwork`,
  NeuralNetworkClassifier: `
    1* layers NeuralNetworkLayer, 2* preprocessing bytes, 5 arrayInputShapeMapping int, 6 imageInputShapeMapping
    int, 10 updateParams bytes, 100 stringClassLabels bytes, 101 int64ClassLabels bytes, 200
    labelProbabilityLayerName text`,
  MILSpecProgram: `
    1 version int, 2* functions MILSpecProgramFunctionsEntry, 3 docString text, 4* attributes
    MILSpecProgramAttributesEntry`,
  MILSpecProgramFunctionsEntry: '1 key text, 2 value MILSpecFunction',
  MILSpecFunction: `
    1* inputs MILSpecNamedValueType, 2 opset text, 3* block_specializations
    MILSpecFunctionBlockSpecializationsEntry, 4* attributes MILSpecFunctionAttributesEntry`,
  MILSpecNamedValueType: '1 name text, 2 type MILSpecValueType',
  MILSpecValueType: `
    1 tensorType MILSpecTensorType, 2 listType MILSpecListType, 3 tupleType MILSpecTupleType, 4 dictionaryType
    MILSpecDictionaryType, 5 stateType MILSpecStateType`,
  MILSpecTensorType: `
    1 dataType int, 2 rank int, 3* dimensions bytes, 4* attributes MILSpecTensorTypeAttributesEntry`,
  MILSpecTensorTypeAttributesEntry: '1 key text, 2 value MILSpecValue',
  MILSpecValue: `
    1 docString text, 2 type MILSpecValueType, 3 immediateValue MILSpecValueImmediateValue, 5 blobFileValue
    MILSpecValueBlobFileValue`,
  MILSpecValueImmediateValue: `
    1 tensor bytes, 2 tuple MILSpecTupleValue, 3 list MILSpecListValue, 4 dictionary MILSpecDictionaryValue`,
  MILSpecTupleValue: '1* values MILSpecValue',
  MILSpecListValue: '1* values MILSpecValue',
  MILSpecDictionaryValue: '1* values MILSpecDictionaryValueKeyValuePair',
  MILSpecDictionaryValueKeyValuePair: '1 key MILSpecValue, 2 value MILSpecValue',
  MILSpecValueBlobFileValue: '1 fileName text, 2 offset int',
  MILSpecListType: '1 type MILSpecValueType, 2 length bytes',
  MILSpecTupleType: '1* types MILSpecValueType',
  MILSpecDictionaryType: '1 keyType MILSpecValueType, 2 valueType MILSpecValueType',
  MILSpecStateType: '1 wrappedType MILSpecValueType',
  MILSpecFunctionBlockSpecializationsEntry: '1 key text, 2 value MILSpecBlock',
  MILSpecBlock: `
    1* inputs MILSpecNamedValueType, 2* outputs text, 3* operations MILSpecOperation, 4* attributes
    MILSpecBlockAttributesEntry`,
  MILSpecOperation: `
    1 type text, 2* inputs MILSpecOperationInputsEntry, 3* outputs MILSpecNamedValueType, 4* blocks MILSpecBlock, 5*
    attributes MILSpecOperationAttributesEntry`,
  MILSpecOperationInputsEntry: '1 key text, 2 value MILSpecArgument',
  MILSpecArgument: '1* arguments MILSpecArgumentBinding',
  MILSpecArgumentBinding: '1 name text, 2 value MILSpecValue',
  MILSpecOperationAttributesEntry: '1 key text, 2 value MILSpecValue',
  MILSpecBlockAttributesEntry: '1 key text, 2 value MILSpecValue',
  MILSpecFunctionAttributesEntry: '1 key text, 2 value MILSpecValue',
  MILSpecProgramAttributesEntry: '1 key text, 2 value MILSpecValue',
  CustomModel: '10 className text, 30* parameters bytes, 40 description text',
  LinkedModel: '1 linkedModelFile LinkedModelFile',
  LinkedModelFile: '1 linkedModelFileName StringParameter, 2 linkedModelSearchPath StringParameter',
  StringParameter: '1 defaultValue text',
});
