import type ivm from 'isolated-vm';
import { MIB } from '../../bytes/limits.ts';
import type { Init } from '../frames.ts';
import { harden } from './harden.ts';

/** Unused isolates kept ready: an isolate takes 2 to 8 ms to make. */
const READY = 2;

/** A fresh isolate that has seen no file. */
export type Fresh = {
  readonly isolate: ivm.Isolate;
  readonly inspectFile: ivm.Reference<(read: unknown, size: number, options: string) => string>;
  readonly rewriteFile: ivm.Reference<
    (read: unknown, size: number, options: string, copy: unknown, write: unknown) => string
  >;
};

/** Isolates from one snapshot. `take` gives an unused one, `refill` makes more, for the time when nobody waits. */
export type Isolates = { take(): Fresh; refill(): void };

const HARDEN = `(${harden.toString()})`;

/** Evaluates `script` once, behind the hardening, into a snapshot that lives only in this process. */
export const createIsolates = (vm: typeof ivm, script: string, init: Init): Isolates => {
  const scripts = [{ code: `${HARDEN}(true)` }, { code: script, filename: 'parsers.js' }];
  // What runs for the warm-up leaves compiled code in the snapshot, and nothing else.
  const snapshot = vm.Isolate.createSnapshot(scripts, 'globalThis.warmUp?.()');
  const memoryLimit = Math.max(8, Math.floor(init.memory / MIB));
  const create = (): Fresh => {
    const isolate = new vm.Isolate({ snapshot, memoryLimit });
    const context = isolate.createContextSync();
    context.evalSync(`${HARDEN}(false)`);
    const inspectFile = context.global.getSync('inspectFile', { reference: true });
    const rewriteFile = context.global.getSync('rewriteFile', { reference: true });
    return { isolate, inspectFile, rewriteFile };
  };
  const ready: Fresh[] = [];
  return {
    take: () => ready.shift() ?? create(),
    refill() {
      while (ready.length < READY) ready.push(create());
    },
  };
};
