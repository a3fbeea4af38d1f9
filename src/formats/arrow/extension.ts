import type { Context } from '../format.ts';

/** The extension type of old pyarrow whose metadata is a pickle that loading it runs. */
const TYPE = 'arrow.py_extension_type';

/** Reports a schema that makes pyarrow 0.14 to 14.0.0 unpickle (CVE-2023-47248); true when it does. */
export const unpickles = (schema: Uint8Array, offset: number, context: Context): boolean => {
  const at = indexOf(schema, TYPE);
  if (at < 0) return false;
  const message = 'the schema holds a pickled Python extension type, which pyarrow before 14.0.1 unpickles on load';
  const refs = ['CVE-2023-47248', 'CWE-502', 'AML.T0010'];
  context.report({ rule: 'arrow.py-extension-type', severity: 'critical', message, offset, evidence: TYPE, refs });
  return true;
};

/** Position of ASCII `text` in `bytes`, or -1. */
const indexOf = (bytes: Uint8Array, text: string): number => {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let length = 1;
    while (length < text.length && bytes[at + length] === text.charCodeAt(length)) length += 1;
    if (length === text.length) return at;
  }
  return -1;
};

/** Base64 (RFC 4648) to bytes; nothing when it is none. */
export const fromBase64 = (text: string): Uint8Array | undefined => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const values = new Map([...alphabet].map((letter, index) => [letter, index] as const));
  const body = text.replace(/={1,2}$/, '');
  const out = new Uint8Array(Math.floor((body.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let used = 0;
  for (const letter of body) {
    const value = values.get(letter);
    if (value === undefined) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[used++] = (held >> bits) & 0xff;
  }
  return out;
};
