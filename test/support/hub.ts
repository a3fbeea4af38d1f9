import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { createFaults, type Fault } from './hub-faults.ts';
import { type HubRepo, type StoredFile, type StoredRepo, storeRepo, type Tree } from './hub-repo.ts';
import { type HubOptions, type Seen, type State, serve } from './hub-serve.ts';

export type { Fault } from './hub-faults.ts';
export { gitSha1, type HubFile, type HubRepo } from './hub-repo.ts';
export type { HubOptions, Seen } from './hub-serve.ts';

export type Hub = {
  readonly url: string;
  readonly cdnUrl: string;
  readonly log: Seen[];
  /** Requests for a Xet token or to a Xet store. Must stay 0. */
  xetRequests(): number;
  /** From now on until `heal`. */
  fail(fault: Fault): void;
  heal(): void;
  /** Commit of a branch. */
  commit(repo: string, branch?: string): string;
  file(repo: string, path: string, branch?: string): StoredFile;
  /** Adds or replaces a repo. */
  put(repo: HubRepo): Promise<void>;
  close(): Promise<void>;
};

/** A stand-in for the Hugging Face Hub and the second host that it sends large files from, both on loopback. */
export const startHub = async (options: HubOptions): Promise<Hub> => {
  const repos = new Map<string, StoredRepo>();
  const put = async (repo: HubRepo) => {
    repos.set(`${repo.kind ?? 'models'}/${repo.name}`, await storeRepo(repo));
  };
  for (const repo of options.repos) await put(repo);
  const faults = createFaults();
  const log: Seen[] = [];
  const state: State = { options, repos, faults, log, hubUrl: '', cdnUrl: '' };
  const hub = await listen(options.tls, (request, response) => serve(state, 'hub', request, response));
  const cdn = await listen(options.tls, (request, response) => serve(state, 'cdn', request, response));
  const scheme = options.tls === undefined ? 'http' : 'https';
  state.hubUrl = `${scheme}://127.0.0.1:${port(hub)}`;
  state.cdnUrl = options.cdnUrl ?? `${scheme}://${options.cdnHost ?? 'localhost'}:${port(cdn)}`;
  const treeOf = (repo: string, branch = 'main'): Tree => {
    const tree = (repos.get(repo) ?? repos.get(`models/${repo}`))?.refs.get(branch);
    if (tree === undefined) throw new Error(`no branch ${branch} of ${repo}`);
    return tree;
  };
  return {
    url: state.hubUrl,
    cdnUrl: state.cdnUrl,
    log,
    xetRequests: () => log.filter(({ path }) => /xet-(read|write)-token|^\/cas\//.test(path)).length,
    fail: faults.add,
    heal: faults.clear,
    commit: (repo, branch) => treeOf(repo, branch).sha,
    file(repo, path, branch) {
      const file = treeOf(repo, branch).files.get(path);
      if (file === undefined) throw new Error(`no file ${path} in ${repo}`);
      return file;
    },
    put,
    async close() {
      for (const server of [hub, cdn]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
};

const port = (server: Server): number => (server.address() as AddressInfo).port;

const listen = async (
  tls: HubOptions['tls'],
  serveOne: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
) => {
  const answer: RequestListener = (request, response) => {
    serveOne(request, response).catch((error: unknown) => response.destroy(error as Error));
  };
  const server = tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};
