import { dangerousTarget } from '../../content/targets.ts';
import type { Severity } from '../format.ts';
import { FILE_OPERATORS, OTHER_OPERATORS, TENSOR_OPERATORS } from '../torch/script-operators.ts';

/** Operators of `aten` that exported graphs have and scripts have not. */
const EXPORTED = new Set([
  ...[
    'sym_size',
    'sym_numel',
    'sym_stride',
    'sym_storage_offset',
    'sym_constrain_range',
    'sym_constrain_range_for_size',
  ],
  ...['_native_batch_norm_legit', '_native_batch_norm_legit_no_training', '_native_batch_norm_legit_functional'],
  ...['_scaled_dot_product_flash_attention_for_cpu', '_scaled_dot_product_cudnn_attention', 'lift_fresh_copy'],
  ...['lift_fresh', '_safe_softmax', '_functional_assert_async', '_unsafe_index', '_unsafe_masked_index'],
  ...['_scaled_dot_product_fused_attention_overrideable', '_adaptive_avg_pool2d', '_assert_tensor_metadata'],
  ...['_upsample_bilinear2d_aa', '_upsample_nearest_exact2d', '_chunk_cat', '_fused_rms_norm', 'rms_norm', '_to_copy'],
]);
/** Operators over whole graphs: they run graphs of the same program and nothing else. */
const HIGHER =
  /^(?:cond|while_loop|map_impl|scan|associative_scan|wrap|wrap_with_set_grad_enabled|wrap_with_autocast|checkpoint)$/;
/** Namespaces of PyTorch and ExecuTorch all of whose operators compute. */
const COMPUTING = new Set(['quantized_decomposed', 'dim_order_ops', 'executorch_prim']);
/** Functions of Python on numbers. */
const NUMBERS =
  /^(?:_operator\.(?:add|sub|mul|floordiv|truediv|mod|neg|pos|pow|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|invert|lshift|rshift|getitem|index)|math\.(?:ceil|floor|trunc|sqrt|exp|log|log2|pow|cos|sin|tan|cosh|sinh|tanh|acos|asin|atan|fabs)|torch\.(?:sym_[a-z_]{1,24}|_sym_[a-z]{1,24}|fx\.experimental\.symbolic_shapes\.cast_symbool_to_symint_guardless))$/;

/** What is wrong with the function that a node of an exported graph calls: the loader walks its dots from `torch` on. */
export const judgeCalled = (target: string): { readonly severity: Severity; readonly why: string } | undefined => {
  const match = /^torch\.ops\.([a-z_0-9]{1,64})\.([A-Za-z_0-9]{1,128})(?:\.[A-Za-z_0-9]{1,64})?$/.exec(target);
  if (match !== null) return judgeOperator(match[1] ?? '', match[2] ?? '');
  if (NUMBERS.test(target)) return undefined;
  const danger = dangerousTarget(target);
  if (danger !== undefined) return { severity: 'high', why: danger };
  return { severity: 'medium', why: 'is no operator that only computes' };
};

/** What is wrong with an operator, as `namespace::name` is registered. */
export const judgeOperator = (namespace: string, name: string): ReturnType<typeof judgeCalled> => {
  if (FILE_OPERATORS.has(name)) return { severity: 'high', why: 'reaches files, code or other hosts' };
  const known =
    namespace === 'aten'
      ? TENSOR_OPERATORS.has(name) || EXPORTED.has(name)
      : namespace === 'higher_order'
        ? HIGHER.test(name)
        : COMPUTING.has(namespace) ||
          OTHER_OPERATORS.has(`${namespace}.*`) ||
          OTHER_OPERATORS.has(`${namespace}.${name}`);
  return known ? undefined : { severity: 'medium', why: 'is no operator that only computes' };
};
