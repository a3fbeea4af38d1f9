import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { WeighbridgeError } from '../errors.ts';

/** Where messages of syslog go: over TCP, or TLS with authorities beside the usual ones (PEM). */
export type SyslogTarget = {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly ca?: string;
};

/** A connection that messages are sent over, made when it is needed. */
export type SyslogSender = {
  /** Resolves when the system has taken the message, in the frame of RFC 6587 3.4.1. Rejects with UPSTREAM_UNREACHABLE. */
  send(message: string): Promise<void>;
  close(): Promise<void>;
};

/** ms that a connection and a message may take. */
const TIMEOUT = 10_000;

/** A sender over one connection, which is made anew after a fault. */
export const createSyslogSender = (target: SyslogTarget): SyslogSender => {
  let open: Promise<Socket> | undefined;
  const connection = (): Promise<Socket> => {
    open ??= connect(target).then((socket) => {
      socket.once('close', () => {
        open = undefined;
      });
      return socket;
    });
    open.catch(() => {
      open = undefined;
    });
    return open;
  };
  return {
    async send(message) {
      const socket = await connection();
      if (socket.destroyed || !socket.writable) {
        open = undefined;
        throw unreachable(target, 'the connection has ended');
      }
      await written(socket, `${Buffer.byteLength(message)} ${message}`, target);
    },
    async close() {
      const socket = await open?.catch(() => undefined);
      socket?.destroy();
    },
  };
};

const connect = (target: SyslogTarget): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { ca, host, port, secure } = target;
    const socket = secure
      ? connectSecure({ host, port, servername: host, ...(ca !== undefined && { ca: [ca] }) })
      : connectPlain({ host, port });
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('nothing for 10 s')));
    socket.on('error', (error) => reject(unreachable(target, error.message)));
    // Nobody answers in syslog: what comes is dropped, and what ends it is seen.
    socket.resume();
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
      socket.unref();
      resolve(socket);
    });
  });

const written = (socket: Socket, frame: string, target: SyslogTarget): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(), TIMEOUT);
    const closed = (): void => reject(unreachable(target, 'the connection has ended'));
    socket.once('close', closed);
    socket.write(frame, (error) => {
      clearTimeout(timer);
      socket.off('close', closed);
      if (error == null) resolve();
      else reject(unreachable(target, error.message));
    });
  });

const unreachable = ({ host, port }: SyslogTarget, why: string): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_UNREACHABLE', `syslog at ${host}:${port}: ${why}`);
