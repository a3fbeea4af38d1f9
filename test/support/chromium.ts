import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { readyFolder } from './environments.ts';

/** ms for a page to be as expected, and between two looks at it. */
const PATIENCE = 30_000;
const LOOK = 100;

export type Tab = {
  /** Goes there as if it was typed. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page, as JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until the expression is true in whatever page the tab shows then. */
  until(expression: string): Promise<void>;
  /** What the tab shows. */
  readonly shown: () => Promise<{ readonly url: string; readonly text: string }>;
  /** Cookies for that URL, also those that pages cannot read. */
  cookies(url: string): Promise<readonly Record<string, unknown>[]>;
};

/** Chromium with nothing remembered. Each tab is of a profile of its own. */
export type Chromium = { tab(): Promise<Tab> };

/** Starts Chromium, which trusts the certificates of that authority or server (PEM) also. */
export const startChromium = async (t: Pick<Test, 'teardown'>, trusted?: string): Promise<Chromium> => {
  const folder = readyFolder('browser');
  const profile = mkdtempSync(join(tmpdir(), 'weighbridge-chromium-'));
  const flags =
    '--headless --no-sandbox --no-zygote --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
    '--disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-pipe';
  const pins = trusted === undefined ? [] : [`--ignore-certificate-errors-spki-list=${pinOf(trusted)}`];
  const child = spawn(join(folder, 'chromium'), [...flags.split(' '), ...pins, `--user-data-dir=${profile}`], {
    // Anything else of the developer's stays out.
    env: { HOME: profile, LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.teardown(async () => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.signalCode === null) {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await gone;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const call = talkTo(child);

  return {
    async tab() {
      const { browserContextId } = await call('Target.createBrowserContext');
      const { targetId } = await call('Target.createTarget', { url: 'about:blank', browserContextId });
      const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
      const session = String(sessionId);
      const evaluate: Tab['evaluate'] = async (expression) => {
        const settings = { expression, returnByValue: true, awaitPromise: true };
        const { result } = await call('Runtime.evaluate', settings, session);
        return (result as { value?: unknown } | undefined)?.value;
      };
      const shown: Tab['shown'] = async () => ({
        url: String(await evaluate('location.href')),
        text: String(await evaluate('document.documentElement.textContent')),
      });
      return {
        evaluate,
        shown,
        open: async (url) => void (await call('Page.navigate', { url }, session)),
        async until(expression) {
          for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(LOOK))
            // Between two pages there is none to ask.
            if ((await evaluate(`Boolean(${expression})`).catch(() => false)) === true) return;
          const { text, url } = await shown();
          throw new Error(`${expression} does not come true at ${url}: ${text.slice(0, 500)}`);
        },
        async cookies(url) {
          const { cookies } = await call('Network.getCookies', { urls: [url] }, session);
          return cookies as readonly Record<string, unknown>[];
        },
      };
    },
  };
};

type Answers = Readonly<Record<string, unknown>>;

/** Sends commands of the Chrome DevTools Protocol: JSON with a NUL behind it, over two pipes. */
const talkTo = (child: ChildProcess) => {
  const waiting = new Map<number, { resolve: (result: Answers) => void; reject: (error: Error) => void }>();
  const [commands, answers] = [child.stdio[3], child.stdio[4]];
  if (!(commands && 'write' in commands) || !(answers && 'read' in answers)) throw new Error('Chromium has no pipes');
  const end = (error: Error): void => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  child.once('error', end);
  child.once('exit', (code, signal) => end(new Error(`Chromium has ended: ${code ?? signal}`)));
  commands.on('error', end);
  let text = '';
  answers.setEncoding('utf8').on('data', (piece: string) => {
    const messages = (text + piece).split('\0');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const { error, id, result } = JSON.parse(message);
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) asked?.resolve(result);
      else asked?.reject(new Error(error.message));
    }
  });
  let last = 0;
  return async (method: string, params: object = {}, sessionId?: string): Promise<Answers> => {
    last += 1;
    const id = last;
    const late = setTimeout(() => {
      waiting.get(id)?.reject(new Error(`Chromium does not answer ${method}`));
      waiting.delete(id);
    }, PATIENCE);
    try {
      return await new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        if (child.exitCode !== null) return end(new Error('Chromium has ended'));
        commands.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
      });
    } finally {
      clearTimeout(late);
    }
  };
};

/** What Chromium calls a key by: the sha256 of its SubjectPublicKeyInfo. */
const pinOf = (pem: string): string =>
  createHash('sha256')
    .update(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
