import { isWeights } from '../../gateway/names.ts';
import type { Decision } from '../../policy/types.ts';
import { type Asked, publicBase } from './mount.ts';
import { decisionHeader, refusalLine, sendRefusal } from './refusals.ts';

/** A refusal that is told at an address of its own. */
export type Retold = { readonly decision: Pick<Decision, 'action' | 'rule'>; readonly text: string };

/** Refusals kept until the client has followed; one takes about 500 bytes. */
export const MAX_RETOLD = 10_000;
/** Characters of a request's id that are repeated. */
const MAX_ID = 64;

const SHARD_INDEX = /\.(safetensors|bin)\.index(\.[^/.]+)?\.json$/;

/**
 * Refuses one file. At a weights file `from_pretrained` takes GatedRepo for "try the next name" and ends without its
 * text; of a 401 without a code it prints all. Behind https `huggingface_hub` takes that for an unknown repo wherever
 * the URL looks like a repo's, hence a relative redirect to an address that does not, which all its versions follow.
 */
export const refuseFile = (asked: Asked, path: string, { decision, text }: Retold): void => {
  const { caller, mount, reply, request } = asked;
  if (!caller.client.dropsGatedText || !(isWeights(path) || SHARD_INDEX.test(path))) {
    sendRefusal(reply, caller.client, decision, text);
    return;
  }
  mount.retold.set(request.id, { decision, text: refusalLine(text, request.id) });
  const { pathname } = new URL(publicBase(asked));
  reply
    .headers({ 'x-weighbridge-decision': decisionHeader(decision), 'cache-control': 'no-store' })
    .header('location', `${pathname}/-/refused/${encodeURIComponent(request.id)}`)
    .code(307)
    .send();
};

/** Tells a refusal again, or where it is written when it was another replica that refused. */
export const serveRetold = ({ mount, reply }: Asked, id: string): void => {
  const { decision, text } = mount.retold.get(id) ?? {
    decision: { action: 'deny' as const, rule: 'unknown' },
    text: refusalLine('Weighbridge refuses this file; its access log says why', id.slice(0, MAX_ID)),
  };
  reply
    .code(401)
    .headers({ 'x-weighbridge-decision': decisionHeader(decision), 'x-error-message': text })
    .header('cache-control', 'no-store')
    .send({ error: text });
};
