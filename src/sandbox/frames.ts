import { MIB } from '../bytes/limits.ts';

/**
 * What host and worker say to each other over two pipes. A frame is a little-endian 32-bit length, one byte of kind,
 * and that many bytes. The host speaks 0x01 to 0x0f, the worker 0x11 to 0x1f.
 */
export const KIND = {
  /** JSON `Init`; the script for the isolates follows in a frame of its own. */
  init: 0x01,
  script: 0x02,
  /** JSON `Job`. */
  job: 0x03,
  /** The bytes that were asked for. */
  bytes: 0x04,
  /** The source failed or nobody wants the answer any more: the read throws. */
  fault: 0x05,
  /** JSON `Ready`. */
  ready: 0x11,
  /** `readRequest`. */
  read: 0x12,
  /** The report as JSON. */
  report: 0x13,
  /** JSON `Failure`. */
  failure: 0x14,
  /** `copyRequest`: bytes of the file that come next in the one that is written. Answered with no bytes once they are. */
  copy: 0x15,
  /** Bytes that come next in the one that is written; answered likewise. */
  write: 0x16,
} as const;

export const HEADER = 5;

/** Bytes of one read over the pipe; longer reads are several. Large enough for 1 GB/s, small enough to hold per worker. */
export const READ_LIMIT = 1 * MIB;
/** Bytes of a report as JSON: a plan of 100,000 tensors fits. */
export const REPORT_LIMIT = 16 * MIB;
/** Bytes of any other frame from a worker. */
export const MESSAGE_LIMIT = 4096;
/** File descriptors of the pipes in the worker: the host's words, the worker's words. */
export const PIPES = { fromHost: 3, toHost: 4 } as const;

/** What a worker is told once. */
export type Init = {
  /** Bytes of memory for one isolate. */
  readonly memory: number;
  /** Milliseconds that one call into an isolate may run. */
  readonly timeout: number;
};

/** One task in a fresh isolate: to inspect a file, or to write it anew. `options` is handed to the isolate as it is. */
export type Job = { readonly task: 'inspect' | 'rewrite'; readonly size: number; readonly options: string };

/** What the worker found when it tried what the permission model forbids, true meaning that it was refused. */
export type Ready = { readonly refused: { readonly read: boolean; readonly write: boolean; readonly spawn: boolean } };

/** Why there is no report. After `timeout` and `memory` the worker ends itself. */
export type Failure = { readonly why: 'timeout' | 'memory' | 'error' | 'too-long'; readonly message: string };

/** The header of a frame of `length` bytes. */
export const frameHeader = (kind: number, length: number): Uint8Array => {
  const header = new Uint8Array(HEADER);
  new DataView(header.buffer).setUint32(0, length, true);
  header[4] = kind;
  return header;
};

/** Reads a frame's header. */
export const parseHeader = (bytes: Uint8Array): { readonly kind: number; readonly length: number } => ({
  length: new DataView(bytes.buffer, bytes.byteOffset, HEADER).getUint32(0, true),
  kind: bytes[4] ?? 0,
});

/** A read as a frame's payload: offset as a 64-bit float (a safe integer), length as 32 bits. */
export const readRequest = (offset: number, length: number): Uint8Array => {
  const payload = new Uint8Array(12);
  const view = new DataView(payload.buffer);
  view.setFloat64(0, offset, true);
  view.setUint32(8, length, true);
  return payload;
};

/** The reverse of `readRequest`; undefined when the payload is none. */
export const parseReadRequest = (payload: Uint8Array): { offset: number; length: number } | undefined => {
  if (payload.length !== 12) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, 12);
  return { offset: view.getFloat64(0, true), length: view.getUint32(8, true) };
};

/** A range of the file as a frame's payload, both ends 64-bit floats. */
export const copyRequest = (start: number, end: number): Uint8Array => {
  const payload = new Uint8Array(16);
  const view = new DataView(payload.buffer);
  view.setFloat64(0, start, true);
  view.setFloat64(8, end, true);
  return payload;
};

/** The reverse of `copyRequest`; undefined when the payload is none. */
export const parseCopyRequest = (payload: Uint8Array): { start: number; end: number } | undefined => {
  if (payload.length !== 16) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, 16);
  return { start: view.getFloat64(0, true), end: view.getFloat64(8, true) };
};
