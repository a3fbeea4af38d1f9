import { z } from 'zod';
import { WeighbridgeError } from '../../errors.ts';
import type { ViewFile } from '../../gateway/types.ts';
import { forwardedHeaders, nextPage } from './forward.ts';
import { changesOf, entriesOf, entryOf, isJson, type Json, rewrite } from './listing.ts';
import { askForEntries } from './metadata.ts';
import { type Asked, findRepo, refuseWhole, SNAPSHOT_PATIENCE } from './mount.ts';
import { sendError } from './refusals.ts';
import { apiUrl, type HubCall } from './urls.ts';

/** Pages put together for a client that reads only one; a tree beyond is refused. */
const MAX_PAGES = 200;
/** Paths in one question. */
const MAX_PATHS = 10_000;
/** Characters of one path. */
const MAX_PATH = 4096;

/** `GET /api/<kind>/<repo>/tree/<revision>[/<path>]` */
export const serveTree = async (asked: Asked, call: Extract<HubCall, { what: 'tree' }>): Promise<void> => {
  const { mount, caller, reply } = asked;
  const repo = await findRepo(asked, call.repo, call.revision);
  if (repo === undefined) return;
  const snapshot = caller.client.listsFilesBy === 'tree' && isYes(call.query, 'recursive');
  const view = await mount.gateway.view(repo.at, caller.who, snapshot ? SNAPSHOT_PATIENCE : undefined);
  const onePage = caller.client.readsOnePage;
  if (onePage && refuseWhole(asked, view, call.repo)) return;
  const changes = changesOf(view);
  const folder = call.path === '' ? [] : call.path.split('/');
  const found = await askForEntries(asked, apiUrl(repo.info.repo, ['tree', repo.info.commit, ...folder], call.query));
  reply.header('x-repo-commit', repo.info.commit);
  if (found === 'refused') return;
  if (found === 'away') {
    const known = inFolder(entriesOf(repo.info.files), call.path, isYes(call.query, 'recursive'));
    if (known === undefined) sendError(reply, 404, 'EntryNotFound', `${call.path} does not exist`);
    else reply.send(rewrite(known, changes, 'path', entryOf));
    return;
  }
  const entries = onePage ? await allPages(asked, found) : found.entries;
  if (entries === undefined) return;
  const { link, ...headers } = forwardedHeaders(asked, found.answer);
  if (link !== undefined && !onePage) reply.header('link', link);
  reply.headers(headers).send(rewrite(entries, changes, 'path', entryOf));
};

const isYes = (query: string, name: string): boolean =>
  ['true', '1'].includes((new URLSearchParams(query).get(name) ?? '').toLowerCase());

/** The entries of a folder; undefined when there is no such folder. */
const inFolder = (entries: ReadonlyMap<string, Json>, folder: string, recursive: boolean): Json[] | undefined => {
  if (folder !== '' && entries.get(folder)?.['type'] !== 'directory') return undefined;
  const prefix = folder === '' ? '' : `${folder}/`;
  const inside = [...entries].filter(
    ([path]) => path.startsWith(prefix) && (recursive || !path.slice(prefix.length).includes('/')),
  );
  return inside.map(([, entry]) => entry);
};

type Page = Exclude<Awaited<ReturnType<typeof askForEntries>>, string>;

/** Every page behind `first` with it; undefined when one of them was an error, which has been sent. */
const allPages = async (asked: Asked, first: Page): Promise<unknown[] | undefined> => {
  const all = [...first.entries];
  let next = nextPage(asked, first.answer);
  for (let pages = 1; next !== undefined; pages++) {
    if (pages === MAX_PAGES) throw new WeighbridgeError('UPSTREAM_TOO_LARGE', `a tree of over ${MAX_PAGES} pages`);
    const page = await askForEntries(asked, next);
    if (page === 'refused') return undefined;
    if (page === 'away') throw new WeighbridgeError('UPSTREAM_UNREACHABLE', 'the Hub went away between two pages');
    all.push(...page.entries);
    next = nextPage(asked, page.answer);
  }
  return all;
};

const Question = z.object({
  paths: z.array(z.string().max(MAX_PATH)).max(MAX_PATHS),
  expand: z.boolean().default(false),
});

/** `POST /api/<kind>/<repo>/paths-info/<revision>`, as a form (Python) or as JSON (JavaScript). */
export const servePathsInfo = async (asked: Asked, call: Extract<HubCall, { what: 'paths-info' }>): Promise<void> => {
  const { mount, caller, reply } = asked;
  const question = readQuestion(asked);
  const repo = await findRepo(asked, call.repo, call.revision);
  if (repo === undefined) return;
  const view = await mount.gateway.view(repo.at, caller.who);
  const url = apiUrl(repo.info.repo, ['paths-info', repo.info.commit]);
  const found = await askForEntries(asked, url, JSON.stringify(question));
  if (found === 'refused') return;
  const changes = changesOf(view);
  const entries = found === 'away' ? known(entriesOf(repo.info.files), question.paths) : found.entries;
  const kept = rewrite(entries, { ...changes, instead: new Map() }, 'path', entryOf);
  const minted = new Map([...changes.instead.values()].map((file) => [file.path, file] as const));
  const listed = new Set(kept.map((entry) => (isJson(entry) ? entry['path'] : undefined)));
  const extra = question.paths.flatMap((path) => (listed.has(path) ? [] : mintedEntry(minted.get(path))));
  reply.header('x-repo-commit', repo.info.commit).send([...kept, ...extra]);
};

const known = (entries: ReadonlyMap<string, Json>, paths: readonly string[]): Json[] =>
  paths.map((path) => entries.get(path)).filter((entry) => entry !== undefined);

const mintedEntry = (file: ViewFile | undefined): Json[] => (file === undefined ? [] : [entryOf(file, {})]);

const readQuestion = ({ request }: Asked): z.infer<typeof Question> => {
  const body = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
  const json = (request.headers['content-type'] ?? '').includes('json');
  const checked = Question.safeParse(json ? parseJson(body) : parseForm(body));
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new WeighbridgeError('REQUEST_INVALID', `paths-info: ${issue?.path.join('.')}: ${issue?.message}`);
};

const parseJson = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

const parseForm = (body: string): unknown => {
  const form = new URLSearchParams(body);
  return { paths: form.getAll('paths'), expand: ['true', '1'].includes((form.get('expand') ?? '').toLowerCase()) };
};
