import { createHmac } from 'node:crypto';
import type { LoggedEntry } from '../../audit/entry.ts';

/** The headers of a webhook after Standard Webhooks 1.0: HMAC-SHA256 over id, time (s) and body, with the secret's bytes. */
export const webhookHeaders = (
  secret: string,
  id: string,
  time: number,
  body: string,
): Readonly<Record<string, string>> => {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${time}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(time),
    'webhook-signature': `v1,${signature}`,
  };
};

/** The body: what happened, when, and the entry with its position in the log. */
export const webhookBody = (entry: LoggedEntry, index: number): string =>
  JSON.stringify({ type: `weighbridge.${entry.kind}`, timestamp: entry.time, data: { index, entry } });

/** Facility 13, log audit (RFC 5424 6.2.1). */
const AUDIT = 13;
const [ERROR, WARNING, NOTICE, INFORMATIONAL] = [3, 4, 5, 6];

/** A message of RFC 5424 whose text is the line as it was signed; id and position stand in the structured data. */
export const syslogMessage = (entry: LoggedEntry, index: number, line: string): string => {
  const { id, kind, node, time } = entry;
  const data = `[weighbridge@32473 index="${index}" id="${id.replace(/["\\\]]/g, '\\$&')}"]`;
  return `<${AUDIT * 8 + severityOf(entry)}>1 ${time} ${name(node, 255)} weighbridge - ${name(kind, 32)} ${data} \ufeff${line}`;
};

const severityOf = ({ decision, kind }: LoggedEntry): number => {
  if (kind === 'order.approved' || kind === 'policy.rejected' || kind === 'knownbad.rejected') return ERROR ?? 3;
  if (decision?.action === 'deny' || decision?.action === 'quarantine' || kind === 'access.refused')
    return WARNING ?? 4;
  return kind.startsWith('artefact.') || kind === 'listing' ? (INFORMATIONAL ?? 6) : (NOTICE ?? 5);
};

/** Visible ASCII, or `-` for nothing. */
const name = (text: string, most: number): string => text.replace(/[^\x21-\x7e]/g, '').slice(0, most) || '-';
