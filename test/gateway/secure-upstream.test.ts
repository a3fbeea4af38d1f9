import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createCertificate } from '../support/certificate.ts';
import { torchZip } from '../support/checkpoints.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { startWorld } from '../support/world.ts';

const MIB = 1024 * 1024;

/** Bytes that repeat after a prime number of them: none can be lost or moved unseen. */
const data = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, at) => (at * 31) % 251);

t.test(
  'from a Hub over TLS large files arrive whole, each in one transfer, and the token stays with the Hub',
  async (t) => {
    const { cert, key } = createCertificate();
    const ca = join(t.testdir({}), 'authority.pem');
    writeFileSync(ca, cert);
    const bytes = data(24 * MIB);
    const weights = safetensors({ weight: { dtype: 'U8', shape: [bytes.length], data: bytes } });
    const tensor = { storage: 'FloatStorage', shape: [(12 * MIB) / 4], data: bytes.subarray(0, 12 * MIB) } as const;
    const files = {
      'model.safetensors': weights,
      'rows.csv': Buffer.from('name,value\n'.concat('a long enough name,12345\n'.repeat(500_000))),
      'old/pytorch_model.bin': torchZip({ weight: tensor }),
    };
    const world = await startWorld(t, [{ name: 'acme/large', files, lfs: ['*.csv', '*.safetensors', '*.bin'] }], {
      hub: { tls: { cert, key }, users: { hf_ofTheGateway: { name: 'gateway' } } },
      settings: { UPSTREAMS_HUGGINGFACE_CA: ca, UPSTREAMS_HUGGINGFACE_TOKEN: 'hf_ofTheGateway' },
    });
    const get = async (path: string): Promise<Buffer> => {
      const answer = await world.fetch(`acme/large/resolve/main/${path}`);
      const body = Buffer.from(await answer.arrayBuffer());
      t.equal(answer.status, 200, `${path}: ${answer.headers.get('x-weighbridge-decision')}`);
      return body;
    };
    const [plain, rows, converted] = await Promise.all([
      get('model.safetensors'),
      get('rows.csv'),
      get('old/model.safetensors'),
    ]);
    t.ok(plain.equals(weights), 'sealed');
    t.ok(rows.equals(files['rows.csv']), 'held');
    t.ok(converted.subarray(-12 * MIB).equals(bytes.subarray(0, 12 * MIB)), 'transcoded');
    const large = world.hub.log.filter(({ where, bytes: sent }) => where === 'cdn' && sent > 8 * MIB);
    t.equal(large.length, 3, 'no byte was lost on the way, or a transfer would have been resumed or begun again');
    for (const { where, headers } of world.hub.log)
      t.equal(headers['authorization'], where === 'hub' ? 'Bearer hf_ofTheGateway' : undefined);
  },
);
