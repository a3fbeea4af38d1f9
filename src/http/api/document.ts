import { z } from 'zod';
import { version } from '../../package.ts';
import { OPEN, RIGHTS, SIGN_IN } from '../rights.ts';
import type { Answer, Operation, Route } from './operation.ts';

type Part = Record<string, unknown>;

const ERROR = z.strictObject({ error: z.string(), code: z.string(), requestId: z.string() });

/** Answers that any operation may give, by status. */
const FAILURES: Readonly<Record<string, string>> = {
  400: 'The request is not as expected; the text says where',
  401: 'No token, or one that is not good any more',
  403: 'Not for the role of this caller',
  default: 'Anything else that went wrong: code and text say what, docs/errors.md has the codes',
};

/** The OpenAPI 3.1 document of these routes: those that have a description, from the same schemas that read requests. */
export const openApi = (routes: readonly Route[]): Part => {
  const paths: Record<string, Record<string, Part>> = {};
  for (const { method, url, operation } of routes) {
    if (operation === undefined) continue;
    const path = url.replace(/:(\w+)/g, '{$1}').replace('*', '{path}');
    paths[path] = { ...paths[path], [method.toLowerCase()]: told(method, url, operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Weighbridge',
      version,
      description: 'The own API of the gateway. Clients of ecosystems speak the protocols of those.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: { Error: schemaOf(ERROR, 'output') },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic' },
        header: { type: 'apiKey', in: 'header', name: 'X-Weighbridge-Token' },
      },
    },
  };
};

const told = (method: string, url: string, operation: Operation): Part => {
  const open = OPEN.has(url) || SIGN_IN.has(`${method} ${url}`);
  const roles = open ? undefined : (RIGHTS[`${method} ${url}`] ?? ['admin']);
  const body = bodyOf(operation);
  const without = roles === undefined || roles.includes('anyone') ? [{}] : [];
  return {
    operationId: `${method} ${url}`
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^_|_$/g, ''),
    summary: operation.about,
    ...(roles !== undefined && { 'x-weighbridge-roles': roles }),
    security: [...without, { bearer: [] }, { basic: [] }, { header: [] }],
    parameters: [
      ...parametersOf(operation.params, 'path').map((one) => ({ ...one, required: true })),
      ...parametersOf(operation.query, 'query'),
    ],
    ...(body !== undefined && { requestBody: body }),
    responses: {
      ...Object.fromEntries(Object.entries(FAILURES).map(([status, about]) => [status, failure(about, method)])),
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, answered(answer, method)]),
      ),
    },
  };
};

const failure = (description: string, method: string): Part => ({
  description,
  ...(method !== 'HEAD' && { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } }),
});

const answered = ({ about, json, types = [] }: Answer, method: string): Part => {
  if (method === 'HEAD') return { description: about };
  const content = {
    ...(json !== undefined && { 'application/json': { schema: schemaOf(json, 'output') } }),
    ...Object.fromEntries(types.map((type) => [type, {}])),
  };
  return { description: about, ...(Object.keys(content).length > 0 && { content }) };
};

const bodyOf = ({ body, bodyOptional, uploads }: Operation): Part | undefined => {
  if (uploads === true) {
    const file = { type: 'array', items: { type: 'string', format: 'binary' } };
    const schema = { type: 'object', properties: { file }, required: ['file'] };
    return { required: true, content: { 'multipart/form-data': { schema } } };
  }
  if (body === undefined) return undefined;
  return { required: bodyOptional !== true, content: { 'application/json': { schema: schemaOf(body, 'input') } } };
};

const parametersOf = (schema: z.ZodObject | undefined, place: 'path' | 'query'): Part[] => {
  if (schema === undefined) return [];
  const { required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(schema.shape).map(([name, one]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: schemaOf(one, 'input'),
  }));
};

/** JSON Schema (2020-12, as OpenAPI 3.1 has it) of what is sent, or of what is answered. */
const schemaOf = (schema: z.core.$ZodType, io: 'input' | 'output'): Part => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};
