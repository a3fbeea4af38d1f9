import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { DEFAULT_LIMITS, GIB, KIB, MIB } from '../bytes/limits.ts';
import { type PersonRole, ROLES } from '../identity/roles.ts';

/** What one setting is, as the table in docs/configuration.md says it. */
type About = {
  readonly kind: 'text' | 'number' | 'switch' | 'path' | 'size' | 'time' | 'list';
  readonly secret?: true;
  /** It may be written in place of the map that it stands in. */
  readonly short?: true;
};

/** The kind of every setting that a person may write, for its environment variable and the documentation. */
export const about = z.registry<About>();

const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: KIB, MiB: MIB, GiB: GIB, TiB: 1024 * GIB };
const TIMES: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const DAY = 86_400_000;

/** Containers in containers that may be asked for: each takes some of the parsers' stack. */
const DEEPEST = 32;
/** Findings of one file that may be asked for: a report of more would be too long for the wall between the processes. */
const MOST_FINDINGS = 10_000;

const measured = (units: Readonly<Record<string, number>>, message: string) =>
  z.union([z.string(), z.number()]).transform((written, context) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(String(written)) ?? [];
    const factor = unit === undefined || !Object.hasOwn(units, unit) ? undefined : units[unit];
    const value = factor === undefined ? Number.NaN : Math.round(Number(digits) * factor);
    if (Number.isSafeInteger(value) && value > 0) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const text = z.string().min(1).register(about, { kind: 'text' });
const path = z.string().min(1).register(about, { kind: 'path' });
const size = measured(UNITS, 'expected a size such as 512 MiB or 200 GiB').register(about, { kind: 'size' });
const time = measured(TIMES, 'expected a time such as 500ms, 60s or 5m').register(about, { kind: 'time' });
const within = (least: number, most: number, error: string) =>
  measured(TIMES, error)
    .refine((time) => time >= least && time <= most, { error })
    .register(about, { kind: 'time' });
const count = (most: number) => z.int().min(1).max(most).register(about, { kind: 'number' });
const flag = z.boolean().default(false).register(about, { kind: 'switch' });
const url = () =>
  z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' }).register(about, { kind: 'text' });
const mount = z
  .string()
  .regex(/^(\/[A-Za-z0-9._-]+)+$/, 'expected a path such as /hf, without a trailing slash')
  .register(about, { kind: 'text' });

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex');
const token = z
  .union(
    [
      z.string().min(16),
      z.strictObject({
        name: z.string().min(1),
        team: z.string().default(''),
        environment: z.string().default(''),
        role: z.enum(ROLES).default('pipeline'),
        token: z.string().min(16).optional(),
        sha256: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .optional(),
      }),
    ],
    { error: 'expected a token of 16 characters or more, or {name, team, environment, role, token or sha256}' },
  )
  .transform((written, context) => {
    if (typeof written === 'string') {
      const digest = sha256(written);
      return {
        name: `token-${digest.slice(0, 8)}`,
        team: '',
        environment: '',
        role: 'pipeline' as const,
        sha256: digest,
      };
    }
    const { name, team, environment, role } = written;
    const digest = written.token === undefined ? written.sha256 : sha256(written.token);
    if (digest !== undefined) return { name, team, environment, role, sha256: digest };
    context.addIssue({ code: 'custom', message: 'expected token or sha256 beside name' });
    return z.NEVER;
  });

/** Bytes of a webhook's secret, in base64 (Standard Webhooks: 24 to 64). */
const SECRET = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;
const stream = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name'),
    url: z
      .string()
      .regex(
        /^(?:https?:\/\/\S+|syslog\+(?:tcp|tls):\/\/[^\s/:]+:\d{1,5})$/,
        'expected https://…, syslog+tls://host:port or syslog+tcp://host:port',
      ),
    secret: z.string().regex(SECRET, 'expected whsec_ and 24 to 64 bytes in base64').optional(),
    kinds: z.array(z.string().min(1).max(100)).min(1).default(['*']),
  })
  .refine(({ secret, url }) => url.startsWith('syslog') || secret !== undefined, 'expected a secret for a webhook');

/** A witness's key: name, key id, and type and key in base64. */
const WITNESS = /^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}$/;
const post = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name'),
  url: z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' }),
  token: z.string().min(1).optional(),
  witness: z.string().regex(WITNESS, "expected a witness's key: name+keyid+base64").optional(),
  every: time.default(60_000),
});

const upstream = z.strictObject({
  url: url().optional(),
  token: z.string().min(1).optional().register(about, { kind: 'text', secret: true }),
  ca: path.optional(),
  proxy: url().optional(),
});

