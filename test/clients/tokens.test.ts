import { createHash } from 'node:crypto';
import t from 'tap';
import { token as command } from '../../src/cli/token.ts';
import { runChecks } from '../support/checks.ts';
import { runCommand } from '../support/command-io.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import type { HubRepo } from '../support/hub.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { SCHEMES } from '../support/secure.ts';
import { startWorld } from '../support/world.ts';

const WEIGHTS = safetensors({ a: { dtype: 'F32', shape: [2], data: float32(1, 2) } }, { metadata: { format: 'pt' } });
const REPO: HubRepo = { name: 'acme/tiny', files: { 'config.json': '{}', 'model.safetensors': WEIGHTS } };
const CLIENTS: readonly PythonEnvironment[] = ['torch', 'hub1', 'hub2'];
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

for (const { scheme, secure } of SCHEMES) {
  t.test(`over ${scheme} huggingface_hub carries a token, and says why one does not do`, async (t) => {
    const world = await startWorld(t, [REPO], { secure, settings: { AUTH_REQUIRED: 'true' } });
    const make = async (...terms: string[]): Promise<string> => {
      const { stdout } = await runCommand(command.run, ['create', ...terms, '--data', world.data]);
      return stdout.trim();
    };
    const list = async (): Promise<string[]> => {
      const { stdout } = await runCommand(command.run, ['list', '--json', '--data', world.data]);
      return stdout.trim().split('\n');
    };
    const tokens: Record<string, string> = {};
    await world.restart(async () => {
      tokens['good'] = await make('--team', 'speech', '--environment', 'training', '--mounts', 'hf');
      tokens['elsewhere'] = await make('--team', 'speech', '--mounts', 'api');
      tokens['ended'] = await make('--team', 'old');
      const ended = (await list()).map((line) => JSON.parse(line)).find(({ team }) => team === 'old');
      await runCommand(command.run, ['revoke', ended.id, '--data', world.data]);
    });
    const plan = { repo: 'acme/tiny', file: 'model.safetensors', tokens: { ...tokens, none: false } };
    for (const client of CLIENTS) {
      const done = await runChecks(client, 'tokens', world, plan, { timeout: 120_000 });
      t.equal(done['download good']?.value, sha256(WEIGHTS), client);
      t.equal(
        Object.values(done['snapshot good']?.value ?? {}).filter((one) => one === sha256(WEIGHTS)).length,
        1,
        client,
      );
      t.equal(done['info good']?.value, 'acme/tiny', client);
      t.same(done['login good']?.value, [true, 'speech'], `${client} signs in`);
      t.ok(done['login ended']?.error, `${client} does not sign in with a token that has ended`);
      for (const call of ['snapshot', 'download', 'info']) {
        t.match(done[`${call} ended`]?.text, /token of this gateway was revoked/, `${client} ${call}`);
        t.match(done[`${call} none`]?.text, /this gateway needs a token/, `${client} ${call}`);
        t.match(done[`${call} elsewhere`]?.text, /the token is not for huggingface/, `${client} ${call}`);
      }
    }
    const decisions = (await world.entries()).filter(({ kind }) => kind === 'artefact.decision');
    t.ok(decisions.length > 0);
    for (const entry of decisions) t.match(entry, { team: 'speech', environment: 'training', teamFrom: 'token' });
    t.notMatch(JSON.stringify(world.hub.log), /hf_wb/);
  });
}
