// tap's reporter for this project: the TAP as it is, then one line that counts assertions: `N passed, N failed`.
import { Transform } from 'node:stream';

/** Enough for tap's last comments. */
const TAIL = 4096;

export default class Summary extends Transform {
  #tail = '';

  _transform(chunk, _encoding, done) {
    this.#tail = (this.#tail + chunk).slice(-TAIL);
    done(null, chunk);
  }

  _flush(done) {
    const [, counts = ''] = [...this.#tail.matchAll(/^# \{ (.*) \}$/gm)].at(-1) ?? [];
    const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(counts)?.[1] ?? 0);
    const skipped = count('skip') + count('todo');
    // No count at all means that nothing ran, which is no success.
    const failed = counts === '' ? 1 : count('fail');
    done(null, `${count('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  }
}
