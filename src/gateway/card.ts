import type { RowRun } from '../formats/dataset-rows.ts';

/** Bytes of a card that is looked at; the Hub takes none that is larger than a few of these. */
export const CARD_BYTES = 4 * 2 ** 20;

const KEY = /^(?<indent> *)(?<item>- +)?(?<key>[\w-]+):(?<rest>.*)$/;
const NOTHING_BEHIND = /^\s*(?:#.*)?$/;

/** The lines of a text and where they begin. */
function* linesOf(text: string): Generator<{ line: string; start: number }> {
  for (let start = 0; start < text.length; ) {
    const at = text.indexOf('\n', start);
    const end = at < 0 ? text.length : at + 1;
    yield { line: text.slice(start, end).trimEnd(), start };
    start = end;
  }
}

/**
 * The lines of a dataset's card that say how many rows and bytes its splits have: `splits` of `dataset_info`, of one
 * configuration or of a list of them, as the Hub's own tools write it (YAML in blocks, between `---`). Other ways to write
 * it are left as they are. Nothing is parsed but indentation, so each line is read once.
 */
export const declaredSplits = (card: Uint8Array): RowRun[] => {
  const runs: RowRun[] = [];
  let number = 0;
  let opened = false;
  /** Columns of the keys of `dataset_info`, once its first line was seen; of the `splits` that is being cut. */
  let inside = false;
  let level: number | undefined;
  let cut: { first: number; start: number } | undefined;
  const close = (last: number, end: number): void => {
    if (cut !== undefined) runs.push({ ...cut, last, end, rule: 'dataset_info.splits' });
    cut = undefined;
  };
  // One character a byte, so that places in the text are places in the file.
  for (const { line, start } of linesOf(Buffer.from(card).toString('latin1'))) {
    number += 1;
    if (!opened) {
      if (line === '') continue;
      if (line !== '---') return [];
      opened = true;
      continue;
    }
    const indent = line.length - line.trimStart().length;
    const belongs = line === '' || indent > (level ?? 0) || (indent === level && /^ *-(?: |$)/.test(line));
    if (cut !== undefined && belongs) continue;
    close(number - 1, start);
    if (line === '---') return runs;
    const { key, item, rest = '' } = KEY.exec(line)?.groups ?? {};
    if (indent === 0 && item === undefined && key !== undefined) {
      inside = key === 'dataset_info' && NOTHING_BEHIND.test(rest);
      level = undefined;
    } else if (inside && key !== undefined) {
      level ??= indent + (item?.length ?? 0);
      if (key === 'splits' && item === undefined && indent === level && NOTHING_BEHIND.test(rest))
        cut = { first: number, start };
    }
  }
  // A block that is never closed is none.
  return [];
};
