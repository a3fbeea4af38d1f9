/**
 * The packages that `formats/` and `content/` may import: small, pure, and shown by a test to evaluate in a bare
 * isolate. `docs/dependencies.md` says what each is for.
 */
export const packages: readonly string[] = ['@huggingface/jinja', 'fzstd', 'yaml'];
