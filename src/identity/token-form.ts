const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Bytes of chance in a token: its plain sha256 is then as good a store of it as a slow hash. */
export const SECRET_BYTES = 32;
/** Base-62 digits of that many bytes. */
const LENGTH = 43;
/**
 * Hub clients send, and scanners for leaked secrets know, `hf_` and 34 or more alphanumerics. The Hub's own are 34: at 45
 * ours are never taken for one of those, so that none, whatever became of it, is sent to the Hub.
 */
const PREFIX = 'hf_wb';
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${LENGTH}}$`);

/** The token that carries these 32 random bytes. */
export const writeToken = (secret: Uint8Array): string => {
  let rest = secret.reduce((number, byte) => number * 256n + BigInt(byte), 0n);
  let digits = '';
  for (; digits.length < LENGTH; rest /= 62n) digits = DIGITS.charAt(Number(rest % 62n)) + digits;
  return PREFIX + digits;
};

/** Whether `text` has the form of a token that a gateway made, known to this one or not. */
export const isTokenForm = (text: string): boolean => FORM.test(text);
