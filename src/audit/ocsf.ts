import { version } from '../package.ts';
import type { LoggedEntry } from './entry.ts';
import type { ReadEntry } from './reader.ts';

/** The version of the Open Cybersecurity Schema Framework whose classes these are (schema.ocsf.io). */
const OCSF = '1.4.0';
const [LIFECYCLE, API, FILES] = [6002, 6003, 6006];

/** Class and activity of an entry, by OCSF's numbers; 99 is any other activity. */
const activityOf = ({ kind, decision }: LoggedEntry): readonly [number, number, string] => {
  if (kind === 'node.start') return [LIFECYCLE, 3, 'Start'];
  if (kind === 'node.stop') return [LIFECYCLE, 4, 'Stop'];
  if (kind === 'log.read') return [API, 2, 'Read'];
  if (kind.startsWith('upload.')) return [FILES, 1, 'Upload'];
  if (kind === 'artefact.decision' && isRefusal(decision)) return [FILES, 17, 'Access Check'];
  if (kind === 'artefact.decision' || kind === 'artefact.outcome') return [FILES, 2, 'Download'];
  return kind.startsWith('artefact.') || kind === 'listing' || kind === 'conversion'
    ? [FILES, 99, kind]
    : [LIFECYCLE, 99, kind];
};

const isRefusal = (decision: LoggedEntry['decision']): boolean =>
  decision?.action === 'deny' || decision?.action === 'quarantine';

/** An entry as an event of OCSF, one line of JSON. `raw_data` is the line as it was signed. */
export const ocsfLine = ({ index, line, entry }: ReadEntry): string => {
  const { artefact, decision, served, client } = entry;
  const [classId, activity, name] = activityOf(entry);
  const refused = isRefusal(decision);
  return JSON.stringify({
    activity_id: activity,
    activity_name: name,
    category_uid: 6,
    class_uid: classId,
    type_uid: classId * 100 + activity,
    severity_id: refused ? 3 : 1,
    time: Date.parse(entry.time),
    metadata: {
      version: OCSF,
      uid: entry.id,
      log_name: 'weighbridge',
      sequence: index,
      correlation_uid: entry.request?.id,
      product: { name: 'Weighbridge', vendor_name: 'Weighbridge', version },
      profiles: decision === undefined ? undefined : ['security_control'],
    },
    ...(decision && {
      action_id: refused ? 2 : 1,
      disposition_id: refused ? 2 : 1,
      policy: { name: decision.rule, uid: entry.evidence?.policySet },
      message: decision.reason,
    }),
    status_id: served === undefined ? 0 : served.status < 400 ? 1 : 2,
    status_code: served && String(served.status),
    actor: {
      user: { uid: entry.actor ?? entry.node, groups: entry.team === undefined ? undefined : [{ name: entry.team }] },
    },
    src_endpoint: { uid: entry.actor ?? entry.node, svc_name: client && `${client.name}/${client.version}` },
    file: artefact && {
      name: artefact.path.split('/').at(-1),
      path: artefact.repo === '' ? artefact.path : `${artefact.repo}@${artefact.commit}/${artefact.path}`,
      type_id: 1,
      size: artefact.size,
      hashes: artefact.sha256 && [{ algorithm_id: 3, algorithm: 'SHA-256', value: artefact.sha256 }],
    },
    raw_data: line,
  });
};
