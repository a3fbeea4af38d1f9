import { existsSync, readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { readSettingsFile, type SettingsFile } from './config/document.ts';
import { type Environment, readEnvironment } from './config/environment.ts';
import { proxyFor } from './config/proxy.ts';
import { type Settings, schema } from './config/schema.ts';
import { WeighbridgeError } from './errors.ts';
import type { DirectorySettings } from './identity/directory.ts';
import type { Role } from './identity/roles.ts';
import { packageRoot } from './package.ts';

/** An upstream as the program uses it: the certificate is read, the proxy decided. */
type ConfiguredOrigin = {
  readonly url: string;
  readonly token?: string;
  /** PEM of extra certificate authorities. */
  readonly ca?: string;
  readonly proxy?: string;
};

/** A caller of Weighbridge itself; the token is known by its digest only. */
export type ConfiguredToken = {
  readonly name: string;
  readonly team: string;
  readonly environment: string;
  readonly role: Role;
  readonly sha256: string;
};

/** Everything that was set, checked, with absolute paths. Sizes are bytes, times milliseconds. */
export type Config = Omit<Settings, 'upstreams' | 'tls' | 'policies' | 'knownBad' | 'auth'> & {
  readonly policies: {
    readonly path: string;
    /** Public keys as PEM by name, of which so many must have signed the policies; without keys nobody must. */
    readonly signers: Readonly<Record<string, string>>;
    readonly signatures: number;
    readonly shadow: string | undefined;
  };
  /** Path of the list of known-bad digests, and the public key that its signature is checked with, as PEM. */
  readonly knownBad: { readonly list: string; readonly key: string } | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly upstreams: Readonly<Record<string, ConfiguredOrigin>>;
  /** Whether what an upstream redirects or links to may be private or loopback. */
  readonly allowPrivate: boolean;
  readonly auth: {
    readonly tokens: readonly ConfiguredToken[];
    /** Nobody is answered without a token, also when all tokens were made by the gateway itself. */
    readonly required: boolean;
    readonly none: boolean;
    /** Whether a password alone opens a gateway that other machines reach. */
    readonly passwords: 'here' | 'anywhere';
    /** 64 hex digits that stored credentials are encrypted with; otherwise a key in the data folder. */
    readonly vaultKey?: string | undefined;
    /** The provider that people sign in with; undefined where they have accounts only. */
    readonly oidc: DirectorySettings | undefined;
  };
};

export type ConfigSources = {
  /** Settings file; `weighbridge.yaml` in the working directory is read when it is there and none is named. */
  readonly file?: string | undefined;
  readonly env?: Environment;
  /** From the command line, by top-level key: the strongest. */
  readonly overrides?: Readonly<Record<string, string | undefined>>;
};

const DEFAULT_FILE = 'weighbridge.yaml';
const DEFAULT_POLICIES = join(packageRoot, 'policies', 'default.yaml');
/** `policies: PATH` is short for `policies: { path: PATH }`. */
const POLICIES = ['policies', 'path'];
const DEFAULT_UPSTREAMS: Readonly<Record<string, string>> = { huggingface: 'https://huggingface.co' };

/**
 * Reads the settings: file, then environment, then command line. Unknown keys and wrong values throw CONFIG_INVALID
 * naming the file, line and column (or the variable, or the option) and what was expected.
 */
export const loadConfig = ({ file, env = process.env, overrides = {} }: ConfigSources = {}): Config => {
  const sources = gather(file ?? env['WEIGHBRIDGE_CONFIG'], env, overrides);
  const parsed = schema.safeParse(sources.value);
  if (!parsed.success) throw invalid(parsed.error.issues.map((issue) => worded(issue, sources.whence)));
  const settings = parsed.data;
  refuseOpenDoor(settings, sources.whence);
  refuseShortLog(settings, sources.whence);
  refuseOpenSignIn(settings, sources.whence);
  return deepFreeze({
    ...settings,
    data: sources.path(['data'], settings.data),
    policies: policiesOf(settings, sources),
    knownBad: settings.knownBad && {
      list: sources.path(['knownBad', 'list'], settings.knownBad.list),
      key: readAt(sources, ['knownBad', 'key'], settings.knownBad.key),
    },
    tls: settings.tls && {
      cert: readAt(sources, ['tls', 'cert'], settings.tls.cert),
      key: readAt(sources, ['tls', 'key'], settings.tls.key),
    },
    auth: { ...settings.auth, oidc: directoryOf(settings, sources, env) },
    upstreams: origins(settings, sources, env),
    allowPrivate: settings.upstreams.allowPrivate,
  });
};

const policiesOf = (
  { policies: { path, signers, signatures, shadow } }: Settings,
  sources: Sources,
): Config['policies'] => {
  const place = ['policies', 'signatures'];
  const people = Object.keys(signers).length;
  if (people > 0 && signatures > people)
    throw invalid([`${sources.whence(place)}: policies.signatures: expected at most ${people}, as there are signers`]);
  const keys = Object.entries(signers).map(([name, file]) => [
    name,
    readAt(sources, ['policies', 'signers', name], file),
  ]);
  return {
    path: path === undefined ? DEFAULT_POLICIES : sources.path(POLICIES, path),
    signers: Object.fromEntries(keys),
    signatures,
    shadow: shadow === undefined ? undefined : sources.path(['policies', 'shadow'], shadow),
  };
};

type Sources = {
  readonly value: unknown;
  /** Where the value at a path was written. */
  readonly whence: (path: readonly PropertyKey[]) => string;
  /** A path as written, made absolute: against the settings file's folder, or the working directory. */
  readonly path: (path: readonly string[], written: string) => string;
};

const gather = (
  named: string | undefined,
  env: Environment,
  overrides: Readonly<Record<string, string | undefined>>,
): Sources => {
  const file = named ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const document = file === undefined ? undefined : readDocument(file);
  const written = [
    ...readEnvironment(env),
    ...Object.entries(overrides).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [{ path: [name], value: name === 'port' ? Number(value) : value, origin: `--${name}` }],
    ),
  ].map((one) => (one.path.join('.') === 'policies' ? { ...one, path: POLICIES } : one));
  const outside = new Map(written.map(({ path, origin }) => [path.join('.'), origin]));
  const origin = (path: readonly PropertyKey[]): string | undefined =>
    path.map((_, depth) => outside.get(path.slice(0, depth + 1).join('.'))).find((found) => found !== undefined);
  const inFile = (path: readonly string[]): boolean =>
    document?.has(path) === true || (path === POLICIES && document?.has(['policies']) === true);
  return {
    value: written.reduce<unknown>(
      (tree, { path, value }) => withValue(tree, path, value),
      withoutShort(document?.value ?? {}),
    ),
    whence: (path) => origin(path) ?? document?.locate(path) ?? 'settings',
    path: (path, value) => {
      const fromFile = file !== undefined && origin(path) === undefined && inFile(path);
      return fromFile ? resolve(dirname(file), value) : resolve(value);
    },
  };
};

