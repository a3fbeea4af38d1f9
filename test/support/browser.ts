import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** An answer, with its body as text. */
export type Page = {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

/** A client that keeps cookies as a browser does, by host and whatever the port; nothing is followed by itself. */
export type Browser = {
  readonly cookies: Map<string, Map<string, string>>;
  get(url: string, headers?: Record<string, string>): Promise<Page>;
  send(method: string, url: string, headers?: Record<string, string>, body?: string): Promise<Page>;
  /** Follows redirects, filling in what the provider asks `name` for, until `stop` says of a URL that it is not to be asked. */
  walk(start: string, name: string, stop: (url: string) => boolean): Promise<string>;
};

const MAX_STEPS = 20;

/** `ca`: PEM of the authority that it trusts over TLS. */
export const openBrowser = (ca?: string): Browser => {
  const cookies: Browser['cookies'] = new Map();
  const send: Browser['send'] = (method, url, headers = {}, body = '') =>
    new Promise((resolve, reject) => {
      const { hostname, protocol } = new URL(url);
      const own = cookies.get(hostname) ?? new Map<string, string>();
      cookies.set(hostname, own);
      const cookie = [...own].map(([name, value]) => `${name}=${value}`).join('; ');
      const open = protocol === 'https:' ? httpsRequest : httpRequest;
      const options = {
        method,
        timeout: 20_000,
        // One address family: names of loopback have two.
        family: 4,
        ...(ca !== undefined && { ca }),
        headers: { ...(cookie !== '' && { cookie }), ...headers },
      };
      const sending = open(url, options, (answer) => {
        for (const line of answer.headers['set-cookie'] ?? []) {
          const [pair = ''] = line.split(';');
          const at = pair.indexOf('=');
          const gone = /max-age=0\b|expires=Thu, 01 Jan 1970/i.test(line);
          if (gone) own.delete(pair.slice(0, at));
          else own.set(pair.slice(0, at), pair.slice(at + 1));
        }
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve({ url, status: answer.statusCode ?? 0, headers: answer.headers, text }));
      });
      sending.on('timeout', () => sending.destroy(new Error(`${url} does not answer`)));
      sending.on('error', reject).end(body);
    });
  const get: Browser['get'] = (url, headers) => send('GET', url, headers);
  return {
    cookies,
    get,
    send,
    async walk(start, name, stop) {
      let [page, at] = [await get(start), start];
      for (let step = 0; step < MAX_STEPS; step += 1) {
        const { location } = page.headers;
        if (typeof location === 'string') {
          at = new URL(location, at).href;
          if (stop(at)) return at;
          page = await get(at);
          continue;
        }
        const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1];
        const prompt = /name="prompt" value="(\w+)"/.exec(page.text)?.[1];
        if (action === undefined || prompt === undefined) throw new Error(`${at}: ${page.status} ${page.text}`);
        const form = new URLSearchParams({ prompt, ...(prompt === 'login' && { login: name, password: 'any' }) });
        at = new URL(action, at).href;
        page = await send('POST', at, { 'content-type': 'application/x-www-form-urlencoded' }, String(form));
      }
      throw new Error(`${start} does not end`);
    },
  };
};
