import type { Environment } from './environment.ts';

const first = (environment: Environment, ...names: readonly string[]): string | undefined =>
  names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');

/**
 * The forward proxy that the usual variables (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, except `NO_PROXY`) name for
 * `url`; undefined for none. `HTTP_PROXY` in upper case is left out under CGI only, which this program never is.
 */
export const proxyFor = (url: string, environment: Environment = process.env): string | undefined => {
  const { protocol, hostname, port } = new URL(url);
  const exempt = (first(environment, 'no_proxy', 'NO_PROXY') ?? '')
    .split(',')
    .map((entry) => entry.trim().toLowerCase());
  if (exempt.some((entry) => covers(entry, hostname.toLowerCase(), port))) return undefined;
  return protocol === 'https:'
    ? first(environment, 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')
    : first(environment, 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY');
};

const covers = (entry: string, hostname: string, port: string): boolean => {
  if (entry === '') return false;
  if (entry === '*') return true;
  const [, name = '', onlyPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  return hostname === name || hostname.endsWith(`.${name}`);
};
