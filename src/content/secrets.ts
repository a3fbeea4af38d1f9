/** Credentials with a form of their own: a marker that text is searched for first, and the whole form. */
const FORMS: readonly (readonly [name: string, marker: string, form: RegExp])[] = [
  ['AWS access key', 'AKIA', /\bAKIA[0-9A-Z]{16}\b/],
  ['Hugging Face token', 'hf_', /\bhf_[A-Za-z0-9]{34}\b/],
  ['GitHub token', 'ghp_', /\bghp_[A-Za-z0-9]{36}\b/],
  ['GitHub token', 'github_pat_', /\bgithub_pat_[A-Za-z0-9_]{60,90}\b/],
  ['OpenAI key', 'sk-', /\bsk-(?:proj-)?[A-Za-z0-9]{40,200}\b/],
  ['Anthropic key', 'sk-ant-', /\bsk-ant-[A-Za-z0-9_-]{60,200}\b/],
  ['Google key', 'AIza', /\bAIza[0-9A-Za-z_-]{35}\b/],
  ['Slack token', 'xox', /\bxox[abprs]-[0-9A-Za-z-]{20,200}\b/],
  ['private key', 'PRIVATE KEY-----', /-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY-----/],
];

/** The kind of credential that `text` holds, or nothing. The credential itself is never returned. */
export const secretIn = (text: string): string | undefined =>
  FORMS.find(([, marker, form]) => {
    if (!text.includes(marker)) return false;
    const found = form.exec(text)?.[0];
    return found !== undefined && !found.includes('EXAMPLE');
  })?.[0];
