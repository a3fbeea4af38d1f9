import type { z } from 'zod';

/** One status that an operation answers with: JSON of a form, or bytes of one of these media types, or neither. */
export type Answer = {
  readonly about: string;
  readonly json?: z.ZodType;
  readonly types?: readonly string[];
};

/**
 * What a route of our own takes and answers, as `/openapi.json` tells it. Method and path are those it is registered with,
 * who may use it stands in `rights.ts`, and what every operation may answer (an error) is added there.
 */
export type Operation = {
  readonly about: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Whether the body may be left out. */
  readonly bodyOptional?: true;
  /** Takes files as `multipart/form-data`, which no schema of ours reads. */
  readonly uploads?: true;
  readonly answers: Readonly<Record<number, Answer>>;
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route of our own has one; those of ecosystems are described by whoever defined their protocol. */
    operation?: Operation;
  }
}

/** What is served, as it was registered. */
export type Route = { readonly method: string; readonly url: string; readonly operation?: Operation };
