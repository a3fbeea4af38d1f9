import { schemaOf } from '../protobuf/schema.ts';

/**
 * The messages of a TensorFlow graph file, by the numbers, names and types of their fields (tensorflow/core/protobuf and
 * tensorflow/core/framework, TensorFlow 2.20; keras/protobuf/saved_metadata.proto).
 */
export const TENSORFLOW = schemaOf({
  SavedModel: '1 saved_model_schema_version int, 2* meta_graphs MetaGraphDef',
  MetaGraphDef: `
    1 meta_info_def MetaGraphDefMetaInfoDef, 2 graph_def GraphDef, 3 saver_def SaverDef, 4* collection_def
    MetaGraphDefCollectionDefEntry, 5* signature_def MetaGraphDefSignatureDefEntry, 6* asset_file_def AssetFileDef,
    7 object_graph_def SavedObjectGraph`,
  MetaGraphDefMetaInfoDef: `
    1 meta_graph_version text, 2 stripped_op_list OpList, 3 any_info Any, 4* tags text, 5 tensorflow_version text, 6
    tensorflow_git_version text, 7 stripped_default_attrs int, 8* function_aliases
    MetaGraphDefMetaInfoDefFunctionAliasesEntry`,
  OpList: '1* op OpDef',
  OpDef: `
    1 name text, 2* input_arg OpDefArgDef, 3* output_arg OpDefArgDef, 4* attr OpDefAttrDef, 5 summary text, 6
    description text, 8 deprecation OpDeprecation, 16 is_aggregate int, 17 is_stateful int, 18 is_commutative int,
    19 allows_uninitialized_input int, 20* control_output text, 21 is_distributed_communication int`,
  OpDefArgDef: `
    1 name text, 2 description text, 3 type int, 4 type_attr text, 5 number_attr text, 6 type_list_attr text, 7*
    handle_data ResourceHandleProtoDtypeAndShape, 16 is_ref int, 17 experimental_full_type FullTypeDef`,
  ResourceHandleProtoDtypeAndShape: '1 dtype int, 2 shape TensorShapeProto',
  TensorShapeProto: '2* dim TensorShapeProtoDim, 3 unknown_rank int',
  TensorShapeProtoDim: '1 size int, 2 name text',
  FullTypeDef: '1 type_id int, 2* args FullTypeDef, 3 s text, 4 i int',
  OpDefAttrDef: `
    1 name text, 2 type text, 3 default_value AttrValue, 4 description text, 5 has_minimum int, 6 minimum int, 7
    allowed_values AttrValue`,
  AttrValue: `
    1 list AttrValueListValue, 2 s bytes, 3 i int, 4 f f32, 5 b int, 6 type int, 7 shape TensorShapeProto, 8 tensor
    TensorProto, 9 placeholder text, 10 func NameAttrList`,
  AttrValueListValue: `
    2* s bytes, 3* i int, 4* f f32, 5* b int, 6* type int, 7* shape TensorShapeProto, 8* tensor TensorProto, 9* func
    NameAttrList`,
  TensorProto: `
    1 dtype int, 2 tensor_shape TensorShapeProto, 3 version_number int, 4 tensor_content bytes, 5* float_val f32, 6*
    double_val f64, 7* int_val int, 8* string_val bytes, 9* scomplex_val f32, 10* int64_val int, 11* bool_val int,
    12* dcomplex_val f64, 13* half_val int, 14* resource_handle_val ResourceHandleProto, 15* variant_val
    VariantTensorDataProto, 16* uint32_val int, 17* uint64_val int, 18 float8_val bytes`,
  ResourceHandleProto: `
    1 device text, 2 container text, 3 name text, 4 hash_code int, 5 maybe_type_name text, 6* dtypes_and_shapes
    ResourceHandleProtoDtypeAndShape`,
  VariantTensorDataProto: '1 type_name text, 2 metadata bytes, 3* tensors TensorProto',
  NameAttrList: '1 name text, 2* attr NameAttrListAttrEntry',
  NameAttrListAttrEntry: '1 key text, 2 value AttrValue',
  OpDeprecation: '1 version int, 2 explanation text',
  Any: '1 type_url text, 2 value bytes',
  MetaGraphDefMetaInfoDefFunctionAliasesEntry: '1 key text, 2 value text',
  GraphDef: `
    1* node NodeDef, 2 library FunctionDefLibrary, 3 version int, 4 versions VersionDef, 5 debug_info GraphDebugInfo`,
  NodeDef: `
    1 name text, 2 op text, 3* input text, 4 device text, 5* attr NodeDefAttrEntry, 6 experimental_debug_info
    NodeDefExperimentalDebugInfo, 7 experimental_type FullTypeDef`,
  NodeDefAttrEntry: '1 key text, 2 value AttrValue',
  NodeDefExperimentalDebugInfo: '1* original_node_names text, 2* original_func_names text',
  FunctionDefLibrary: `
    1* function FunctionDef, 2* gradient GradientDef, 3* registered_gradients RegisteredGradient`,
  FunctionDef: `
    1 signature OpDef, 3* node_def NodeDef, 4* ret FunctionDefRetEntry, 5* attr FunctionDefAttrEntry, 6* control_ret
    FunctionDefControlRetEntry, 7* arg_attr FunctionDefArgAttrEntry, 8* resource_arg_unique_id
    FunctionDefResourceArgUniqueIdEntry`,
  FunctionDefRetEntry: '1 key text, 2 value text',
  FunctionDefAttrEntry: '1 key text, 2 value AttrValue',
  FunctionDefControlRetEntry: '1 key text, 2 value text',
  FunctionDefArgAttrEntry: '1 key int, 2 value FunctionDefArgAttrs',
  FunctionDefArgAttrs: '1* attr FunctionDefArgAttrsAttrEntry',
  FunctionDefArgAttrsAttrEntry: '1 key text, 2 value AttrValue',
  FunctionDefResourceArgUniqueIdEntry: '1 key int, 2 value int',
  GradientDef: '1 function_name text, 2 gradient_func text',
  RegisteredGradient: '1 gradient_func text, 2 registered_op_type text',
  VersionDef: '1 producer int, 2 min_consumer int, 3* bad_consumers int',
  GraphDebugInfo: `
    1* files text, 2* traces GraphDebugInfoTracesEntry, 4* frames_by_id GraphDebugInfoFramesByIdEntry, 5*
    name_to_trace_id GraphDebugInfoNameToTraceIdEntry, 6* traces_by_id GraphDebugInfoTracesByIdEntry`,
  GraphDebugInfoTracesEntry: '1 key text, 2 value GraphDebugInfoStackTrace',
  GraphDebugInfoStackTrace: '1* file_line_cols GraphDebugInfoFileLineCol, 2* frame_id f64',
  GraphDebugInfoFileLineCol: '1 file_index int, 2 line int, 3 col int, 4 func text, 5 code text',
  GraphDebugInfoFramesByIdEntry: '1 key f64, 2 value GraphDebugInfoFileLineCol',
  GraphDebugInfoNameToTraceIdEntry: '1 key text, 2 value f64',
  GraphDebugInfoTracesByIdEntry: '1 key f64, 2 value GraphDebugInfoStackTrace',
  SaverDef: `
    1 filename_tensor_name text, 2 save_tensor_name text, 3 restore_op_name text, 4 max_to_keep int, 5 sharded int,
    6 keep_checkpoint_every_n_hours f32, 7 version int`,
  MetaGraphDefCollectionDefEntry: '1 key text, 2 value CollectionDef',
  CollectionDef: `
    1 node_list CollectionDefNodeList, 2 bytes_list CollectionDefBytesList, 3 int64_list CollectionDefInt64List, 4
    float_list CollectionDefFloatList, 5 any_list CollectionDefAnyList`,
  CollectionDefNodeList: '1* value text',
  CollectionDefBytesList: '1* value bytes',
  CollectionDefInt64List: '1* value int',
  CollectionDefFloatList: '1* value f32',
  CollectionDefAnyList: '1* value Any',
  MetaGraphDefSignatureDefEntry: '1 key text, 2 value SignatureDef',
  SignatureDef: `
    1* inputs SignatureDefInputsEntry, 2* outputs SignatureDefOutputsEntry, 3 method_name text, 4* defaults
    SignatureDefDefaultsEntry`,
  SignatureDefInputsEntry: '1 key text, 2 value TensorInfo',
  TensorInfo: `
    1 name text, 2 dtype int, 3 tensor_shape TensorShapeProto, 4 coo_sparse TensorInfoCooSparse, 5 composite_tensor
    TensorInfoCompositeTensor`,
  TensorInfoCooSparse: '1 values_tensor_name text, 2 indices_tensor_name text, 3 dense_shape_tensor_name text',
  TensorInfoCompositeTensor: '1 type_spec TypeSpecProto, 2* components TensorInfo',
  TypeSpecProto: `
    1 type_spec_class int, 2 type_state StructuredValue, 3 type_spec_class_name text, 4 num_flat_components int`,
  StructuredValue: `
    1 none_value NoneValue, 11 float64_value f64, 12 int64_value int, 13 string_value text, 14 bool_value int, 31
    tensor_shape_value TensorShapeProto, 32 tensor_dtype_value int, 33 tensor_spec_value TensorSpecProto, 34
    type_spec_value TypeSpecProto, 35 bounded_tensor_spec_value BoundedTensorSpecProto, 51 list_value ListValue, 52
    tuple_value TupleValue, 53 dict_value DictValue, 54 named_tuple_value NamedTupleValue, 55 tensor_value
    TensorProto, 56 numpy_value TensorProto`,
  NoneValue: '',
  TensorSpecProto: '1 name text, 2 shape TensorShapeProto, 3 dtype int',
  BoundedTensorSpecProto: `
    1 name text, 2 shape TensorShapeProto, 3 dtype int, 4 minimum TensorProto, 5 maximum TensorProto`,
  ListValue: '1* values StructuredValue',
  TupleValue: '1* values StructuredValue',
  DictValue: '1* fields DictValueFieldsEntry',
  DictValueFieldsEntry: '1 key text, 2 value StructuredValue',
  NamedTupleValue: '1 name text, 2* values PairValue',
  PairValue: '1 key text, 2 value StructuredValue',
  SignatureDefOutputsEntry: '1 key text, 2 value TensorInfo',
  SignatureDefDefaultsEntry: '1 key text, 2 value TensorProto',
  AssetFileDef: '1 tensor_info TensorInfo, 2 filename text',
  SavedObjectGraph: '1* nodes SavedObject, 2* concrete_functions SavedObjectGraphConcreteFunctionsEntry',
  SavedObject: `
    1* children TrackableObjectGraphTrackableObjectObjectReference, 3* slot_variables
    TrackableObjectGraphTrackableObjectSlotVariableReference, 4 user_object SavedUserObject, 5 asset SavedAsset, 6
    function SavedFunction, 7 variable SavedVariable, 8 bare_concrete_function SavedBareConcreteFunction, 9 constant
    SavedConstant, 10 resource SavedResource, 11* saveable_objects SavedObjectSaveableObjectsEntry, 12
    captured_tensor CapturedTensor, 13 registered_name text, 14 serialized_user_proto Any, 15* dependencies
    TrackableObjectGraphTrackableObjectObjectReference, 16 registered_saver text`,
  TrackableObjectGraphTrackableObjectObjectReference: '1 node_id int, 2 local_name text',
  TrackableObjectGraphTrackableObjectSlotVariableReference: `
    1 original_variable_node_id int, 2 slot_name text, 3 slot_variable_node_id int`,
  SavedUserObject: '1 identifier text, 2 version VersionDef, 3 metadata text',
  SavedAsset: '1 asset_file_def_index int',
  SavedFunction: '1* concrete_functions text, 2 function_spec FunctionSpec',
  FunctionSpec: `
    1 fullargspec StructuredValue, 2 is_method int, 5 input_signature StructuredValue, 6 jit_compile int`,
  SavedVariable: `
    1 dtype int, 2 shape TensorShapeProto, 3 trainable int, 4 synchronization int, 5 aggregation int, 6 name text, 7
    device text, 8* experimental_distributed_variable_components SavedVariable`,
  SavedBareConcreteFunction: `
    1 concrete_function_name text, 2* argument_keywords text, 3 allowed_positional_arguments int, 4 function_spec
    FunctionSpec`,
  SavedConstant: '1 operation text',
  SavedResource: '1 device text',
  SavedObjectSaveableObjectsEntry: '1 key text, 2 value SaveableObject',
  SaveableObject: '2 save_function int, 3 restore_function int',
  CapturedTensor: '1 name text, 2 concrete_function text',
  SavedObjectGraphConcreteFunctionsEntry: '1 key text, 2 value SavedConcreteFunction',
  SavedConcreteFunction: `
    2* bound_inputs int, 3 canonicalized_input_signature StructuredValue, 4 output_signature StructuredValue`,
  FingerprintDef: `
    1 saved_model_checksum int, 2 graph_def_program_hash int, 3 signature_def_hash int, 4 saved_object_graph_hash int,
    5 checkpoint_hash int, 6 version VersionDef, 7 uuid text`,
  SavedMetadata: '1* nodes KerasObject',
  KerasObject: '2 node_id int, 3 node_path text, 4 identifier text, 5 metadata text, 6 version KerasVersion',
  KerasVersion: '1 producer int, 2 min_consumer int, 3* bad_consumers int',
});
