/** What stands for a secret. */
const REDACTED = '[redacted]';

/**
 * Tokens by their issuers' prefixes: Hugging Face, npm, PyPI, GitHub, GitLab, AWS, Slack, OpenAI-like keys, JWTs. Their
 * lengths are the shortest ever issued or less, so that a file called `hf_config` is no token.
 */
const TOKENS =
  /\b(?:hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|A[KS]IA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)/g;

/** The value of an Authorization or Cookie header, and of `Bearer` and `Basic` wherever they stand. */
const HEADERS = /\b((?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key)["']?\s*[:=]\s*)[^"\r\n\\]+/gi;
const SCHEMES = /\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}/gi;

/** Name and password in a URL. */
const USERINFO = /(:\/\/)[^/\s"\\@?#]+@/g;

/** Query parameters that sign a URL or carry a credential. Of a presigned URL none is left. */
const PARAMETERS =
  /([?&;](?:x-(?:amz|goog|ms)-[\w-]+|signature|sig|se|sp|sr|st|sv|skoid|policy|key-pair-id|expires|awsaccesskeyid|googleaccessid|(?:access_|auth_|id_|refresh_)?token|api[_-]?key|key|secret|password|auth|credential|code)=)[^&\s"'<>\\#]*/gi;

/** One cheap look for the texts, nearly all, that hold nothing of the kind. */
const MARKS = /(?:hf|npm|gh[pousr]|api_org|github_pat)_|(?:sk|pypi|glpat|xox[abprs])-|A[KS]IA|eyJ|[?&;@]/;
const WORDS = /bearer|basic|authorization|cookie|x-api-key/i;
const isSuspect = (text: string): boolean => MARKS.test(text) || WORDS.test(text);

/**
 * `text` without secrets: tokens, authorisation and cookie headers, credentials in URLs, presigning parameters. It may
 * be a line of JSON: no quote or backslash is ever taken away.
 */
export const redact = (text: string): string =>
  isSuspect(text)
    ? text
        .replace(HEADERS, `$1${REDACTED}`)
        .replace(SCHEMES, `$1$2${REDACTED}`)
        .replace(TOKENS, REDACTED)
        .replace(USERINFO, `$1${REDACTED}@`)
        .replace(PARAMETERS, `$1${REDACTED}`)
    : text;
