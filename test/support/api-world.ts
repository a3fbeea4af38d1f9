import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ROLES, type Role } from '../../src/identity/roles.ts';
import { torchZip } from './checkpoints.ts';
import { float32, safetensors } from './safetensors-writer.ts';
import { jsonOf, startWorld, type World } from './world.ts';

/** A caller by role; `other` is a second admin. */
export type Person = Role | 'other';

export const tokenOf = (role: Person): string => `the-token-of-the-role-${role}`;

const weights = (...values: readonly number[]): Uint8Array =>
  safetensors(
    { a: { dtype: 'F32', shape: [values.length], data: float32(...values) } },
    { metadata: { format: 'pt' } },
  );
const pickle = torchZip({ a: { storage: 'FloatStorage', shape: [500], data: new Uint8Array(2000).fill(3) } });
const shipped = join(import.meta.dirname, '..', '..', 'policies', 'default.yaml');
/** Bytes that no loader of ours knows, one file for each number. */
const odd = (seed: number): Buffer =>
  Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919 + seed) >> 3));
/** Files that are held. */
const HELD = 24;

/** What the API can be asked about, by digest. */
export type Known = {
  readonly reports: readonly [string, string];
  readonly facts: string;
  readonly policies: string;
  readonly statement: string;
};

export type ApiWorld = {
  readonly world: World;
  readonly known: Known;
  ask(role: Person, method: string, path: string, body?: unknown): Promise<Response>;
  /** Id of a request of the pipeline for the held file of this number, and its refusal. */
  refused(file: number): Promise<string>;
};

type ApiOptions = { readonly secure?: boolean; readonly settings?: Readonly<Record<string, string>> };

/** A gateway that knows every role by a token, with something to show under each kind of digest. */
export const startApiWorld = async (t: Test, { secure = false, settings = {} }: ApiOptions = {}): Promise<ApiWorld> => {
  const people = [...ROLES.map((role) => [role, role] as const), ['other', 'admin'] as const];
  const rows = people.map(
    ([name, role]) => `    - { name: ${name}, role: ${role}, team: speech, token: ${tokenOf(name)} }`,
  );
  const root = t.testdir({ 'w.yaml': `auth:\n  tokens:\n${rows.join('\n')}\n`, policies: {} });
  // Whoever asked may approve here.
  const policy = (await readFile(shipped, 'utf8')).replace(/^defaultAction: .*$/m, '$&\nreleases: { differ: [] }');
  await writeFile(join(root, 'policies', 'default.yaml'), policy);
  const held = Object.fromEntries(Array.from({ length: HELD }, (_, file) => [`odd-${file}.bin`, odd(file)]));
  const repos = [
    { name: 'acme/odd', files: held },
    { name: 'acme/pickled', files: { 'config.json': '{"model_type":"bert"}', 'pytorch_model.bin': pickle } },
  ];
  const world = await startWorld(t, repos, {
    secure,
    settings: { CONFIG: join(root, 'w.yaml'), POLICIES: join(root, 'policies'), ...settings },
  });
  const pipeline = { headers: { authorization: `Bearer ${tokenOf('pipeline')}` } };
  const ask: ApiWorld['ask'] = (role, method, path, body) => {
    const headers: Record<string, string> = { authorization: `Bearer ${tokenOf(role)}` };
    if (body instanceof FormData) return fetch(world.url + path, { method, headers, body });
    if (body === undefined) return fetch(world.url + path, { method, headers });
    headers['content-type'] = 'application/json';
    return fetch(world.url + path, { method, headers, body: JSON.stringify(body) });
  };
  const { files } = await jsonOf(
    await ask('admin', 'POST', '/api/v1/scan?keep=true', upload(weights(1, 2), weights(3, 4))),
  );
  const converted = await world.fetch('acme/pickled/resolve/main/model.safetensors', pipeline);
  await converted.arrayBuffer();
  const made = (await world.entries()).find(({ kind }) => kind === 'conversion');
  return {
    world,
    known: {
      reports: [files[0].sha256, files[1].sha256],
      facts: files[0].evidence.facts,
      policies: files[0].evidence.policySet,
      statement: made?.['artefact'].sha256,
    },
    ask,
    async refused(file) {
      const answer = await world.fetch(`acme/odd/resolve/main/odd-${file}.bin`, pipeline);
      await answer.body?.cancel();
      return answer.headers.get('x-request-id') ?? '';
    },
  };
};

export const upload = (...files: readonly Uint8Array[]): FormData => {
  const form = new FormData();
  for (const [index, file] of files.entries())
    form.append('file', new Blob([Buffer.from(file)]), `model-${index}.safetensors`);
  return form;
};

export const smallWeights = (): Uint8Array => weights(5);
