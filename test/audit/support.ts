import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AccessLogOptions, createAccessLog } from '../../src/audit/access-log.ts';
import type { AccessLog, Entry } from '../../src/audit/types.ts';

export const ORIGIN = 'log.example/test';

/** A decision about file `index`. */
export const decision = (index: number): Entry => ({
  kind: 'artefact.decision',
  request: { id: `request-${index}`, method: 'GET', route: '/hf/:repo/resolve/:revision/*' },
  artefact: { ecosystem: 'huggingface', repo: 'models/org/name', commit: 'c'.repeat(40), path: `file-${index}.bin` },
  decision: { action: index % 3 === 0 ? 'deny' : 'allow', rule: 'rule-a', reason: `because of ${index}` },
});

/** The outcome of `decision(index)`. */
export const outcome = (index: number): Entry => ({
  ...decision(index),
  kind: 'artefact.outcome',
  served: { status: 200, bytes: index, release: 'cached', complete: true },
});

export const openLog = (root: string, options: Partial<AccessLogOptions> = {}): Promise<AccessLog> =>
  createAccessLog({ directory: join(root, 'log'), origin: ORIGIN, node: 'test', ...options });

export const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
export const FIRST_SEGMENT = 'audit-000000000000.jsonl';
