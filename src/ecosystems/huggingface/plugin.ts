import type { FastifyInstance } from 'fastify';
import { WeighbridgeError } from '../../errors.ts';
import { createMemo } from '../../gateway/memo.ts';
import type { Ecosystem } from '../types.ts';
import { readCaller } from './caller.ts';
import { serveForwarded } from './forward.ts';
import { serveInfo } from './metadata.ts';
import type { Asked, Mount } from './mount.ts';
import { sendError } from './refusals.ts';
import { createRepos } from './repo-at.ts';
import { serveFile } from './resolve.ts';
import { MAX_RETOLD, type Retold, serveRetold } from './retold.ts';
import { servePathsInfo, serveTree } from './tree.ts';
import { type HubCall, readUrl } from './urls.ts';

const GIT_REFUSED =
  'Weighbridge does not serve git: a clone would bypass the inspection of files. Download with huggingface_hub (HF_ENDPOINT) or curl';
const READ_ONLY = 'Weighbridge is read-only: nothing can be uploaded or changed through it';

/** The Hugging Face Hub, as its clients speak to it: models, datasets and spaces. */
export const huggingface: Ecosystem = {
  name: 'huggingface',
  mount: '/hf',
  setting: (url) => `HF_ENDPOINT=${url}`,
  plugin: async (app, deps) => {
    const repos = createRepos(deps.upstream, deps.records);
    const mount: Mount = { ...deps, repos, retold: createMemo<Retold>(MAX_RETOLD), prefix: app.prefix };
    acceptAnyBody(app);
    // One route: the router would decode what must be decoded segment by segment.
    app.all('/*', async (request, reply) => {
      const call = readUrl((request.raw.url ?? '').slice(mount.prefix.length));
      const caller = readCaller(request, reply, routeOf(mount, call), deps.credentialOf);
      await answer({ mount, request, reply, caller }, call);
      return reply;
    });
  },
};

/** Bodies are read as bytes, whatever their type says: git and both forms of paths-info send theirs. */
const acceptAnyBody = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
};

const routeOf = ({ prefix }: Mount, call: HubCall): string => {
  if (call.what === 'file') return `${prefix}/:repo/${call.verb}`;
  return call.what === 'forward' ? `${prefix}/api/${call.operation}` : `${prefix}/${call.what}`;
};

const answer = async (asked: Asked, call: HubCall): Promise<void> => {
  const { request, reply } = asked;
  if (call.what === 'git') return refuseGit(asked, call.lfs);
  const wanted = call.what === 'paths-info' ? ['POST'] : ['GET', 'HEAD'];
  if (!wanted.includes(request.method))
    return void sendError(reply.header('allow', wanted.join(', ')), 405, undefined, READ_ONLY);
  switch (call.what) {
    case 'file':
      return serveFile(asked, call);
    case 'info':
      return serveInfo(asked, call);
    case 'tree':
      return serveTree(asked, call);
    case 'paths-info':
      return servePathsInfo(asked, call);
    case 'forward':
      return serveForwarded(asked, call);
    case 'retold':
      return serveRetold(asked, call.id);
    case 'telemetry':
      return void reply.code(204).send();
    case 'absent':
      return void sendError(reply, 404, undefined, 'Weighbridge does not serve this address of the Hub');
    case 'home':
      return void reply.send({ service: 'weighbridge', ecosystem: 'huggingface' });
    default:
      throw new WeighbridgeError('NOT_FOUND', 'unknown call');
  }
};

/** git prints a text/plain body, git-lfs the `message` of a JSON one. */
const refuseGit = ({ reply }: Asked, lfs: boolean): void => {
  reply.code(403).header('cache-control', 'no-store');
  if (lfs) reply.type('application/vnd.git-lfs+json').send(JSON.stringify({ message: GIT_REFUSED }));
  else reply.type('text/plain; charset=utf-8').send(`${GIT_REFUSED}\n`);
};
