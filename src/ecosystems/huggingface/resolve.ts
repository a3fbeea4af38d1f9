import { type ErrorCode, isFault } from '../../errors.ts';
import { resolveRange } from '../../gateway/ranges.ts';
import type { Answer, ByteRangeRequest, Described } from '../../gateway/types.ts';
import type { Info } from './info.ts';
import { pointerOf } from './listing.ts';
import { type Asked, findRepo, refuseWhole } from './mount.ts';
import { readRange } from './range-header.ts';
import { decisionHeader, passError, refusalLine, sendError, sendMissing } from './refusals.ts';
import type { Found } from './repo-at.ts';
import { refuseFile } from './retold.ts';
import { leave, sendBytes } from './stream.ts';
import type { HubCall } from './urls.ts';

/** The file that `from_pretrained` asks for first: a repo without acceptable weights is refused there, where the text survives. */
const FIRST_FILE = 'config.json';
/** How long that file waits to hear whether the repo is refused, in ms: small files stay fast, and most checkpoints are judged sooner. */
const FIRST_FILE_PATIENCE = 1_000;

type FileCall = Extract<HubCall, { what: 'file' }>;
type Repo = Extract<Found, { kind: 'repo' }>;
type Ready = Extract<Answer, { kind: 'ready' }>;

/** `HEAD|GET <repo>/resolve|raw/<revision>/<path>`: answered in place, never with a redirect. */
export const serveFile = async (asked: Asked, call: FileCall): Promise<void> => {
  const { mount, reply, request, caller } = asked;
  const repo = await findRepo(asked, call.repo, call.revision);
  if (repo === undefined) return;
  const barred = await mount.repos.barred(repo.info, call.path, caller);
  if (barred !== undefined) return void passError(reply, barred);
  if (call.path === FIRST_FILE && call.repo.kind === 'models') {
    if (refuseWhole(asked, await mount.gateway.view(repo.at, caller.who, FIRST_FILE_PATIENCE), call.repo)) return;
  }
  const listed = repo.info.files.get(call.path);
  if (call.verb === 'raw' && listed?.sha256 !== undefined) return servePointer(asked, repo, call.path, listed.sha256);
  const answering = request.method === 'HEAD' ? answerHead : answerGet;
  return answering(asked, repo, call.path).catch((fault: unknown) => explain(asked, repo, call.path, fault));
};

/** Faults of upstream that stay until somebody does something, as rules that a refusal names. */
const LASTING: Partial<Record<ErrorCode, string>> = {
  UPSTREAM_MISMATCH: 'upstream/mismatch',
  UPSTREAM_BLOCKED: 'upstream/blocked',
  UPSTREAM_TOO_LARGE: 'upstream/too-large',
};

/**
 * The Hub may have turned this caller away since the repo was looked at: then its own words are the answer. That it
 * sends other bytes than it lists, or to where nobody is sent, is told as a refusal to clients that would come again
 * after a 502 and lose its text.
 */
const explain = async (asked: Asked, repo: Repo, path: string, fault: unknown): Promise<void> => {
  const { mount, caller, reply } = asked;
  if (reply.raw.headersSent) throw fault;
  const rule = isFault(fault) ? LASTING[fault.code] : undefined;
  if (isFault(fault) && rule !== undefined && caller.client.dropsServerErrors) {
    const text = `Weighbridge refuses ${path}: ${fault.message}. Request ${reply.request.id}`;
    return refuseFile(asked, path, { decision: { action: 'deny', rule }, text });
  }
  if (!isFault(fault, 'UPSTREAM_REFUSED')) throw fault;
  const error = await mount.repos.errorFor(repo.info, path, caller);
  if (error === undefined) throw fault;
  passError(reply, error);
};

const answerHead = async (asked: Asked, repo: Repo, path: string): Promise<void> => {
  const { mount, caller, reply } = asked;
  const answer = await mount.gateway.head(repo.at, path, caller.who);
  if (answer.kind !== 'ready') return sendOther(asked, repo.info, path, answer);
  if (isNotModified(asked, answer.file)) return sendNotModified(asked, repo.info, answer);
  reply.hijack();
  reply.raw.writeHead(200, { ...headersOf(repo.info, answer), 'content-length': answer.file.size }).end();
};

const answerGet = async (asked: Asked, repo: Repo, path: string): Promise<void> => {
  const { request } = asked;
  const range = readRange(request.raw.headers.range);
  const answer = await get(asked, repo, path, range);
  if (answer === undefined) return;
  if (answer.kind !== 'ready') return sendOther(asked, repo.info, path, answer);
  if (isNotModified(asked, answer.file)) {
    await leave(answer.body);
    return sendNotModified(asked, repo.info, answer);
  }
  const condition = request.raw.headers['if-range'];
  if (range === undefined || condition === undefined || condition === quoted(answer.file)) {
    return sendReady(asked, repo.info, answer, range);
  }
  await leave(answer.body);
  const whole = await get(asked, repo, path, undefined);
  if (whole?.kind === 'ready') return sendReady(asked, repo.info, whole, undefined);
  if (whole !== undefined) return sendOther(asked, repo.info, path, whole);
};

