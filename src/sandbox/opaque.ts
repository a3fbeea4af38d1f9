import type { ErrorCode } from '../errors.ts';
import { incomplete, printable, type Report } from '../formats/format.ts';

/** Why the sandbox could not inspect: a fault of its own, as a code and a sentence. */
export type SandboxFault = {
  readonly code: Extract<ErrorCode, `SANDBOX_${string}`>;
  readonly message: string;
};

/**
 * The report of a file that could not be inspected: nothing is known about it, and why. `details.sandbox` holds the
 * code, so that such a report is not kept for ever.
 */
export const opaqueReport = (size: number, { code, message }: SandboxFault): Report => ({
  format: 'unknown',
  content: 'unknown',
  coverage: incomplete('opaque', 0, size, printable(message, 300)),
  details: { sandbox: code },
  findings: [],
});