const texts = z.array(z.string().min(1).max(1000)).max(1000).register(about, { kind: 'list' });
/** Groups at the provider, by the role that they have here. */
const roles = z.strictObject({
  viewer: texts.default([]),
  auditor: texts.default([]),
  approver: texts.default([]),
  admin: texts.default([]),
} satisfies Record<PersonRole, z.ZodType>);
const oidc = z.strictObject({
  issuer: z
    .string()
    .regex(/^https?:\/\/[^\s?#@]+$/, 'expected the https:// URL of the provider, as it calls itself')
    .register(about, { kind: 'text' }),
  clientId: text,
  clientSecret: z.string().min(1).optional().register(about, { kind: 'text', secret: true }),
  scopes: texts.default(['openid', 'profile']),
  acr: texts.default([]),
  amr: texts.default([]),
  groups: z.strictObject({ claim: z.string().min(1).default('groups').register(about, { kind: 'text' }), roles }),
  ca: path.optional(),
  proxy: url().optional(),
  allowPrivate: flag,
});

/** Everything that can be set. Environment variables, documentation and messages are derived from it. */
export const schema = z.strictObject({
  host: text.default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(8080).register(about, { kind: 'number' }),
  publicUrl: url().optional(),
  tls: z.strictObject({ cert: path, key: path }).optional(),
  data: path.default('./data'),
  policies: z
    .strictObject({
      path: z.string().min(1).optional().register(about, { kind: 'path', short: true }),
      signers: z.record(z.string(), path).default({}),
      signatures: z.int().min(1).max(10).default(1).register(about, { kind: 'number' }),
      shadow: path.optional(),
    })
    .prefault({}),
  mode: z.enum(['enforce', 'observe']).default('enforce').register(about, { kind: 'text' }),
  knownBad: z.strictObject({ list: path, key: path }).optional(),
  mounts: z.record(z.string(), mount).default({}),
  upstreams: z.object({ allowPrivate: flag }).catchall(upstream).prefault({}),
  store: z.strictObject({ limit: size.default(200 * GIB) }).prefault({}),
  uploads: z.strictObject({ limit: size.default(10 * GIB) }).prefault({}),
  sandbox: z
    .strictObject({
      workers: z.int().min(1).max(256).default(Math.min(4, availableParallelism())).register(about, { kind: 'number' }),
      memory: size.default(512 * MIB),
      timeout: time.default(120_000),
      require: z.enum(['namespaces', 'permission', 'isolate']).default('permission').register(about, { kind: 'text' }),
      limits: z
        .strictObject({
          bytesRead: size.default(DEFAULT_LIMITS.bytesRead),
          bytesInflated: size.default(DEFAULT_LIMITS.bytesInflated),
          depth: count(DEEPEST).default(DEFAULT_LIMITS.depth),
          findings: count(MOST_FINDINGS).default(DEFAULT_LIMITS.findings),
          steps: count(Number.MAX_SAFE_INTEGER).default(DEFAULT_LIMITS.steps),
        })
        .prefault({}),
      personalData: flag,
    })
    .prefault({}),
  log: z
    .strictObject({
      origin: text.default('weighbridge.local/log'),
      keep: time.default(400 * DAY),
      keepDecisions: time.default(3650 * DAY),
      keepLess: flag,
      streams: z.array(stream).default([]).register(about, { kind: 'list', secret: true }),
      post: z.array(post).default([]).register(about, { kind: 'list', secret: true }),
      level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').register(about, { kind: 'text' }),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      otlp: url().optional(),
      token: z.string().min(1).optional().register(about, { kind: 'text', secret: true }),
      sample: z.number().min(0).max(1).default(1).register(about, { kind: 'number' }),
      propagate: flag,
      interval: within(1000, DAY, 'expected a time from 1s to 24h').default(60_000),
    })
    .prefault({}),
  auth: z
    .strictObject({
      tokens: z.array(token).default([]).register(about, { kind: 'list', secret: true }),
      vaultKey: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits')
        .optional()
        .register(about, { kind: 'text', secret: true }),
      required: flag,
      none: flag,
      passwords: z.enum(['here', 'anywhere']).default('here').register(about, { kind: 'text' }),
      oidc: oidc.optional(),
    })
    .prefault({}),
  trustProxy: z
    .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], { error: 'expected an address or a CIDR range' }))
    .default([])
    .register(about, { kind: 'list' }),
  drain: time.default(300_000),
});

export type Settings = z.output<typeof schema>;
