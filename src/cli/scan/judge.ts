import { incomplete, printable } from '../../formats/format.ts';
import { withKnownBad } from '../../gateway/facts.ts';
import type { KnownBadLookup } from '../../policy/known-bad.ts';
import type { Facts, PolicySet } from '../../policy/types.ts';
import type { Sandbox } from '../../sandbox/types.ts';
import type { Indexes } from './beside.ts';
import type { Scanned, Target } from './types.ts';

/** What a scan weighs and judges with. */
export type Scales = {
  readonly sandbox: Sandbox;
  readonly policies: PolicySet;
  readonly knownBad: KnownBadLookup;
  readonly indexes: Indexes;
};

/** Inspects and judges one file. Never rejects: a file that cannot be read is refused, and says why. */
export const scanTarget = async (
  { sandbox, policies, knownBad, indexes }: Scales,
  target: Target,
): Promise<Scanned> => {
  const { path } = target;
  let begun: number | undefined;
  const begin = (): void => {
    begun ??= performance.now();
  };
  const ms = (): number => (begun === undefined ? 0 : Math.round((performance.now() - begun) * 10) / 10);
  try {
    const whole = (facts: Facts): Facts => withKnownBad(facts, knownBad(facts.artefact.sha256));
    const allows = (facts: Facts): boolean => policies.decide(whole(facts), Date.now()).action === 'allow';
    const { report, facts: joined } = await target.weigh({ sandbox, allows, indexes, begin });
    const facts = whole(joined);
    const { action, rule, reason } = policies.decide(facts, Date.now());
    const { format, content, coverage } = report;
    const { sha256, size } = facts.artefact;
    const { findings } = facts;
    const seen = { path, sha256, size, format, content, coverage, action, rule, reason, findings };
    return { ...seen, ms: ms(), unreadable: false };
  } catch (error) {
    return { ...refused(path, error), ms: ms() };
  }
};

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
