/** One upstream as configured. */
export type Origin = {
  readonly url: string;
  readonly token?: string;
  /** PEM of extra certificate authorities. */
  readonly ca?: string;
  /** URL of a forward proxy. */
  readonly proxy?: string;
};

export type UpstreamRequest = {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Absolute, or a path below the origin's url. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
};

export type UpstreamAnswer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** A remote file whose first answer told where the bytes are and what they should be. */
export type RemoteFile = {
  /** The status and headers of the first answer (before any redirect to another host). */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body of an answer that was an error (status 400 or more), capped. */
  readonly body: Uint8Array;
};

export type Upstream = {
  readonly origin: Origin;
  /** Whole small answers (metadata): retried, size-capped, redirects on the same origin followed. Statuses are values, not faults. */
  request(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** HEAD without following a redirect to another origin: metadata of a file. */
  stat(path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<RemoteFile>;
  /**
   * The bytes of a file from `start` to `end` (exclusive, or to the end when left out). Follows redirects through the
   * SSRF guard without passing the token to another origin; resumes cuts, stalls, 429 and 5xx by Range with If-Range
   * (re-resolving the redirect); a total length that differs from `size` is UPSTREAM_MISMATCH.
   * A chunk is gone as soon as the next one is asked for: copy what is kept. Where `room` is given, bytes are read into the
   * memory it returns when that is possible: told how many bytes were read and not yet asked beyond, it says where more may go.
   */
  download(
    path: string,
    headers: Readonly<Record<string, string>>,
    range: { start: number; end?: number; size: number },
    signal?: AbortSignal,
    room?: (ahead: number) => Uint8Array,
  ): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
};
