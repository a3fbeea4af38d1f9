import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of a certificate for loopback and of the authority that signed it, made for one test. */
export type Certificates = { readonly ca: string; readonly cert: string; readonly key: string };

const AUTHORITY = `[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = Test authority
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;
const LEAF = `basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
`;

/** Makes both with openssl in `folder`. The leaf is one that the strictest clients take (Python 3.13 and later). */
export const makeCertificates = (folder: string): Certificates => {
  mkdirSync(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', timeout: 20_000 });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(at('authority.cnf'), AUTHORITY);
  writeFileSync(at('leaf.cnf'), LEAF);
  openssl('req', '-x509', '-days', '2', '-config', 'authority.cnf', ...key, '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', '-subj', '/CN=localhost', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr');
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'leaf.cnf'];
  openssl('x509', '-req', '-in', 'leaf.csr', ...signing, '-out', 'leaf.pem');
  return { ca: at('ca.pem'), cert: at('leaf.pem'), key: at('leaf.key') };
};
