/**
 * The one error class. A decision (allow, deny, …) is a value and never thrown; an error is a fault:
 * something that kept Weighbridge from deciding or from answering. Each code says how it looks from outside.
 */
const CODES = {
  // What a parser may throw, and nothing else.
  FORMAT_TRUNCATED: { status: 422, retry: false },
  FORMAT_INVALID: { status: 422, retry: false },
  LIMIT_EXCEEDED: { status: 422, retry: false },
  // Configuration and policies.
  CONFIG_INVALID: { status: 500, retry: false },
  POLICY_INVALID: { status: 500, retry: false },
  // The sandbox.
  SANDBOX_CRASHED: { status: 500, retry: true },
  SANDBOX_TIMEOUT: { status: 500, retry: true },
  SANDBOX_MEMORY: { status: 500, retry: true },
  SANDBOX_LIED: { status: 500, retry: true },
  /** No worker judged the file, through no fault of the file: a verdict would be wrong. */
  SANDBOX_UNAVAILABLE: { status: 503, retry: true },
  SANDBOX_WALLS: { status: 500, retry: false },
  // The store and the log.
  STORE_CORRUPT: { status: 500, retry: false },
  STORE_FULL: { status: 507, retry: true },
  STORE_TOO_NEW: { status: 500, retry: false },
  LOG_UNAVAILABLE: { status: 503, retry: true },
  LOG_CORRUPT: { status: 500, retry: false },
  // Upstream.
  UPSTREAM_UNREACHABLE: { status: 504, retry: true },
  UPSTREAM_REFUSED: { status: 502, retry: false },
  UPSTREAM_MISMATCH: { status: 502, retry: false },
  UPSTREAM_BLOCKED: { status: 502, retry: false },
  UPSTREAM_TOO_LARGE: { status: 502, retry: false },
  // Requests and conversion.
  REQUEST_INVALID: { status: 400, retry: false },
  RANGE_NOT_SATISFIABLE: { status: 416, retry: false },
  NOT_FOUND: { status: 404, retry: false },
  UNAUTHENTICATED: { status: 401, retry: false },
  FORBIDDEN: { status: 403, retry: false },
  /** Who vouches for people cannot be asked. */
  IDENTITY_UNAVAILABLE: { status: 503, retry: true },
  RATE_LIMITED: { status: 429, retry: true },
  NOT_CONVERTIBLE: { status: 422, retry: false },
  /** A verdict that came while bytes were already on their way. */
  REFUSED: { status: 403, retry: false },
  CANCELLED: { status: 499, retry: true },
} as const;

export type ErrorCode = keyof typeof CODES;
/**
 * What says of bytes that they are not what they were taken for, dozens of times for a small file. Finding out where in
 * the parser takes longer than that, and tells nothing: the message has the place in the file.
 */
const OF_BYTES: ReadonlySet<ErrorCode> = new Set(['FORMAT_TRUNCATED', 'FORMAT_INVALID', 'LIMIT_EXCEEDED']);
type Details = Readonly<Record<string, string | number | boolean | undefined>>;

export class WeighbridgeError extends Error {
  override readonly name = 'WeighbridgeError';
  readonly code: ErrorCode;
  readonly details: Details;

  constructor(code: ErrorCode, message: string, details: Details = {}, options?: ErrorOptions) {
    const { stackTraceLimit } = Error;
    if (OF_BYTES.has(code)) Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.details = details;
  }

  /** The HTTP status that this fault has where a protocol does not ask for another. */
  get status(): number {
    return CODES[this.code].status;
  }

  /** Whether the same request may succeed later. */
  get retry(): boolean {
    return CODES[this.code].retry;
  }
}

/** Every code, for the table in docs/errors.md and its test. */
export const errorCodes = Object.keys(CODES) as readonly ErrorCode[];

/** True when `error` is a fault of the given code (of any code when none is given). */
export const isFault = (error: unknown, code?: ErrorCode): error is WeighbridgeError =>
  error instanceof WeighbridgeError && (code === undefined || error.code === code);
