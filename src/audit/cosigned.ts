import { closeSync, fsyncSync, openSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Before the name of whom a checkpoint was posted to. */
const PREFIX = 'cosigned-';

/** Keeps the newest checkpoint that the witness of this name has signed, in the folder of the log. */
export const keepCosigned = (directory: string, name: string, note: string): void => {
  const path = join(directory, PREFIX + name);
  const file = openSync(`${path}.new`, 'w', 0o644);
  try {
    writeSync(file, note);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
};

/** Files with checkpoints that witnesses have signed, as the gateway that posted them kept them. */
export const listCosigned = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name.startsWith(PREFIX) && !name.endsWith('.new'))
    .sort()
    .map((name) => join(directory, name));
