import type { Companion, Grid, Report } from '../formats/format.ts';

/** Folders above a file in which the description of its array is looked for. */
const MAX_ABOVE = 6;
/** A number as it is written in the name of a chunk. */
const NUMBER = /^(?:0|[1-9]\d{0,9})$/;

/**
 * Where the description of an array may lie whose chunk is at `path`: beside it, or above the folders that are numbers.
 * Relative to the folder of the chunk; says where to look and never what passes.
 */
export const gridIndexesFor = (path: string): readonly string[] => {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const found: string[] = [];
  if (/^(?:c$|c[./])?\d*(?:\.\d+)*$/.test(name) && name !== '') found.push('.zarray', 'zarr.json');
  for (let above = 1; above <= MAX_ABOVE && NUMBER.test(name); above++) {
    const folder = parts[parts.length - above] ?? '';
    const up = '../'.repeat(above);
    if (folder === 'c') found.push(`${up}zarr.json`);
    if (!NUMBER.test(folder)) break;
    found.push(`${up}.zarray`, `${up}zarr.json`);
  }
  return found;
};

/** How often `index` goes up. */
const levelsOf = (index: string): number => index.split('../').length - 1;

/** The place of an index that is named relative to a folder; the folder ends in a slash, or is empty. */
export const placeOf = (folder: string, index: string): string => {
  const above = levelsOf(index);
  const kept = folder.split('/').slice(0, -1);
  if (above > kept.length) return folder + index;
  return [...kept.slice(0, kept.length - above), index.slice(3 * above)].join('/');
};

/** What a chunk is called from where its index is. */
export const keyOf = (path: string, index: string): string =>
  path
    .split('/')
    .slice(-1 - levelsOf(index))
    .join('/');

/** True when the file is a chunk of the grid: it has a place there, and exactly as many bytes, however it is compressed. */
export const fillsGrid = ({ size }: Companion, grid: Grid, key: string, report: Report): boolean => {
  const { format, coverage, details } = report;
  const packing = format === 'unknown' ? '' : format;
  return (
    isPlace(grid, key) &&
    packing === grid.packing &&
    (packing === '' ? coverage.bytesTotal : details?.['size']) === size
  );
};

const isPlace = ({ prefix, separator, counts }: Grid, key: string): boolean => {
  const parts = key.split(separator);
  // Without axes there is one chunk, `0` of version 2 and `c` of version 3.
  if (counts.length === 0) return key === (prefix || '0');
  if (prefix !== '' && parts.shift() !== prefix) return false;
  return (
    parts.length === counts.length &&
    parts.every((part, axis) => NUMBER.test(part) && Number(part) < (counts[axis] ?? 0))
  );
};
