import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { MIB } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Finding, incomplete, printable, type Report } from '../../formats/format.ts';
import { version } from '../../package.ts';
import type { Action, Facts, PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';

/** Bytes hashed at once. */
const BLOCK = 1 * MIB;

/** What the scan says about one file; the fields of `scan --json`, with the coverage as a whole. */
export type Scanned = {
  readonly path: string;
  readonly sha256: string;
  readonly size: number;
  readonly format: string;
  readonly content: string;
  readonly coverage: Report['coverage'];
  readonly action: Action;
  readonly rule: string;
  readonly reason: string;
  readonly findings: readonly Finding[];
  /** Milliseconds from the first byte read to the decision; waiting for a worker is not counted. */
  readonly ms: number;
  /** The file could not be read: the decision is a refusal and the scan has failed. */
  readonly unreadable: boolean;
};

/** Inspects and judges one file. Never rejects: a file that cannot be read is refused, and says why. */
export const scanFile = async (sandbox: Sandbox, policies: PolicySet, path: string): Promise<Scanned> => {
  let begun: number | undefined;
  const begin = (): void => {
    begun ??= performance.now();
  };
  const ms = (): number => (begun === undefined ? 0 : Math.round((performance.now() - begun) * 10) / 10);
  try {
    const { report, sha256, size } = await read(sandbox, path, begin);
    const { action, rule, reason } = policies.decide(factsOf(path, size, sha256, report), Date.now());
    const { format, content, coverage, findings } = report;
    return {
      path,
      sha256,
      size,
      format,
      content,
      coverage,
      action,
      rule,
      reason,
      findings,
      ms: ms(),
      unreadable: false,
    };
  } catch (error) {
    return { ...refused(path, error), ms: ms() };
  }
};

type Read = { readonly report: Report; readonly sha256: string; readonly size: number };

/** One open file for digest and inspection, so that both speak of the same bytes. */
const read = async (sandbox: Sandbox, path: string, begin: () => void): Promise<Read> => {
  // Without waiting, or a named pipe would hold the scan for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await file.stat();
    if (!before.isFile()) throw new Error('not a regular file');
    const source = {
      size: before.size,
      read(offset: number, length: number): Promise<Uint8Array> {
        begin();
        return readExactly(file, offset, length);
      },
    };
    const inspecting = sandbox.inspect(source);
    inspecting.catch(() => {});
    const sha256 = await digest(file, before.size);
    const report = await inspecting;
    const after = await file.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw new Error('it changed while it was read');
    return { report, sha256, size: before.size };
  } finally {
    await file.close();
  }
};

const readExactly = async (file: FileHandle, offset: number, length: number): Promise<Uint8Array> => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new WeighbridgeError('FORMAT_TRUNCATED', 'it became shorter while it was read');
    at += bytesRead;
  }
  return bytes;
};

const digest = async (file: FileHandle, size: number): Promise<string> => {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += BLOCK) hash.update(await readExactly(file, at, Math.min(BLOCK, size - at)));
  return hash.digest('hex');
};

const factsOf = (path: string, size: number, sha256: string, report: Report): Facts => ({
  stage: 'content',
  artefact: {
    ecosystem: 'file',
    repo: '',
    namespace: '',
    commit: '',
    path,
    size,
    sha256,
    format: report.format,
    content: report.content,
  },
  coverage: report.coverage,
  findings: report.findings,
  convertible: report.plan !== undefined,
  upstream: { host: '', private: false, gated: false, licence: '', tags: [], downloads: 0, ageDays: -1 },
  requester: { id: 'local', team: '' },
  client: { name: 'weighbridge', version },
});

const refused = (path: string, error: unknown): Omit<Scanned, 'ms'> => {
  const why = printable(error instanceof Error ? error.message : String(error), 300);
  return {
    path,
    sha256: '',
    size: 0,
    format: 'unknown',
    content: 'unknown',
    coverage: incomplete('opaque', 0, 0, why),
    action: 'deny',
    rule: 'scan/unreadable',
    reason: `could not be read: ${why}`,
    findings: [],
    unreadable: true,
  };
};
