/** What must never be read in an answer or in the program's own log, and what stands there instead. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // The query of a URL: links to content delivery networks are signed there, and the signature is a key to the file.
  [/(\bhttps?:\/\/[^\s"'<>?]+)\?[^\s"'<>]*/gi, '$1?…'],
  [/(\bhttps?:\/\/)[^\s"'<>/@]+@/gi, '$1'],
  [/\b(bearer|basic)\s+[\w.~+/=-]+/gi, '$1 …'],
  [/\bhf_\w{8,}/g, 'hf_…'],
];

/** `text` without credentials: tokens of the Hub, Authorization values, user parts and queries of URLs. */
export const redact = (text: string): string =>
  SECRETS.reduce((clean, [secret, instead]) => clean.replace(secret, instead), text);

/** `text` as a header value: printable ASCII on one line, so that nothing from outside can add a header. */
export const headerText = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 1000)
    .trim();
