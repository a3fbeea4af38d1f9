import { type DestinationStream, type Logger, pino } from 'pino';
import { redact } from './redact.ts';

const serialised = (error: Error): Record<string, unknown> => ({
  type: error.name,
  ...('code' in error && { code: error.code }),
  message: redact(error.message),
  stack: redact(error.stack ?? ''),
  ...(error.cause instanceof Error && { cause: serialised(error.cause) }),
});

/**
 * The program's own log: JSON lines on standard output. Not the access log, which is `audit/`. Credentials in errors
 * and in the usual header fields are taken out.
 */
export const createLogger = (level: string, destination?: DestinationStream): Logger => {
  const options = {
    level,
    base: null,
    redact: ['headers.authorization', 'headers.cookie', '*.headers.authorization', '*.token'],
    serializers: { err: serialised },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
};
