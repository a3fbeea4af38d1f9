import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { sha256 } from '../../audit/digest.ts';
import { loadWitness } from '../../audit/keys.ts';
import { logFiles } from '../../audit/layout.ts';
import { consistencyProof } from '../../audit/proof.ts';
import { type Witnessed, witness } from '../../audit/witness.ts';
import { WeighbridgeError } from '../../errors.ts';
import { parseNote, parseVerifierKey } from '../../merkle/checkpoint.ts';
import { formatWitnessKey } from '../../merkle/cosignature.ts';
import { createUpstream } from '../../upstream/upstream.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { readToken } from '../desk/token.ts';
import { directoryOf, keyFrom, timeOf, wrong } from './options.ts';

/** ms between two looks at least. */
const LEAST_WAIT = 1000;

/** `weighbridge log witness`: 0 when what was seen is signed, 1 when the log contradicts what was seen before. */
export const witnessLog = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      key: { type: 'string' },
      state: { type: 'string' },
      name: { type: 'string' },
      gateway: { type: 'string' },
      'token-file': { type: 'string' },
      every: { type: 'string' },
    },
  });
  const { every, gateway, key, name, state } = values;
  if (key === undefined || state === undefined || name === undefined)
    throw wrong('witness needs --key, --state and --name');
  const logKey = parseVerifierKey(keyFrom(key), sha256);
  const signer = loadWitness(state, name);
  const wait = every === undefined ? undefined : Math.max(LEAST_WAIT, Date.now() - timeOf('every', every));
  const { close, ...source } =
    gateway === undefined ? fromFolder(directoryOf(positionals)) : await fromGateway(gateway, values['token-file'], io);
  io.stderr.write(`the witness's key: ${formatWitnessKey(signer.key)}\n`);
  try {
    for (;;) {
      const said = await witness(source, state, logKey, signer, Date.now());
      if (!said.ok) {
        io.stderr.write(`NOT SIGNED: ${said.text}\n`);
        return EXIT.refused;
      }
      io.stdout.write(said.note);
      if (wait === undefined) return EXIT.ok;
      await sleep(wait);
    }
  } finally {
    await close();
  }
};

type Source = Witnessed & { close(): Promise<void> };

const fromFolder = (directory: string): Source => ({
  checkpoint: async () => readFileSync(logFiles(directory).checkpoint, 'utf8'),
  consistency: async (older) => consistencyProof(directory, older),
  close: async () => undefined,
});

const fromGateway = async (url: string, tokenFile: string | undefined, io: CommandIo): Promise<Source> => {
  const token = await readToken(tokenFile, io.stdin);
  const upstream = createUpstream({ origin: { url, ...(token !== undefined && { token }) }, allowPrivate: true });
  const get = async (path: string): Promise<string> => {
    const { body, status } = await upstream.request({ method: 'GET', url: `/api/v1/log/${path}` });
    const text = Buffer.from(body).toString('utf8');
    if (status === 200) return text;
    throw new WeighbridgeError('REQUEST_INVALID', `the gateway at ${url} says: ${text.slice(0, 500)}`);
  };
  return {
    checkpoint: () => get('checkpoint'),
    consistency: (older) => get(`consistency?from=${parseNote(older).checkpoint.size}`),
    close: upstream.close,
  };
};
