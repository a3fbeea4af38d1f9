import { createMemo } from '../../gateway/memo.ts';

/** What a User-Agent says about the client. Advice only: anyone can send any. */
export type Client = {
  readonly name: string;
  readonly version: string;
  /** Compares what it got with the length it was told; may be served before the verdict. */
  readonly checksLength: boolean;
  /** Where `snapshot_download` takes its list of files from: it waits for that without a time-out. */
  readonly listsFilesBy: 'tree' | 'info' | undefined;
  /** Follows no paging of listings. */
  readonly readsOnePage: boolean;
  /** Says nothing of why a weights file was refused with GatedRepo. */
  readonly dropsGatedText: boolean;
  /** Prints words of its own for every error code, and the text only where there is none: the command `hf`. */
  readonly dropsCodedText: boolean;
  /** Asks again for half a minute after any 5xx and then blames the connection. */
  readonly dropsServerErrors: boolean;
};

/** Product tokens, the most telling first, with the name under which they are known to policies and the log. */
const PRODUCTS = [
  ['transformers', 'transformers', true],
  ['datasets', 'datasets', true],
  ['hf_hub', 'huggingface_hub', true],
  ['hf-hub', 'hf-hub', true],
  ['llama-cpp', 'llama-cpp', true],
  ['transformers.js', 'transformers.js', false],
  ['curl', 'curl', false],
  ['Wget', 'wget', false],
  ['git', 'git', false],
  ['git-lfs', 'git-lfs', false],
  ['ollama', 'ollama', false],
] as const;

/** Longest User-Agent that is looked at, in characters. */
const MAX_LENGTH = 1000;

const known = createMemo<Client>(1000);

/** Reads a User-Agent such as `unknown/None; hf_hub/2.4.0; python/3.11.7; transformers/5.23.0`. */
export const readUserAgent = (userAgent = ''): Client => {
  const text = userAgent.slice(0, MAX_LENGTH);
  const client = known.get(text) ?? read(text);
  known.set(text, client);
  return client;
};

const read = (userAgent: string): Client => {
  const versions = new Map<string, string>();
  for (const [, name = '', version = ''] of userAgent.matchAll(TOKEN)) {
    if (!versions.has(name)) versions.set(name, version);
  }
  const product = PRODUCTS.find(([token]) => versions.has(token));
  const [token = '', name = userAgent === 'node' ? 'node' : 'unknown', checks = false] = product ?? [];
  const python = versions.has('hf_hub');
  return {
    name,
    version: versions.get(token) ?? '',
    checksLength: checks && (python || name === 'llama-cpp' || name === 'hf-hub'),
    listsFilesBy: python ? (versions.get('hf_hub')?.startsWith('0.') ? 'info' : 'tree') : undefined,
    readsOnePage: name === 'llama-cpp',
    dropsGatedText: name === 'transformers',
    dropsCodedText: versions.has('huggingface-cli') && python && !versions.get('hf_hub')?.startsWith('0.'),
    dropsServerErrors: python,
  };
};

const TOKEN = /([A-Za-z][\w.-]{0,40})\/([\w.+-]{1,40})/g;
