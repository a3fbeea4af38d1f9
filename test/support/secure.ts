import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { makeCertificates } from './certificates.ts';

/** How clients reach a gateway: what they do has to come to the same both ways. */
export const SCHEMES = [
  { scheme: 'http', secure: false },
  { scheme: 'https', secure: true },
] as const;

/** A certificate that clients verify, as settings of the gateway and as environment of each kind of client. */
export type Secured = {
  readonly settings: Readonly<Record<string, string>>;
  readonly trust: Readonly<Record<string, string>>;
};

let made: Secured | undefined;

/** Made once for a process, whose own requests trust the authority from then on. */
export const secured = (): Secured => {
  if (made !== undefined) return made;
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-certificates-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const { ca, cert, key } = makeCertificates(folder);
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(ca, 'utf8')]);
  const trust = Object.fromEntries(
    ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO'].map((name) => [
      name,
      ca,
    ]),
  );
  made = { settings: { TLS_CERT: cert, TLS_KEY: key }, trust };
  return made;
};
