import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { KIB } from '../../bytes/limits.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { reportSchema } from '../../sandbox/answer.ts';
import type { Operation } from '../api/operation.ts';
import { decided, digest, evidence } from '../api/shapes.ts';
import { allowUpload } from '../bodies.ts';
import { sendError } from '../errors.ts';
import { type Arriving, enterFailure, faultOf, type Uploader } from './enter.ts';
import { letGo, refuseUnread } from './refuse.ts';
import { type Scales, type Verdict, weighUpload } from './weigh.ts';

export type ScanParts = Scales & {
  /** Bytes of all files of one upload together. */
  readonly limit: number;
};

/** Files in one upload; more come as an archive, or as another upload. */
const MAX_FILES = 100;
/** Uploads at the same time: each takes up to the limit of the disk. */
const MAX_UPLOADS = 4;
/** Bytes of boundaries and part headers beside the files. */
const OVERHEAD = 1024 * KIB;
const RETRY_AFTER = 5;
const PATH = '/api/v1/scan';

const query = z.strictObject({ keep: z.enum(['true', 'false']).default('false') });

const verdict = z.strictObject({
  path: z.string(),
  sha256: digest,
  size: z.int(),
  kept: z.boolean(),
  decision: decided,
  evidence,
  convertible: z.boolean(),
  report: reportSchema.omit({ plan: true }),
});
const said = z.strictObject({
  limits: z.strictObject({ bytes: z.int(), files: z.int() }),
  type: z.string(),
  keep: z.string(),
});
const operations = {
  limits: { about: 'What an upload may be', answers: { 200: { about: 'Limits, and how to send one', json: said } } },
  scan: {
    about: 'Weighs files',
    query,
    uploads: true,
    answers: {
      200: { about: 'A report and a decision for each', json: z.strictObject({ files: z.array(verdict) }) },
      413: { about: 'Too large, or too many' },
      415: { about: 'Not multipart/form-data' },
      503: { about: 'Others are being weighed' },
    },
  },
} satisfies Record<string, Operation>;

/**
 * `POST /api/v1/scan`: files as `multipart/form-data`, each weighed while the next waits, with a report and a decision
 * for each. `GET` says the limits, which are also held against `Content-Length` before a byte of the body is read.
 */
export const serveScan = async (app: FastifyInstance, parts: ScanParts): Promise<void> => {
  const limits = { bytes: parts.limit, files: MAX_FILES };
  let running = 0;
  app.get(PATH, { config: { operation: operations.limits } }, async () => ({
    limits,
    type: 'multipart/form-data',
    keep: `${PATH}?keep=true`,
  }));
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    await scope.register(multipart, {
      preservePath: true,
      limits: {
        fileSize: parts.limit,
        files: MAX_FILES,
        parts: MAX_FILES + 1,
        fields: 1,
        fieldSize: KIB,
        fieldNameSize: KIB,
        headerPairs: 20,
      },
    });
    scope.route({
      method: 'POST',
      url: PATH,
      config: { operation: operations.scan },
      onRequest: async (request, reply) => {
        const objection = objectionTo(request, parts.limit, running);
        if (objection === undefined) return undefined;
        if (objection.status === 503) reply.header('retry-after', RETRY_AFTER);
        if (objection.status === 413)
          await enterFailure(parts.log, uploader(request, parts), objection.code, undefined);
        return refuseUnread(request, limited(reply, parts.limit), objection);
      },
      handler: async (request, reply) => {
        running += 1;
        allowUpload(request.raw);
        const gone = whenGone(reply);
        const upload: Arrival = { who: uploader(request, parts), gone, arriving: undefined };
        try {
          return await answer(request, parts, upload).finally(() => {
            running -= 1;
          });
        } catch (error) {
          letGo(request, reply);
          const objection = worded(error, parts.limit);
          await enterFailure(parts.log, upload.who, faultOf(error, gone.aborted, objection), upload.arriving);
          if (objection === undefined) throw error;
          return sendError(request, limited(reply, parts.limit), objection);
        }
      },
    });
  });
};

const limited = (reply: FastifyReply, limit: number): FastifyReply => reply.header('x-weighbridge-upload-limit', limit);

type Objection = { readonly status: number; readonly code: string; readonly message: string };

