import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../gateway/types.ts';
import type { Records } from '../store/types.ts';
import type { Upstream } from '../upstream/types.ts';

/** Who called with a token of this gateway; its `Authorization` header is gone by then, for it must not go upstream. */
export type Caller = { readonly name: string; readonly team: string };

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined when the gateway asks nobody for a token. */
    caller: Caller | undefined;
  }
}

/** What an ecosystem is given when it is mounted. */
export type EcosystemDeps = {
  readonly gateway: Gateway;
  readonly upstream: Upstream;
  readonly records: Records;
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
