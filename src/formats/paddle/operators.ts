/** Operators of PaddlePaddle that compute on tensors or steer the program (paddle/fluid/operators, paddle/phi/ops). */
const NAMES = `abs acos acosh add_n addmm affine_channel affine_grid allclose anchor_generator arg_max arg_min argsort asin
  asinh assign assign_value atan atan2 atanh batch_norm bce_loss beam_search beam_search_decode bicubic_interp
  bicubic_interp_v2 bilinear_interp bilinear_interp_v2 bilinear_tensor_product bincount bipartite_match bitwise_and
  bitwise_not bitwise_or bitwise_xor bmm box_clip box_coder box_decoder_and_assign broadcast_tensors cast ceil celu cholesky
  clip clip_by_norm collect_fpn_proposals concat conditional_block conditional_block_infer conv2d conv2d_fusion
  conv2d_transpose conv3d conv3d_transpose cos cos_sim cosh crf_decoding crop crop_tensor cross cross_entropy cross_entropy2
  ctc_align cumprod cumsum cudnn_lstm data_norm deformable_conv deformable_conv_v1 density_prior_box depthwise_conv2d
  depthwise_conv2d_transpose dequantize dequantize_abs_max dequantize_linear dequantize_log diag diag_embed diag_v2 diagonal
  distribute_fpn_proposals dot dropout dropout_nd edit_distance einsum elementwise_add elementwise_div elementwise_floordiv
  elementwise_max elementwise_min elementwise_mod elementwise_mul elementwise_pow elementwise_sub elu embedding
  empty equal equal_all erf erfinv exp expand expand_as expand_as_v2 expand_v2 expm1 eye fake_channel_wise_dequantize_max_abs
  fake_channel_wise_quantize_dequantize_abs_max fake_dequantize_max_abs fake_quantize_abs_max
  fake_quantize_dequantize_abs_max fake_quantize_dequantize_moving_average_abs_max fake_quantize_moving_average_abs_max
  fake_quantize_range_abs_max fc feed fetch fetch_v2 fill_any_like fill_constant fill_constant_batch_size_like
  fill_zeros_like fill_zeros_like2 flatten flatten2 flatten_contiguous_range flip floor fold frobenius_norm fsp fused_attention
  fused_bias_dropout_residual_layer_norm fused_elemwise_activation fused_embedding_eltwise_layernorm fused_feedforward
  fused_fc_elementwise_layernorm fused_gemm_epilogue fused_multi_transformer fusion_gru fusion_lstm gather gather_nd
  gather_tree gaussian_random gelu generate_proposals generate_proposals_v2 greater_equal greater_than grid_sampler
  group_norm gru gru_unit gumbel_softmax hard_shrink hard_sigmoid hard_swish hierarchical_sigmoid huber_loss im2sequence
  increment index_sample index_select instance_norm inverse iou_similarity is_empty isfinite isfinite_v2 isinf isinf_v2 isnan
  isnan_v2 kron label_smooth layer_norm leaky_relu less_equal less_than linear_interp linear_interp_v2 linspace
  lod_array_length lod_reset log log10 log1p log2 log_loss log_softmax logical_and logical_not logical_or logical_xor
  logsigmoid logsumexp lookup_table lookup_table_v2 lrn lstm lstmp masked_select matmul matmul_v2 matrix_nms matrix_power
  max_pool2d_with_index maximum maxout mean merge_lod_tensor merge_lod_tensor_infer meshgrid minimum mish mul multiclass_nms
  multiclass_nms2 multiclass_nms3 multihead_matmul multinomial multiplex mv nearest_interp nearest_interp_v2 norm not_equal
  one_hot one_hot_v2 p_norm pad pad2d pad3d partial_concat partial_sum pixel_shuffle pool2d pool3d pow prelu prior_box
  quantize quantize_linear randint random_crop randperm range rank_loss read_from_array reciprocal reduce_all reduce_any
  reduce_max reduce_mean reduce_min reduce_prod reduce_sum relu relu6 reorder_lod_tensor_by_rank repeat_interleave requantize
  reshape reshape2 reverse rnn roi_align roi_pool roll round rsqrt sampling_id scale scatter scatter_nd_add searchsorted
  select_input select_output selu sequence_concat sequence_conv sequence_expand sequence_expand_as sequence_mask sequence_pad
  sequence_pool sequence_reshape sequence_reverse sequence_slice sequence_softmax sequence_unpad set_value shadow_output
  shape share_data shuffle_channel sigmoid sigmoid_cross_entropy_with_logits sign silu sin sinh size skip_layernorm slice
  smooth_l1_loss soft_relu softmax softmax_with_cross_entropy softplus softshrink softsign space_to_depth spectral_norm
  split split_lod_tensor spp sqrt square squeeze squeeze2 stack stanh strided_slice sum swish sync_batch_norm
  take_along_axis tan tanh tanh_shrink target_assign temporal_shift tensor_array_to_tensor thresholded_relu tile top_k top_k_v2
  trace transpose transpose2 tril_indices tril_triu trilinear_interp trilinear_interp_v2 trunc truncated_gaussian_random unbind
  unfold uniform_random uniform_random_batch_size_like unique unique_with_counts unpool unsqueeze unsqueeze2 unstack
  var_conv_2d warpctc where where_index while write_to_array yolo_box yolov3_loss`;

export const INERT: ReadonlySet<string> = new Set(NAMES.split(/\s+/));

/** Operators that act outside the program, and what they do. */
export const DANGERS: readonly (readonly [RegExp, string])[] = [
  [/^py_(?:func|layer)$/, 'calls a Python function of the process'],
  [/^(?:save|save_combine|dump|print)/, 'writes files or prints'],
  [/^(?:load|load_combine|read|read_file|create_.*reader|read_.*)$/, 'reads files'],
  [
    /^(?:send|recv|listen|fetch_barrier|send_barrier|distributed|c_|prefetch|push_|pull_|gen_|heter)/,
    'exchanges tensors with another machine',
  ],
  [
    /^(?:run_program|custom|load_op|tensorrt_engine|lite_engine|dlnne_engine|ascend|cinn)/,
    'runs a program or an engine that was compiled elsewhere',
  ],
];
