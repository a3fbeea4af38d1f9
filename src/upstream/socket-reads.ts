/**
 * Bytes that a socket is read into, over and over. A new buffer for each 64 KiB, as streams take, costs more than everything
 * else on the way of a byte (docs/decisions/0025-bodies-over-our-own-socket.md).
 */
const WINDOW = 1024 * 1024;
/** Least bytes that a read over TLS is offered: a record holds 16 KiB (RFC 8446, 5.1), and one that does not fit comes in parts. */
const LEAST = 64 * 1024;

/** Where the bytes of one socket are read to, and which of them have not been used yet. */
export type SocketReads = {
  /** As `onread.buffer`: asked for at the start, then right after each read, when that is not used yet. */
  readonly memory: Uint8Array | (() => Uint8Array);
  /** Notes a read; false when it came although it should have waited: the connection cannot be used any more. */
  arrived(bytes: Uint8Array): boolean;
  /** Bytes not used yet, which stay until the next are asked for. */
  next(): Uint8Array | undefined;
};

/** Reads over TCP, straight into `room` where it is given (`Upstream.download`): a socket that is told to wait brings nothing. */
export const plainReads = (room: ((ahead: number) => Uint8Array) | undefined): SocketReads => {
  let ready: Uint8Array | undefined;
  let used = true;
  let ahead = 0;
  return {
    memory: room === undefined ? Buffer.allocUnsafeSlow(WINDOW) : () => room(ahead),
    arrived(bytes) {
      if (!used) return false;
      [ready, used, ahead] = [bytes, false, bytes.length];
      return true;
    },
    next() {
      const bytes = ready;
      if (bytes === undefined) used = true;
      ready = undefined;
      return bytes;
    },
  };
};

/**
 * Reads over TLS. What was deciphered together comes record by record, also to a socket that was told to wait in between, and
 * even to one that was destroyed. So each gets memory behind the one before, in a ring that belongs to this connection alone.
 */
export const secureReads = (): SocketReads => {
  const ring = Buffer.allocUnsafeSlow(WINDOW);
  const waiting: { from: number; to: number }[] = [];
  let at = 0;
  let unused = 0;
  let lent = 0;
  return {
    memory: () => ring.subarray(at),
    arrived({ length }) {
      unused += length;
      const last = waiting.at(-1);
      if (last?.to === at) last.to += length;
      else waiting.push({ from: at, to: at + length });
      at += length;
      if (ring.length - at < LEAST) at = 0;
      // Sixteen records at most lie in what one read brings; half the ring in use means that something else goes on.
      return unused < WINDOW / 2;
    },
    next() {
      unused -= lent;
      const { from, to } = waiting.shift() ?? { from: 0, to: 0 };
      lent = to - from;
      return lent === 0 ? undefined : ring.subarray(from, to);
    },
  };
};
