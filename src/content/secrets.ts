import { createLiterals } from './literals.ts';

/** A credential with a form of its own: a marker that text is searched for first, and the whole form. */
type Form = readonly [name: string, marker: string, form: RegExp];

/** Forms as their issuers document them, or as their scanners know them. Each is anchored by its marker and bounded. */
const FORMS: readonly Form[] = [
  ['AWS access key', 'AKIA', /\bAKIA[0-9A-Z]{16}\b/],
  ['AWS access key', 'ASIA', /\bASIA[0-9A-Z]{16}\b/],
  [
    'AWS secret key',
    'ret_access_key',
    /\bsecret_access_key["']?\s{0,4}[=:]\s{0,4}["']?[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])/i,
  ],
  [
    'AWS secret key',
    'retAccessKey',
    /\bSecretAccessKey["']?\s{0,4}[=:]\s{0,4}["']?[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])/i,
  ],
  [
    'AWS secret key',
    'RET_ACCESS_KEY',
    /\bAWS_SECRET_ACCESS_KEY["']?\s{0,4}[=:]\s{0,4}["']?[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])/,
  ],
  ['Hugging Face token', 'hf_', /\bhf_[A-Za-z0-9]{34}\b/],
  ['GitHub token', 'ghp_', /\bghp_[A-Za-z0-9]{36}\b/],
  ['GitHub token', 'gho_', /\bgho_[A-Za-z0-9]{36}\b/],
  ['GitHub token', 'ghs_', /\bghs_[A-Za-z0-9]{36}\b/],
  ['GitHub token', 'github_pat_', /\bgithub_pat_[A-Za-z0-9_]{60,90}\b/],
  ['GitLab token', 'glpat-', /\bglpat-[A-Za-z0-9_-]{20,52}\b/],
  ['Anthropic key', 'sk-ant-', /\bsk-ant-[A-Za-z0-9_-]{60,200}\b/],
  ['OpenRouter key', 'sk-or-', /\bsk-or-v1-[0-9a-f]{64}\b/],
  // Behind the two above, which begin alike.
  ['OpenAI key', 'sk-', /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{40,200}\b/],
  ['Google key', 'AIza', /\bAIza[0-9A-Za-z_-]{35}\b/],
  ['Google client secret', 'GOCSPX-', /\bGOCSPX-[A-Za-z0-9_-]{28}\b/],
  ['Google service account', '"private_key_id"', /"private_key_id"\s{0,8}:\s{0,8}"[0-9a-f]{40}"/],
  ['Groq key', 'gsk_', /\bgsk_[A-Za-z0-9]{48,56}\b/],
  ['Replicate token', 'r8_', /\br8_[A-Za-z0-9]{37}\b/],
  ['xAI key', 'xai-', /\bxai-[A-Za-z0-9]{60,100}\b/],
  ['Perplexity key', 'pplx-', /\bpplx-[A-Za-z0-9]{40,60}\b/],
  ['Pinecone key', 'pcsk_', /\bpcsk_[A-Za-z0-9_]{50,90}\b/],
  ['Slack token', 'xox', /\bxox[abeoprs]-[0-9A-Za-z-]{20,200}\b/],
  [
    'Slack webhook',
    'hooks.slack.com',
    /hooks\.slack\.com\/services\/T[0-9A-Z]{8,12}\/B[0-9A-Z]{8,12}\/[0-9A-Za-z]{24}/,
  ],
  ['Discord webhook', '/api/webhooks/', /discord(?:app)?\.com\/api\/webhooks\/\d{17,20}\/[A-Za-z0-9_-]{60,80}/],
  ['Telegram bot token', ':AA', /\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b/],
  ['Stripe key', 'k_live_', /\b[sr]k_live_[0-9A-Za-z]{24,100}\b/],
  ['SendGrid key', 'SG.', /\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b/],
  ['npm token', 'npm_', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['PyPI token', 'pypi-', /\bpypi-AgE[A-Za-z0-9_-]{50,300}\b/],
  ['DigitalOcean token', 'dop_v1_', /\bdop_v1_[0-9a-f]{64}\b/],
  ['Databricks token', 'dapi', /\bdapi[0-9a-f]{32}\b/],
  ['Vault token', 'hvs.', /\bhvs\.[A-Za-z0-9_-]{24,200}\b/],
  ['Shopify token', 'shpat_', /\bshpat_[0-9a-fA-F]{32}\b/],
  ['Supabase token', 'sbp_', /\bsbp_[0-9a-f]{40}\b/],
  ['Mailgun key', 'key-', /\bkey-[0-9a-f]{32}\b/],
  ['Azure storage key', 'AccountKey=', /\bAccountKey=[A-Za-z0-9+/]{86}==/],
  ['age key', 'AGE-SECRET-KEY-1', /\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b/],
  [
    'database address with a password',
    '://',
    /\b(?:mongodb(?:\+srv)?|postgres(?:ql)?|mysql|mariadb|rediss?|amqps?):\/\/[^\s:/@]{1,64}:[^\s:/@"'<>{}$]{8,128}@(?!localhost|127\.|example|host\b)[\w.-]{4,200}/,
  ],
  ['private key', 'PRIVATE KEY', /-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY(?: BLOCK)?-----/],
];

/** What every credential that is known holds. */
export const secretMarkers: readonly string[] = FORMS.map(([, marker]) => marker);
const anyMarker = createLiterals(secretMarkers);

/** What documentation writes in the place of a credential. */
const PLACEHOLDER =
  /example|placeholder|dummy|sample|redacted|your[_-]?|changeme|insert|replace|foobar|x{6}|\*{4}|\.{3}|0{8}|1234567|abcdefg|qwerty|deadbeef|:password@|:secret@|:pass(?:word)?\d{0,4}@/i;
/** Different characters that a random credential has at least. */
const VARIETY = 10;

/** The kind of credential that `text` holds, or nothing. The credential itself is never returned. */
export const secretIn = (text: string): string | undefined => {
  if (!anyMarker(text)) return undefined;
  return FORMS.find(([name, marker, form]) => {
    if (!text.includes(marker)) return false;
    const found = form.exec(text)?.[0];
    if (found === undefined) return false;
    return name === 'private key' || (!PLACEHOLDER.test(found) && new Set(found.slice(marker.length)).size >= VARIETY);
  })?.[0];
};
