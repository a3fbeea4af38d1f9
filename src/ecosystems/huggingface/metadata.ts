import { isFault } from '../../errors.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import { readJson } from './forward.ts';
import { changesOf, isJson, rewrite, siblingOf } from './listing.ts';
import { type Asked, findRepo, refuseWhole, SNAPSHOT_PATIENCE } from './mount.ts';
import { passError } from './refusals.ts';
import { unlessAway } from './repo-at.ts';
import { apiUrl, type HubCall } from './urls.ts';

/** Keys of an info that lead clients around the gateway. */
const LEADS_AROUND = ['xetEnabled', 'xetHash'];

/** `GET /api/<kind>/<repo>[/revision/<revision>]`: the view's files in the place of the Hub's. */
export const serveInfo = async (asked: Asked, call: Extract<HubCall, { what: 'info' }>): Promise<void> => {
  const { mount, caller, reply } = asked;
  const repo = await findRepo(asked, call.repo, call.revision);
  if (repo === undefined) return;
  const snapshot = caller.client.listsFilesBy === 'info';
  const view = await mount.gateway.view(repo.at, caller.who, snapshot ? SNAPSHOT_PATIENCE : undefined);
  if (refuseWhole(asked, view, call.repo)) return;
  const query = new URLSearchParams(call.query);
  const blobs = isYes(query.get('blobs'));
  const json = isPlain(query) ? repo.info.json : await fetchInfo(asked, call, repo.info.commit, repo.info.json);
  if (json === undefined) return;
  const answer: Record<string, unknown> = { ...json };
  for (const key of LEADS_AROUND) delete answer[key];
  if (Array.isArray(json['siblings'])) {
    const shown = blobs ? json['siblings'] : json['siblings'].map(nameOnly);
    answer['siblings'] = rewrite(shown, changesOf(view), 'rfilename', (file) => siblingOf(file, blobs));
  }
  reply.header('x-repo-commit', repo.info.commit).send(answer);
};

const isYes = (value: string | null): boolean => value !== null && ['true', '1', ''].includes(value.toLowerCase());

/** True when what is known of the repo answers the query. */
const isPlain = (query: URLSearchParams): boolean => [...query.keys()].every((key) => key === 'blobs');

const nameOnly = (sibling: unknown): unknown => (isJson(sibling) ? { rfilename: sibling['rfilename'] } : sibling);

/** The info with what else was asked for; what is known without it when the Hub is away. */
const fetchInfo = async (
  { mount, caller, reply }: Asked,
  { repo, query }: Extract<HubCall, { what: 'info' }>,
  commit: string,
  known: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>> | undefined> => {
  const url = apiUrl(repo, ['revision', commit], query);
  const answer = await unlessAway(mount.upstream.request({ method: 'GET', url, headers: caller.credentials }));
  if (isFault(answer)) return known;
  if (answer.status !== 200) return void passError(reply, answer);
  const json = readJson(answer);
  return isJson(json) ? json : known;
};

/** What `tree` and `paths-info` share: an answer of the Hub with entries, or undefined when the Hub is away. */
export const askForEntries = async (
  asked: Asked,
  url: string,
  body?: string,
): Promise<{ answer: UpstreamAnswer; entries: unknown[] } | 'away' | 'refused'> => {
  const { mount, caller, reply } = asked;
  const headers = { ...caller.credentials, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const request = body === undefined ? { method: 'GET' as const } : { method: 'POST' as const, body };
  const answer = await unlessAway(mount.upstream.request({ ...request, url, headers }));
  if (isFault(answer)) return 'away';
  const json = answer.status === 200 ? readJson(answer) : undefined;
  if (Array.isArray(json)) return { answer, entries: json };
  passError(reply, answer);
  return 'refused';
};
