import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a small file whole or not at all, and durably, whenever the process or the machine ends. Another process that
 * writes the same at the same time is what the caller rules out.
 */
export const writeWhole = (path: string, text: string, mode: number): void => {
  const file = openSync(`${path}.new`, 'w', mode);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
};
