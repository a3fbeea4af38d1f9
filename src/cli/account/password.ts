import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { WeighbridgeError } from '../../errors.ts';
import type { CommandIo } from '../command.ts';

/**
 * Asks for a new password: twice and unseen at a terminal, else the first line of standard input. Never an argument, which
 * other users of the machine see and shells remember. Throws REQUEST_INVALID when the two differ.
 */
export const askPassword = async (io: CommandIo): Promise<string> => {
  if (!('isTTY' in io.stdin) || io.stdin.isTTY !== true) return ((await text(io.stdin)).split('\n')[0] ?? '').trimEnd();
  const first = await ask(io, 'Password: ');
  if (first === (await ask(io, 'Once more: '))) return first;
  throw new WeighbridgeError('REQUEST_INVALID', 'the two passwords differ');
};

const ask = (io: CommandIo, words: string): Promise<string> => {
  io.stderr.write(words);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    const refuse = (): void => reject(new WeighbridgeError('CANCELLED', 'no password was given'));
    lines.once('SIGINT', refuse).once('close', refuse);
    lines.question('', resolve);
  }).finally(() => {
    lines.close();
    io.stderr.write('\n');
  });
};
