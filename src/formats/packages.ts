/**
 * The packages that parsers may use: small, without Node, and shown by a test to evaluate in a bare isolate.
 * Everything else a parser needs is written here.
 */
export const packages: readonly string[] = ['@huggingface/jinja', 'fflate', 'fzstd', 'hyparquet', 'yaml'];
