import { WeighbridgeError } from '../errors.ts';

/** The head of an HTTP/1.1 answer (RFC 9112). */
export type ResponseHead = {
  readonly status: number;
  /** Names in lower case; repeated ones joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body; undefined when it is framed in another way than by one Content-Length. */
  readonly length: number | undefined;
};

/** Header lines of one answer. */
const MAX_LINES = 200;

/** Statuses without a body, whatever their headers say (RFC 9110, 6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/**
 * Reads status line and headers (without the empty line at the end). Strict, since a head that can be read in two ways is
 * one: folded lines, bare line feeds, a space before the colon and two lengths that differ are refused.
 * Throws UPSTREAM_UNREACHABLE.
 */
export const parseHead = (text: string): ResponseHead => {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(first)?.[1];
  if (status === undefined || lines.length > MAX_LINES) throw malformed();
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (match === null) throw malformed();
    const [name = '', value = ''] = [match[1]?.toLowerCase(), match[2]?.trim()];
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { status: Number(status), headers: { ...headers }, length: lengthOf(Number(status), headers) };
};

const lengthOf = (status: number, headers: Readonly<Record<string, string>>): number | undefined => {
  const { 'transfer-encoding': transfer, 'content-length': told } = headers;
  if (transfer !== undefined && told !== undefined) throw malformed();
  if (BODILESS.has(status)) return 0;
  if (transfer !== undefined || told === undefined) return undefined;
  const length = Number(told);
  if (!/^\d{1,16}$/.test(told) || !Number.isSafeInteger(length)) throw malformed();
  return length;
};

const malformed = (): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_UNREACHABLE', 'the answer has a malformed head', { code: 'HPE_INVALID_HEADER_TOKEN' });