/** What a file says, with the policies as a map. */
const withoutShort = (tree: unknown): unknown =>
  isMap(tree) && Object.hasOwn(tree, 'policies') && !isMap(tree['policies'])
    ? { ...tree, policies: { path: tree['policies'] } }
    : tree;

const readDocument = (file: string): SettingsFile => {
  const text = readFile(file, (reason) => `expected a readable settings file: ${reason}`);
  return readSettingsFile(text, file);
};

const readAt = (sources: Sources, path: readonly string[], written: string): string =>
  readFile(sources.path(path, written), (reason) => `${sources.whence(path)}: expected a readable file: ${reason}`);

const readFile = (file: string, message: (reason: string) => string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WeighbridgeError('CONFIG_INVALID', message(reason), {}, { cause: error });
  }
};

/** `tree` with `value` at `path`. What is not a map there is replaced, so that the schema sees the value. */
const withValue = (tree: unknown, path: readonly string[], value: unknown): unknown => {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  const map: Record<string, unknown> = isMap(tree) ? tree : {};
  return { ...map, [name]: withValue(Object.hasOwn(map, name) ? map[name] : undefined, rest, value) };
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const worded = (issue: z.core.$ZodIssue, whence: Sources['whence']): string => {
  const name = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return `${whence(issue.path)}: ${name}: ${issue.message}`;
  return issue.keys
    .map((key) => `${whence([...issue.path, key])}: ${[...issue.path, key].join('.')}: no setting has this name`)
    .join('\n');
};

const invalid = (problems: readonly string[]): WeighbridgeError =>
  new WeighbridgeError('CONFIG_INVALID', problems.join('\n'), { problems: problems.length });

const origins = (settings: Settings, sources: Sources, env: Environment): Record<string, ConfiguredOrigin> => {
  const { allowPrivate: _, ...named } = settings.upstreams;
  const names = new Set([...Object.keys(DEFAULT_UPSTREAMS), ...Object.keys(named)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const { token, ca, proxy, url = DEFAULT_UPSTREAMS[name] } = named[name] ?? {};
      if (url === undefined) {
        throw invalid([
          `${sources.whence(['upstreams', name])}: upstreams.${name}: expected url, an http:// or https:// URL`,
        ]);
      }
      const through = proxy ?? proxyFor(url, env);
      const origin: ConfiguredOrigin = {
        url: url.replace(/\/+$/, ''),
        ...(token !== undefined && { token }),
        ...(ca !== undefined && { ca: readAt(sources, ['upstreams', name, 'ca'], ca) }),
        ...(through !== undefined && { proxy: through }),
      };
      return [name, origin];
    }),
  );
};

