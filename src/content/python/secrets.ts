import { textAt } from './places.ts';
import type { Token } from './tokens.ts';

type Span = { readonly from: number; readonly to: number };

/** Methods that send what they are given, whatever object they belong to. */
const SENDS = /\.(?:post|put|patch|request|send|sendall|sendto|sendmail|urlopen)$/;
/** Environment variables of these names are credentials. */
const CREDENTIAL = /TOKEN|KEY|SECRET|PASS|CRED/i;
/** Where a client puts the credential that the server asked for. */
const AUTHENTICATES = new Set(['headers', 'auth', 'cookies', 'cert']);
/** Reading one variable of the environment. */
const ONE = new Set(['get', 'setdefault', 'pop', 'update']);

/** True for a call that may send its arguments to somewhere else. */
export const maySend = (path: string): boolean => SENDS.test(path);

/** True when the environment as a whole stands at `at`, not one variable of it. */
const isEnvironment = (tokens: readonly Token[], at: number): boolean =>
  tokens[at]?.kind === 'name' &&
  textAt(tokens, at) === 'environ' &&
  textAt(tokens, at + 1) !== '[' &&
  !(textAt(tokens, at + 1) === '.' && ONE.has(textAt(tokens, at + 2)));

/** Names of variables that hold a copy of the environment. */
export const environmentNames = (tokens: readonly Token[], lines: readonly Span[]): ReadonlySet<string> => {
  const names = new Set<string>();
  for (const { from, to } of lines) {
    if (textAt(tokens, from + 1) !== '=') continue;
    for (let at = from + 2; at < to; at++) if (isEnvironment(tokens, at)) names.add(textAt(tokens, from));
  }
  return names;
};

/** True when the arguments hold the environment or one of its copies. */
export const holdsEnvironment = (
  tokens: readonly Token[],
  { from, to }: Span,
  copies: ReadonlySet<string>,
): boolean => {
  for (let at = from; at < to; at++) {
    if (isEnvironment(tokens, at)) return true;
    const token = tokens[at];
    const isValue = token?.kind === 'name' && textAt(tokens, at - 1) !== '.' && textAt(tokens, at + 1) !== '=';
    if (isValue && copies.has(token.text)) return true;
  }
  return false;
};

/** True when an argument other than the headers holds a credential out of the environment. */
export const holdsCredential = (tokens: readonly Token[], parts: readonly Span[]): boolean =>
  parts.some(({ from, to }) => {
    if (AUTHENTICATES.has(textAt(tokens, from)) && textAt(tokens, from + 1) === '=') return false;
    for (let at = from; at < to; at++) {
      const name = textAt(tokens, at);
      if (name !== 'environ' && name !== 'getenv') continue;
      const key = tokens.slice(at + 1, at + 5).find(({ kind }) => kind === 'string');
      if (key === undefined || CREDENTIAL.test(key.text)) return true;
    }
    return false;
  });

/** Files of a user or a system that hold credentials or start programs. No model has business with them. */
const PRIVATE =
  /(?:^|[\\/~])\.(?:ssh|aws|gnupg|kube|netrc|git-credentials|pypirc)(?:$|[\\/])|authorized_keys|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\/etc\/(?:passwd|shadow|sudoers|cron)|(?:^|[\\/])\.(?:bashrc|bash_profile|zshrc|profile)$|Login Data$|cookies\.sqlite|key4\.db|wallet\.dat|\/proc\/(?:self|[0-9]{1,8})\/(?:environ|mem)|^LD_PRELOAD$|huggingface[\\/](?:token|stored_tokens)$/;
/** Longer strings are text about something. */
const PATH = 300;

/** True for a string that names a file with credentials or one that starts programs. */
export const isPrivatePath = ({ kind, text }: Token): boolean =>
  kind === 'string' && text.length <= PATH && PRIVATE.test(text);
