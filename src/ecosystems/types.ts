import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../gateway/types.ts';
import type { Identity } from '../identity/roles.ts';
import type { Belonging } from '../identity/team.ts';
import type { Records } from '../store/types.ts';
import type { Upstream } from '../upstream/types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who called with a token of this gateway, which is gone from the headers by then. Undefined: with none. */
    caller: Identity | undefined;
    /** The caller's team and environment, by its token or else by the path. */
    belongs: Belonging;
  }
}

/** What an ecosystem is given when it is mounted. */
export type EcosystemDeps = {
  readonly gateway: Gateway;
  readonly upstream: Upstream;
  readonly records: Records;
  /** What the upstream is shown in the name of a team that a token proves, when it has a credential of its own. */
  readonly credentialOf: (team: string) => string | undefined;
  /** Where clients reach this mount, without a trailing slash: for absolute links. Undefined: from the request. */
  readonly publicUrl: string | undefined;
};

/** One ecosystem: one Fastify plugin, one line in `ecosystems/index.ts`. */
export type Ecosystem = {
  readonly name: string;
  /** Where it is mounted unless the config says otherwise: `/hf`. */
  readonly mount: string;
  /** The setting that points a client here, for the first line that a user reads. */
  readonly setting: (url: string) => string;
  readonly plugin: (app: FastifyInstance, deps: EcosystemDeps) => Promise<void>;
};