const directoryOf = (
  { auth: { oidc } }: Settings,
  sources: Sources,
  env: Environment,
): DirectorySettings | undefined => {
  if (oidc === undefined) return undefined;
  const { ca, clientSecret, proxy, ...rest } = oidc;
  const through = proxy ?? proxyFor(oidc.issuer, env);
  return {
    ...rest,
    ...(clientSecret !== undefined && { clientSecret }),
    ...(ca !== undefined && { ca: readAt(sources, ['auth', 'oidc', 'ca'], ca) }),
    ...(through !== undefined && { proxy: through }),
  };
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a server that listens on `host`. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'));

/** Off the loopback interface anybody may connect: that takes tokens, or the admin's word that it is meant. */
const refuseOpenDoor = ({ host, auth }: Settings, whence: Sources['whence']): void => {
  const closed = auth.required || auth.tokens.length > 0;
  if (closed && auth.none)
    throw invalid([`${whence(['auth', 'none'])}: auth.none: expected false where tokens are asked for`]);
  if (isLoopback(host) || closed || auth.none) return;
  throw invalid([
    `${whence(['host'])}: host: ${host} can be reached from other machines: expected auth.required: true ` +
      '(`weighbridge token create` makes tokens), auth.tokens, or auth.none: true for an open gateway',
  ]);
};

/** Half a year and a day, in ms: what those who oversee high-risk systems have to keep at least (EU AI Act, article 26). */
const LEAST_KEPT = 183 * 86_400_000;

/** What is kept for less than that is so on purpose, or not at all. */
const refuseShortLog = ({ log }: Settings, whence: Sources['whence']): void => {
  for (const name of ['keep', 'keepDecisions'] as const) {
    if (log[name] >= LEAST_KEPT || log.keepLess) continue;
    throw invalid([
      `${whence(['log', name])}: log.${name}: expected 183d or more; log.keepLess: true says that less is meant`,
    ]);
  }
};

/** Who signs people in, and where they come back to, is known for sure over TLS only, or within this machine. */
const refuseOpenSignIn = ({ auth: { oidc }, host, publicUrl }: Settings, whence: Sources['whence']): void => {
  if (oidc === undefined) return;
  const safe = (url: string): boolean => {
    const { protocol, hostname } = new URL(url);
    return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
  };
  const at = (...path: readonly string[]): string => `${whence(path)}: ${path.join('.')}`;
  if (!URL.canParse(oidc.issuer) || !safe(oidc.issuer))
    throw invalid([
      `${at('auth', 'oidc', 'issuer')}: expected an https:// URL: who vouches for people is asked over TLS`,
    ]);
  if (publicUrl === undefined ? !isLoopback(host) : !safe(publicUrl))
    throw invalid([`${at('publicUrl')}: expected an https:// URL, to which people come back who sign in by auth.oidc`]);
  if (Object.values(oidc.groups.roles).every((groups) => groups.length === 0))
    throw invalid([
      `${at('auth', 'oidc', 'groups', 'roles')}: expected at least one group with a role: nobody can sign in`,
    ]);
};

const deepFreeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
};
