import { version } from '../../package.ts';
import type { Upstream } from '../../upstream/types.ts';

/** ms that a sending may take, also the last one when the gateway ends. */
export const SEND_TIMEOUT = 10_000;

/** Whom collectors hear of as the sender. */
export const SENDER = { 'service.name': 'weighbridge', 'service.version': version };

/** Told once when what is sent does not arrive, and once, with undefined, when it does again. */
export type TellExport = (problem: string | undefined) => void;

/** What an exporter of OpenTelemetry answers: 0 when all was sent, 1 when it is lost. */
export type Sent = { readonly code: 0 | 1 };

/**
 * Sends requests of OTLP over HTTP, with Protocol Buffers, to `path` at the collector `upstream`. What does not arrive is lost.
 */
export const createSend = (upstream: Pick<Upstream, 'request'>, path: string, tell: TellExport) => {
  let failing = false;
  const arrived = (problem: string | undefined): Sent => {
    if (failing !== (problem !== undefined)) tell(problem);
    failing = problem !== undefined;
    return { code: failing ? 1 : 0 };
  };
  return async (body: Uint8Array | undefined): Promise<Sent> => {
    if (body === undefined) return { code: 0 };
    try {
      const headers = { 'content-type': 'application/x-protobuf' };
      const { status } = await upstream.request({ method: 'POST', url: path, headers, body });
      return arrived(status < 300 ? undefined : `the collector answers ${status}`);
    } catch (error) {
      return arrived(error instanceof Error ? error.message : String(error));
    }
  };
};
