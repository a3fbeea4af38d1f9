import { createDownload } from './download.ts';
import { requestMetadata } from './metadata.ts';
import { DEFAULT_PATIENCE, type Patience } from './patience.ts';
import { createSender } from './send.ts';
import type { Origin, Upstream } from './types.ts';

export type UpstreamOptions = {
  readonly origin: Origin;
  /** Lets redirects and links lead to private and loopback addresses. The configured origin may always be one. */
  readonly allowPrivate: boolean;
  readonly patience?: Partial<Patience>;
  /** From this many bytes on a body comes over a connection of its own. */
  readonly largeFrom?: number;
};

/** Below this a kept connection is faster than a new one, whatever a byte costs. */
const LARGE = 8 * 1024 * 1024;

/** Outgoing HTTP to one configured origin. See `Upstream` for what its functions promise. */
export const createUpstream = ({
  origin,
  allowPrivate,
  patience: given,
  largeFrom = LARGE,
}: UpstreamOptions): Upstream => {
  const patience = { ...DEFAULT_PATIENCE, ...given };
  const sender = createSender(origin, allowPrivate, patience);
  const download = createDownload(sender, patience, largeFrom);
  const request: Upstream['request'] = async ({ method, url, headers = {}, body, signal }) => {
    const hop = { ...sender.place(url), method, headers: lowerCase(headers), signal };
    return requestMetadata(sender, patience, body === undefined ? hop : { ...hop, body });
  };
  return {
    origin,
    request,
    stat: (path, headers, signal) =>
      request({ method: 'HEAD', url: path, headers, ...(signal === undefined ? {} : { signal }) }),
    download: (path, headers, { start, end, size }, signal, room) => {
      const range = { start, end: Math.min(end ?? size, size), size };
      return download({ path, headers: lowerCase(headers), range, signal, room });
    },
    close: sender.close,
  };
};

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