/** What speaks against an upload before its body is read. */
const objectionTo = ({ headers }: FastifyRequest, limit: number, running: number): Objection | undefined => {
  const invalid = (status: number, message: string): Objection => ({ status, code: 'REQUEST_INVALID', message });
  // A page of another site can send forms here with whatever rights this address gives.
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return invalid(403, 'pages of other sites may not upload');
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(headers['content-type'] ?? ''))
    return invalid(415, 'send files as multipart/form-data, for example with curl -F file=@model.bin');
  if (Number(headers['content-length'] ?? 0) > limit + OVERHEAD) return tooLarge(limit);
  if (running >= MAX_UPLOADS)
    return { status: 503, code: 'BUSY', message: `${MAX_UPLOADS} uploads are being scanned; try again soon` };
  return undefined;
};

const tooLarge = (limit: number): Objection => ({
  status: 413,
  code: 'LIMIT_EXCEEDED',
  message: `an upload may have ${limit} bytes in all (uploads.limit)`,
});

/** An upload under way: who sends it, when they have gone, and the file that is arriving. */
type Arrival = { readonly who: Uploader; readonly gone: AbortSignal; arriving: Arriving | undefined };

const uploader = ({ id, method, caller, belongs, ip }: FastifyRequest, { log }: ScanParts): Uploader => ({
  request: { id, method, route: PATH },
  requester: { id: log.pseudonym(caller?.name ?? ip), ...belongs },
  client: { name: 'upload', version: '' },
});

const answer = async (
  request: FastifyRequest,
  parts: ScanParts,
  upload: Arrival,
): Promise<{ readonly files: readonly Verdict[] }> => {
  const asked = query.safeParse(request.query);
  if (!asked.success) throw new WeighbridgeError('REQUEST_INVALID', 'the only parameter is keep, true or false');
  const keep = asked.data.keep === 'true';
  const files: Verdict[] = [];
  const meter = createMeter(parts.limit);
  for await (const part of request.parts()) {
    if (part.type !== 'file') continue;
    const arriving = { name: part.filename, bytes: 0 };
    upload.arriving = arriving;
    const bytes = meter(part.file, arriving);
    files.push(await weighUpload(parts, { name: part.filename, bytes, keep, signal: upload.gone }, upload.who));
    upload.arriving = undefined;
  }
  if (files.length === 0) throw new WeighbridgeError('REQUEST_INVALID', 'the upload has no file in it');
  return { files };
};

/** Fires when whoever asked has gone: nobody needs the rest of the answer. */
const whenGone = (reply: FastifyReply): AbortSignal => {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
};

/** Passes bytes on until all files together are too many. */
const createMeter = (limit: number) => {
  let total = 0;
  return async function* (
    bytes: AsyncIterable<Uint8Array> & { truncated?: boolean },
    arriving: Arriving,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      total += chunk.length;
      arriving.bytes += chunk.length;
      if (total > limit) throw new WeighbridgeError('LIMIT_EXCEEDED', 'the upload is too large');
      yield chunk;
    }
    if (bytes.truncated === true) throw new WeighbridgeError('LIMIT_EXCEEDED', 'the upload is too large');
  };
};

/** What ended an upload, for whoever sent it; undefined for what is no fault of theirs. */
const worded = (error: unknown, limit: number): Objection | undefined => {
  if (isFault(error, 'LIMIT_EXCEEDED')) return tooLarge(limit);
  if (isFault(error, 'REQUEST_INVALID')) return { status: 400, code: error.code, message: error.message };
  if (isFault(error)) return undefined;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const invalid = (status: number, message: string): Objection => ({ status, code: 'REQUEST_INVALID', message });
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(limit);
  if (code === 'FST_FILES_LIMIT' || code === 'FST_PARTS_LIMIT' || code === 'FST_FIELDS_LIMIT')
    return invalid(413, `an upload may have ${MAX_FILES} files`);
  if (code.startsWith('FST_')) return invalid(400, 'the upload is not valid multipart/form-data');
  // Of the parser of multipart bodies: it has no codes.
  if (error instanceof Error && /multipart|boundary|form|part header/i.test(error.message))
    return invalid(400, 'the upload is not valid multipart/form-data, or was cut');
  return undefined;
};
