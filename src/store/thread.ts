import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';

// The sources run as .ts in a checkout and as .js once built; a URL in a string is not rewritten by the build.
const extension = extname(import.meta.filename);

/** Starts a thread of this room. It does not keep the process alive; SIGINT and the like stay with the main thread. */
export const startThread = (name: 'records-thread' | 'digest-thread', workerData?: unknown): Worker => {
  const thread = new Worker(new URL(`./${name}${extension}`, import.meta.url), { workerData, name, execArgv: [] });
  thread.unref();
  return thread;
};
