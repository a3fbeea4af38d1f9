import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeighbridgeError } from '../errors.ts';
import { layout } from './layout.ts';
import { writeWhole } from './whole-file.ts';

/** The key in `keys/` of the data folder that what must stay secret on the disk is encrypted with. */
const FILE = 'vault.key';
const FORM = /^[0-9a-f]{64}$/;

/** That key, 32 bytes; made when there is none yet, readable by its owner only. Throws STORE_CORRUPT for what is no key. */
export const loadSecretKey = (data: string): Uint8Array => {
  const { keys } = layout(data);
  const path = join(keys, FILE);
  if (!existsSync(path)) {
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    writeWhole(path, `${randomBytes(32).toString('hex')}\n`, 0o600);
  }
  const text = readFileSync(path, 'utf8').trim();
  if (!FORM.test(text)) throw new WeighbridgeError('STORE_CORRUPT', `${path} is no key of 64 hex digits`);
  return Buffer.from(text, 'hex');
};
