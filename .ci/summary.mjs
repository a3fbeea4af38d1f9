// tap's reporter for this project: the TAP as it is, then what failed once more (a log may be kept by its end only),
// then one line that counts assertions: `N passed, N failed`.
import { Transform } from 'node:stream';

/** Enough for tap's last comments. */
const TAIL = 4096;
/** Failures that are said again, each with its first lines, up to so many characters in all. */
const FAILURES = 12_000;
const LINES = 25;

export default class Summary extends Transform {
  #tail = '';
  #line = '';
  #failures = '';
  #following = 0;

  _transform(chunk, _encoding, done) {
    this.#tail = (this.#tail + chunk).slice(-TAIL);
    const lines = (this.#line + chunk).split('\n');
    this.#line = lines.pop().slice(-TAIL);
    for (const line of lines) this.#remember(line);
    done(null, chunk);
  }

  #remember(line) {
    if (/^ *not ok/.test(line)) this.#following = LINES;
    else if (/^ *(ok \d|# Subtest)/.test(line)) this.#following = 0;
    if (this.#following-- > 0 && this.#failures.length < FAILURES) this.#failures += `${line.slice(0, 500)}\n`;
  }

  _flush(done) {
    const [, counts = ''] = [...this.#tail.matchAll(/^# \{ (.*) \}$/gm)].at(-1) ?? [];
    const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(counts)?.[1] ?? 0);
    const skipped = count('skip') + count('todo');
    // No count at all means that nothing ran, which is no success.
    const failed = counts === '' ? 1 : count('fail');
    if (this.#failures !== '') this.push(`== what failed\n${this.#failures}`);
    done(null, `${count('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  }
}
