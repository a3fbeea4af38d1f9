import type { FastifyRequest } from 'fastify';
import { WeighbridgeError } from '../errors.ts';

/** The admin at work, and the request. */
export const byWhom = ({ caller, ip, id, method, routeOptions }: FastifyRequest) => ({
  name: caller?.name ?? ip,
  request: { id, method, route: routeOptions.url ?? '' },
});

/** A page of another site can send requests here with whatever rights this address gives. */
export const refuseOtherSites = ({ headers, method }: FastifyRequest): void => {
  const site = headers['sec-fetch-site'];
  if (method === 'GET' || site === undefined || site === 'same-origin' || site === 'none') return;
  throw new WeighbridgeError('FORBIDDEN', 'pages of other sites may change nothing here');
};
