import type { AccessLog } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Records } from '../../store/types.ts';
import { createSyslogSender } from '../../upstream/syslog.ts';
import { createUpstream } from '../../upstream/upstream.ts';
import { syslogMessage, webhookBody, webhookHeaders } from './message.ts';
import { type Deliver, type Stream, startStream } from './stream.ts';

/** A stream as the settings have it. */
export type StreamSettings = {
  readonly name: string;
  /** `https://…` for a webhook; `syslog+tls://host:port` or `syslog+tcp://host:port`. */
  readonly url: string;
  /** What a webhook is signed with: `whsec_…`. */
  readonly secret?: string | undefined;
  readonly kinds: readonly string[];
};

export type StreamParts = {
  readonly directory: string;
  readonly log: AccessLog;
  readonly records: Records;
  readonly tell: (stream: string, problem: string | undefined) => void;
  readonly pause?: number;
};

/** Starts what the settings ask for. */
export const openStreams = async (settings: readonly StreamSettings[], parts: StreamParts): Promise<Stream> => {
  const streams: Stream[] = [];
  for (const { kinds, name, ...where } of settings) {
    const { close, deliver } = delivery(where);
    const tell = (problem: string | undefined): void => parts.tell(name, problem);
    const stream = await startStream({ ...parts, name, kinds, deliver, tell });
    streams.push({
      async close() {
        await stream.close();
        await close();
      },
    });
  }
  return {
    async close() {
      await Promise.all(streams.map((stream) => stream.close()));
    },
  };
};

type Delivery = { readonly deliver: Deliver; close(): Promise<void> };

const delivery = ({ secret = '', url }: Pick<StreamSettings, 'url' | 'secret'>): Delivery => {
  const { hostname, port, protocol } = new URL(url);
  if (protocol.startsWith('syslog')) {
    const target = { host: hostname, port: Number(port), secure: protocol === 'syslog+tls:' };
    const { close, send } = createSyslogSender(target);
    return { deliver: (entry, index, line) => send(syslogMessage(entry, index, line)), close };
  }
  // Once: the stream itself comes again.
  const upstream = createUpstream({ origin: { url }, allowPrivate: true, patience: { attempts: 1 } });
  return {
    async deliver(entry, index) {
      const body = webhookBody(entry, index);
      const headers = webhookHeaders(secret, entry.id, Math.floor(Date.now() / 1000), body);
      const { status } = await upstream.request({ method: 'POST', url, headers, body });
      if (status >= 300) throw new WeighbridgeError('UPSTREAM_REFUSED', `the webhook answers ${status}`);
    },
    close: upstream.close,
  };
};
