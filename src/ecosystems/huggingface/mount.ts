import type { FastifyReply, FastifyRequest } from 'fastify';
import { WeighbridgeError } from '../../errors.ts';
import type { Memo } from '../../gateway/memo.ts';
import type { View } from '../../gateway/types.ts';
import type { EcosystemDeps } from '../types.ts';
import type { Caller } from './caller.ts';
import { passError, sendRefusal } from './refusals.ts';
import type { Found, Repos } from './repo-at.ts';
import type { Retold } from './retold.ts';
import type { RepoName } from './urls.ts';

/** What every answer of this mount is made with. */
export type Mount = EcosystemDeps & {
  readonly repos: Repos;
  /** Refusals by the id of the request, for clients that are sent elsewhere to read them. */
  readonly retold: Memo<Retold>;
  /** `/hf`, without a slash at its end. */
  readonly prefix: string;
};

/**
 * How long the listing of a snapshot waits for the plans of the repo's checkpoints, in ms. One without a plan is listed
 * as the pickle that it is: the snapshot fails there, and `huggingface_hub` keeps the listing of a commit for ever.
 */
export const SNAPSHOT_PATIENCE = 300_000;

/** One request under way. */
export type Asked = {
  readonly mount: Mount;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
};

/** The repo that is asked for; undefined when the Hub's error has been sent instead. */
export const findRepo = async (
  { mount, reply, caller }: Asked,
  repo: RepoName,
  revision: string,
): Promise<Extract<Found, { kind: 'repo' }> | undefined> => {
  const found = await mount.repos.at(repo, revision, caller);
  if (found.kind === 'repo') return found;
  passError(reply, found.answer);
  return undefined;
};

/** Refuses a repo that has no acceptable weights as a whole. True when it has been refused. */
export const refuseWhole = ({ caller, reply }: Asked, { refusal }: View, { kind }: RepoName): boolean => {
  if (refusal === undefined) return false;
  sendRefusal(reply, caller.client, refusal.decision, refusal.text, kind);
  return true;
};

/** Where the client reaches this mount: configured, or as it says itself. */
export const publicBase = ({ mount, request }: Asked): string => {
  const { team } = request.belongs;
  const label = request.originalUrl.startsWith(`/t/${team}${mount.prefix}/`) && team !== '' ? `/t/${team}` : '';
  if (mount.publicUrl !== undefined) return mount.publicUrl.slice(0, -mount.prefix.length) + label + mount.prefix;
  const { host, protocol } = request;
  if (!/^[A-Za-z0-9._:[\]-]{1,300}$/.test(host)) throw new WeighbridgeError('REQUEST_INVALID', 'the Host is not valid');
  return `${protocol}://${host}${label}${mount.prefix}`;
};
