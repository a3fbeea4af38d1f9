import { setTimeout as sleep } from 'node:timers/promises';
import { keepCosigned } from '../../audit/cosigned.ts';
import { sha256, verifyEd25519 } from '../../audit/digest.ts';
import type { LogSearch } from '../../audit/log-search.ts';
import type { AccessLog } from '../../audit/types.ts';
import { WeighbridgeError } from '../../errors.ts';
import { parseNote, type VerifierKey } from '../../merkle/checkpoint.ts';
import { cosignedAt, parseWitnessKey } from '../../merkle/cosignature.ts';
import type { Records } from '../../store/types.ts';
import type { Upstream } from '../../upstream/types.ts';
import { createUpstream } from '../../upstream/upstream.ts';
import type { Stream } from './stream.ts';

/** Where checkpoints are posted, as the settings have it. */
export type PostSettings = {
  readonly name: string;
  readonly url: string;
  /** Sent as bearer token. */
  readonly token?: string | undefined;
  /** Key of the witness that answers there: it is then asked to sign, as C2SP tlog-witness says. */
  readonly witness?: string | undefined;
  /** ms between two posts at least. */
  readonly every: number;
};

export type PostParts = {
  /** The folder of the log. */
  readonly directory: string;
  readonly log: Pick<AccessLog, 'checkpoint'>;
  readonly search: Pick<LogSearch, 'tree'>;
  readonly records: Pick<Records, 'get' | 'put'>;
  /** Told once when a checkpoint does not arrive, and once, with undefined, when one does again. */
  readonly tell: (post: string, problem: string | undefined) => void;
  /** ms before the first of the retries. */
  readonly pause?: number;
};

const PAUSE = 1000;
/** ms before a retry at most. */
const LONGEST_PAUSE = 300_000;

/**
 * Posts each new checkpoint to somewhere else, at most one in the time that was set: the newest vouches for all before it. What
 * does not arrive is tried again, also after a restart, and then with the newest.
 */
export const openPosts = async (settings: readonly PostSettings[], parts: PostParts): Promise<Stream> => {
  const posts: Stream[] = [];
  for (const one of settings) posts.push(await startPost(one, parts));
  return {
    async close() {
      await Promise.all(posts.map((post) => post.close()));
    },
  };
};

const startPost = async (settings: PostSettings, parts: PostParts): Promise<Stream> => {
  const { every, name, token, url } = settings;
  const { log, pause = PAUSE, records, tell } = parts;
  const key = settings.witness === undefined ? undefined : parseWitnessKey(settings.witness, sha256);
  const origin = { url, ...(token !== undefined && { token }) };
  const upstream = createUpstream({ origin, allowPrivate: true, patience: { attempts: 1 } });
  const closing = new AbortController();
  const { signal } = closing;
  let posted = (await records.get('post', name))?.size ?? 0;

  const post = async (): Promise<void> => {
    const note = log.checkpoint();
    if (note === '' || parseNote(note).checkpoint.size <= posted) return;
    const arrived = key === undefined ? await postPlainly(upstream, url, note) : await askWitness(key, note);
    posted = arrived;
    await records.put('post', name, { size: posted });
  };
  const askWitness = async (witness: VerifierKey, note: string): Promise<number> => {
    const ask = { upstream, witness, tree: parts.search.tree };
    const cosigned = await cosign(ask, note, posted);
    keepCosigned(parts.directory, name, cosigned);
    return parseNote(cosigned).checkpoint.size;
  };
  const run = async (): Promise<void> => {
    for (let wait = pause, failed = false; !signal.aborted; ) {
      try {
        await post();
        if (failed) tell(name, undefined);
        [wait, failed] = [pause, false];
      } catch (error) {
        if (!failed) tell(name, error instanceof Error ? error.message : String(error));
        failed = true;
      }
      await sleep(failed ? Math.min(wait, LONGEST_PAUSE) : every, undefined, { signal, ref: false });
      if (failed) wait *= 2;
    }
  };
  const running = run().catch(() => undefined);
  return {
    async close() {
      closing.abort();
      await upstream.close();
      await running;
    },
  };
};

const postPlainly = async (upstream: Upstream, url: string, note: string): Promise<number> => {
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  const { status } = await upstream.request({ method: 'POST', url, headers, body: note });
  if (status >= 300) throw new WeighbridgeError('UPSTREAM_REFUSED', `${new URL(url).host} answers ${status}`);
  return parseNote(note).checkpoint.size;
};

type Asking = {
  readonly upstream: Upstream;
  readonly witness: VerifierKey;
  readonly tree: LogSearch['tree'];
};

/** The newest checkpoint with the signature of the witness, which has seen the first `seen` entries, or says how many. */
const cosign = async ({ tree, upstream, witness }: Asking, note: string, seen: number): Promise<string> => {
  const ask = async (old: number) => {
    const body = old === 0 ? `old 0\n\n${note}` : text(await tree({ kind: 'consistency', from: old }));
    const { status, body: answer } = await upstream.request({ method: 'POST', url: '/add-checkpoint', body });
    return { asked: body.slice(body.indexOf('\n\n') + 2), status, said: text(answer) };
  };
  let { asked, said, status } = await ask(seen);
  // It has seen another size, and says which: as after a restart of either side.
  const [, size] = status === 409 ? (/^(\d{1,15})\n$/.exec(said) ?? []) : [];
  if (size !== undefined && Number(size) <= parseNote(note).checkpoint.size)
    ({ asked, said, status } = await ask(Number(size)));
  if (status !== 200) throw new WeighbridgeError('UPSTREAM_REFUSED', `the witness ${witness.name} ${refusal(status)}`);
  const cosigned = `${asked}${said}`;
  if (cosignedAt(cosigned, witness, verifyEd25519) !== undefined) return cosigned;
  throw new WeighbridgeError('UPSTREAM_REFUSED', `what is answered is not signed with the key of ${witness.name}`);
};

/** What statuses of C2SP tlog-witness mean. */
const refusal = (status: number): string => {
  if (status === 404) return 'does not know this log';
  if (status === 403) return 'does not know the key of this log';
  if (status === 409) return 'has seen more entries of this log than there are: it was cut, or is another';
  if (status === 422) return 'does not find its entries in this log: it was written again';
  return `answers ${status}`;
};

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
