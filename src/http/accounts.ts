import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';
import {
  type AccountOffice,
  addAccount,
  changePassword,
  changeRole,
  disableAccount,
} from '../gateway/account-office.ts';
import type { ShownAccount } from '../gateway/accounts.ts';
import { PERSON_ROLES } from '../identity/roles.ts';
import { byWhom, refuseOtherSites } from './admin.ts';
import { readInput } from './api/input.ts';
import type { Operation } from './api/operation.ts';
import { moment } from './api/shapes.ts';

const PATH = '/api/v1/accounts';
const text = z.string().max(512);
const wanted = z.strictObject({ name: text, role: text, password: text });
const changed = z.strictObject({ password: text });
const assigned = z.strictObject({ role: text });
const params = z.object({ name: text });

const shown = z.strictObject({
  name: z.string(),
  role: z.enum(PERSON_ROLES),
  createdAt: moment,
  createdBy: z.string(),
  changedAt: moment,
  disabledAt: moment.exactOptional(),
}) satisfies z.ZodType<ShownAccount>;

const operations = {
  list: {
    about: 'Accounts of people, also those that have ended',
    answers: { 200: { about: 'Without their passwords', json: z.strictObject({ accounts: z.array(shown) }) } },
  },
  add: { about: 'Makes an account', body: wanted, answers: { 201: { about: 'It is made', json: shown } } },
  change: {
    about: 'Sets a password anew, which ends the sessions of the account',
    params,
    body: changed,
    answers: { 200: { about: 'It is set', json: shown } },
  },
  assign: {
    about: 'Gives an account another role, which its owner has at once, also where signed in',
    params,
    body: assigned,
    answers: { 200: { about: 'It has the role', json: shown } },
  },
  disable: {
    about: 'Ends an account and its sessions',
    params,
    answers: { 200: { about: 'It has ended', json: shown } },
  },
} satisfies Record<string, Operation>;

/** What a fault says of the input: never the input itself, which has a password in it. */
const read = <T>(schema: z.ZodType<T>, body: unknown, expected: string): T => {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new WeighbridgeError('REQUEST_INVALID', `expected ${expected} as JSON`);
};

/** Accounts of people are listed, made and ended at `/api/v1/accounts`. */
export const serveAccounts = (app: FastifyInstance, office: AccountOffice): void => {
  app.addHook('onRequest', async (request) => refuseOtherSites(request));
  app.get(PATH, { config: { operation: operations.list } }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ accounts: office.accounts.list() }),
  );
  app.post(PATH, { config: { operation: operations.add } }, async (request, reply) => {
    const account = read(wanted, request.body, '{name, role, password}');
    return reply.code(201).send(await addAccount(office, account, byWhom(request)));
  });
  app.post(`${PATH}/:name/password`, { config: { operation: operations.change } }, async (request) => {
    const { password } = read(changed, request.body, '{password}');
    return changePassword(office, readInput(params, request.params).name, password, byWhom(request));
  });
  app.post(`${PATH}/:name/role`, { config: { operation: operations.assign } }, async (request) => {
    const { role } = read(assigned, request.body, '{role}');
    return changeRole(office, readInput(params, request.params).name, role, byWhom(request));
  });
  app.post(`${PATH}/:name/disable`, { config: { operation: operations.disable } }, async (request) =>
    disableAccount(office, readInput(params, request.params).name, byWhom(request)),
  );
};
