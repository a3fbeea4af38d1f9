const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Elements of PMML 3.0 to 4.4 (pmml-4-4.xsd and before). */
export const PMML_ELEMENTS = words(`
  ARIMA ARDSquaredExponentialKernel AbsoluteExponentialKernel Aggregate Alternate Annotation Anova AnovaRow
  AntecedentSequence AnyDistribution Apply Application ARMA ARMAPart Array AssociationModel AssociationRule Attribute
  AveragePrecision BaseCumHazardTables BaselineCell BaselineModel BaselineStratum BayesInput BayesInputs BayesOutput
  BayesianNetworkModel BayesianNetworkNodes BinarySimilarity BlockIndicator BoundaryValueMeans BoundaryValues
  CategoricalPredictor Categories Category Characteristic CharacteristicRef Characteristics ChildParent ClassLabels Cluster
  ClusteringField ClusteringModel ClusteringModelQuality Coefficient Coefficients ComparisonField ComparisonMeasure
  ComplexPartialScore CompoundPredicate CompoundRule Con ConfusionMatrix ConsequentSequence Constant Constraints
  ContStats ContinuousConditionalProbability ContinuousDistribution ContinuousNode CorrelationFields CorrelationMethods
  CorrelationValues Correlations CountTable Counts Covariances CovariateList DataDictionary DataField Decision
  DecisionTree Decisions DefineFunction Delimiter Denominator DerivedField DiscrStats DiscreteConditionalProbability
  DiscreteNode Discretize DiscretizeBin DocumentTermMatrix DynamicRegressor EventValues ExponentialSmoothing Extension
  FactorList False FieldColumnPair FieldRef FieldValue FieldValueCount FinalNoise FinalNu FinalOmega FinalPredictedNoise
  FinalStateVector FinalTheta GARCH GARCHPart GaussianDistribution GaussianProcessModel GeneralRegressionModel Header
  HVector INT-Entries INT-SparseArray Indices InlineTable InstanceField InstanceFields Interval Item ItemRef Itemset
  KNNInput KNNInputs KohonenMap Lag Level LiftData LiftGraph LinearKernelType LinearNorm LocalTransformations
  LognormalDistribution LognormalDistributionForBN MAPart MA MatCell Matrix MaximumLikelihoodStat MeasurementMatrix
  MeanClusterIndex MiningBuildTask MiningField MiningModel MiningSchema MissingValueWeights ModelExplanation
  ModelLiftGraph ModelQuality ModelStats ModelVerification MultivariateStat MultivariateStats NaiveBayesModel
  NearestNeighborModel NeuralInput NeuralInputs NeuralLayer NeuralNetwork NeuralOutput NeuralOutputs Neuron Node
  NonseasonalComponent NonseasonalFactor NormContinuous NormDiscrete NormalDistributionForBN NormalizedCountTable Numerator
  NumericInfo NumericPredictor OptimumLiftGraph Output OutputField OutlierEffect PCell PCovCell PCovMatrix PMML PPCell
  PPMatrix PairCounts ParamMatrix Parameter ParameterField ParameterList Parameters ParentValue Partition
  PartitionFieldStats PastVariances PoissonDistribution PolynomialKernelType PredictiveModelQuality Predictor PredictorTerm
  ProbDensity PsiVector Quantile REAL-Entries REAL-SparseArray ROC ROCGraph RadialBasisKernel RadialBasisKernelType
  RandomLiftGraph Regression RegressionModel RegressionTable ResidualSquareSum Residuals ResultField RuleSelectionMethod
  RuleSet RuleSetModel ScoreDistribution Scorecard SeasonalComponent SeasonalFactor Seasonality_ExpoSmooth Segment
  Segmentation SelectResult Sequence SequenceModel SequenceReference SequenceRule SetPredicate SetReference SigmoidKernelType
  SimplePredicate SimpleRule SimpleSetPredicate SpectralAnalysis SquaredEuclidean StateSpaceModel SupportVector
  SupportVectorMachine SupportVectorMachineModel SupportVectors TableLocator Target TargetValue TargetValueCount
  TargetValueCounts TargetValueStat TargetValueStats Targets Taxonomy TestDistributions TextCorpus TextDictionary
  TextDocument TextIndex TextIndexNormalization TextModel TextModelNormalization TextModelSimiliarity ThetaRecursionState
  Theta Time TimeAnchor TimeCycle TimeException TimeSeries TimeSeriesModel TimeValue Timestamp TrainingInstances
  TransferFunctionValues TransformationDictionary TransitionMatrix TreeModel Trend Trend_ExpoSmooth True UniformDistribution
  UniformDistributionForBN UnivariateStats Value VarianceCoefficients Variance VectorDictionary VectorFields
  VectorInstance VerificationField VerificationFields Lower Upper Mean XCoordinates YCoordinates chebychev
  cityBlock euclidean jaccard minkowski simpleMatching squaredEuclidean tanimoto binarySimilarity row RandomEffect
  InterceptVector StateVector MeasurementErrorVariance MA_Part NonlinearFunction InitialState Expression
`);

/** Functions of PMML (Functions, 4.4), and operators. Any other name is a Java class to the common evaluator. */
export const PMML_FUNCTIONS = words(`
  + - * / abs acos and asin atan avg ceil concat cos cosh dateDaysSinceYear dateSecondsSinceMidnight
  dateSecondsSinceYear equal erf exp expm1 floor formatDatetime formatNumber greaterOrEqual greaterThan hypot if isIn
  isMissing isNotIn isNotMissing isNotValid isValid lessOrEqual lessThan ln ln1p log10 lowercase matches max median min
  modulo normalCDF normalIDF normalPDF not notEqual or pow product replace rint round sin sinh sqrt stdNormalCDF
  stdNormalIDF stdNormalPDF stringLength substring sum tan tanh threshold trimBlanks uppercase
`);
