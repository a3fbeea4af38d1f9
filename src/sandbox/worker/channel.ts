import { readSync, writeSync } from 'node:fs';
import { frameHeader, HEADER, PIPES, parseHeader } from '../frames.ts';

/** Fills `bytes` from the host's pipe, waiting as long as it takes; the worker ends when the host is gone. */
const fill = (bytes: Uint8Array): void => {
  let at = 0;
  while (at < bytes.length) {
    const got = readSync(PIPES.fromHost, bytes, at, bytes.length - at, null);
    if (got === 0) process.exit(0);
    at += got;
  }
};

const put = (bytes: Uint8Array): void => {
  let at = 0;
  while (at < bytes.length) at += writeSync(PIPES.toHost, bytes, at, bytes.length - at);
};

/** Waits for the next frame. The host is trusted, its lengths too. */
export const receive = (): { readonly kind: number; readonly payload: Uint8Array } => {
  const header = new Uint8Array(HEADER);
  fill(header);
  const { kind, length } = parseHeader(header);
  const payload = new Uint8Array(length);
  fill(payload);
  return { kind, payload };
};

/** Waits for a frame that must be of `kind`, and gives its text. */
export const receiveText = (kind: number): string => {
  const frame = receive();
  if (frame.kind !== kind) throw new Error(`expected a frame of kind ${kind}, got ${frame.kind}`);
  return new TextDecoder().decode(frame.payload);
};

/** Sends a frame. */
export const send = (kind: number, payload: Uint8Array): void => {
  // In one write: the host wakes once for it.
  const frame = new Uint8Array(HEADER + payload.length);
  frame.set(frameHeader(kind, payload.length));
  frame.set(payload, HEADER);
  put(frame);
};

/** Sends a frame of text. */
export const sendText = (kind: number, text: string): void => send(kind, new TextEncoder().encode(text));
