/**
 * Runs inside an isolate, as text, before the parsers are evaluated and once more in every fresh context: V8 puts
 * `WebAssembly` back into a context that is made from a snapshot without it. Takes away every way to make code from
 * text, shared memory, and the console. It must not use anything from outside its own braces.
 */
export const harden = (forSnapshot: boolean): void => {
  const functions = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const sample of functions) {
    // The constructors of the four kinds are reachable through any function, not only as globals.
    const prototype: object = Object.getPrototypeOf(sample);
    Object.defineProperty(prototype, 'constructor', { value: undefined, writable: true, configurable: true });
  }
  const removed = ['WebAssembly', 'eval', 'Function', 'SharedArrayBuffer', 'ShadowRealm', 'console'];
  for (const name of removed) Reflect.deleteProperty(globalThis, name);
  // V8 adds to `Atomics` when it makes a context from the snapshot, and crashes when there is nothing to add to.
  if (forSnapshot) Reflect.set(globalThis, 'Atomics', {});
  else Reflect.deleteProperty(globalThis, 'Atomics');
};