/** The gateway's answer; undefined when a range outside the file has been answered. */
const get = async (
  { mount, reply, caller }: Asked,
  repo: Repo,
  path: string,
  range: ByteRangeRequest | undefined,
): Promise<Answer | undefined> => {
  try {
    return await mount.gateway.get(repo.at, path, range, caller.who);
  } catch (error) {
    if (!isFault(error, 'RANGE_NOT_SATISFIABLE')) throw error;
    reply.header('x-repo-commit', repo.info.commit).header('content-range', `bytes */${error.details['size'] ?? '*'}`);
    sendError(reply, 416, undefined, error.message);
    return undefined;
  }
};

const sendReady = async (
  asked: Asked,
  info: Info,
  answer: Ready,
  wanted: ByteRangeRequest | undefined,
): Promise<void> => {
  const { size } = answer.file;
  const part = answer.whole === true ? undefined : wanted;
  const { start, end } = resolveRange(part, size);
  const range = part === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` };
  const headers = { ...headersOf(info, answer), ...range };
  try {
    await sendBytes(asked.reply, part === undefined ? 200 : 206, headers, end - start, answer.body ?? nothing());
  } catch (error) {
    if (!isFault(error, 'REFUSED')) throw error;
    const action = error.details['action'] === 'quarantine' ? ('quarantine' as const) : ('deny' as const);
    const decision = { action, rule: String(error.details['rule'] ?? 'content') };
    refuseFile(asked, answer.file.path, { decision, text: error.message });
  }
};

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** What `raw` has for a file in LFS: its pointer. Judged as the file is. */
const servePointer = async (asked: Asked, repo: Repo, path: string, sha256: string): Promise<void> => {
  const { mount, caller, reply } = asked;
  const answer = await mount.gateway.head(repo.at, path, caller.who);
  if (answer.kind !== 'ready') return sendOther(asked, repo.info, path, answer);
  const { decision, file: described } = answer;
  const pointer = pointerOf(described.sha256 ?? sha256, described.size);
  const etag = described.convertedFrom === undefined ? (repo.info.files.get(path)?.oid ?? sha256) : described.etag;
  const file = { path, size: pointer.length, etag };
  reply
    .headers(headersOf(repo.info, { kind: 'ready', file, decision }))
    .type('text/plain; charset=utf-8')
    .send(pointer);
};

const sendOther = (asked: Asked, info: Info, path: string, answer: Exclude<Answer, Ready>): void => {
  const { reply } = asked;
  if (answer.kind === 'missing') return void sendMissing(reply, info);
  reply.header('x-repo-commit', info.commit);
  if (answer.kind === 'refused') refuseFile(asked, path, answer);
  else {
    reply.header('retry-after', Math.max(Math.ceil(answer.seconds), 1));
    sendError(reply, 503, undefined, 'the file is still being inspected; ask again');
  }
};

const isNotModified = ({ request }: Asked, file: Described): boolean => {
  const known = request.raw.headers['if-none-match'];
  const tags = known?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(quoted(file)) || known?.trim() === '*';
};

const sendNotModified = ({ reply }: Asked, info: Info, answer: Ready): void => {
  const { 'content-type': _, ...headers } = headersOf(info, answer);
  reply.hijack();
  reply.raw.writeHead(304, headers).end();
};

const quoted = ({ etag }: Described): string => `"${etag}"`;

/** The headers by which clients name, place and check a file. */
const headersOf = (info: Info, { file, decision }: Ready): Record<string, string> => {
  const { notice } = decision.obligations;
  const { convertedFrom = file.path } = file;
  const warnings = [
    ...(notice === undefined ? [] : [notice]),
    ...(convertedFrom === file.path ? [] : [`${file.path} was converted from the pickle ${convertedFrom}`]),
  ];
  return {
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-cache',
    'accept-ranges': 'bytes',
    etag: quoted(file),
    'x-linked-etag': quoted(file),
    'x-linked-size': String(file.size),
    'x-repo-commit': info.commit,
    'content-disposition': disposition(file.path),
    'x-weighbridge-decision': decisionHeader(decision),
    ...(notice === undefined ? {} : { 'x-weighbridge-notice': refusalLine(notice, '') }),
    ...(warnings.length === 0 ? {} : { 'x-hf-warning': refusalLine(`weighbridge; ${warnings.join('. ')}`, '') }),
  };
};

const disposition = (path: string): string => {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
};
