import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { WeighbridgeError } from '../errors.ts';

/** Names that never mean a public host, whatever a resolver says. */
const PRIVATE_NAMES = /(^|\.)(localhost|local|internal|intranet|lan|home\.arpa)\.?$/i;

/** True when `address` (IPv4 or IPv6, no brackets) is a public unicast address, also behind an IPv4-mapped form. */
export const isPublicAddress = (address: string): boolean => {
  const bare = address.split('%')[0] ?? '';
  if (!ipaddr.isValid(bare)) return false;
  return ipaddr.process(bare).range() === 'unicast';
};

const blocked = (host: string, why: string): WeighbridgeError =>
  new WeighbridgeError('UPSTREAM_BLOCKED', `${host} is not fetched from: ${why}`, { host });

/** The same for a place that an operator can let in, with the setting that does. */
const blockedAsPrivate = (host: string, why: string): WeighbridgeError =>
  blocked(host, `${why} (upstreams.allowPrivate: true lets it)`);

/**
 * Throws UPSTREAM_BLOCKED for a URL that no upstream has business to send anybody to: a scheme other than http(s),
 * credentials in the URL, a literal private or loopback address. The URL parser has already normalised decimal, octal
 * and hexadecimal forms. Names are checked where they are resolved, by `publicLookup`.
 */
export const checkForeign = (url: URL, allowPrivate: boolean): void => {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw blocked(url.host, `scheme ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw blocked(url.host, 'the URL carries credentials');
  if (allowPrivate) return;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublicAddress(host))
    throw blockedAsPrivate(host, 'a private, loopback or reserved address');
};

/** With a forward proxy the proxy resolves names, so that all that can be judged here is the name itself. */
export const checkNameOnly = (url: URL, allowPrivate: boolean): void => {
  const host = url.hostname;
  if (allowPrivate || isIP(host.replace(/^\[|\]$/g, '')) !== 0) return;
  if (PRIVATE_NAMES.test(host) || !host.includes('.')) throw blockedAsPrivate(host, 'a name of a private network');
};

/** A `dns.lookup` that fails when any address of the name is not public; the checked address is the one connected to. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const first = addresses?.[0];
    if (error !== null || first === undefined) {
      callback(error ?? Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '', 0);
      return;
    }
    const bad = addresses.find(({ address }) => !isPublicAddress(address));
    if (bad !== undefined) callback(blockedAsPrivate(hostname, `it resolves to ${bad.address}`), '', 0);
    else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};
