import { MIB } from '../bytes/limits.ts';
import type { Companion, Json } from './format.ts';
import { printable } from './format.ts';

/** Tensors that one index may lay out in bare files; the largest published graphs have some ten thousand. */
const EXTENTS = 200_000;
/** Files that one index may lay out, and characters of a file's name: exporters write a file for each tensor. */
const COMPANIONS = 4000;
const NAME = 255;
/** Runs of padding of one index: one before each large tensor. */
const FIXED = 40_000;
/** Bytes of padding in all: each is read to see that it is zero. */
const PADDING = 256 * MIB;
/** Files that are told not to be laid out, and why. */
const TOLD = 16;

/** A name of a file, and nothing of a path, a drive, a stream or a pattern. */
const FILE = /^[^\\/:*?"<>|\x00-\x1f]+$/;

/**
 * Endings of the names that writers give to bare bytes; a name without an ending is one of a tensor. A name never makes
 * bytes pass: any other keeps them from it, since some loader may go by it and open them as what is not recognised here.
 */
const ENDING = /^[^.]+$|\.(?:bin|data|data-\d{5}-of-\d{5}|onnx_data(?:_\d{1,4})?|weights?|bias|\d{1,6})$/;

/** True for the name of a file of bare bytes in the same folder. */
export const isBareName = (name: string): boolean => FILE.test(name) && name.length <= NAME && ENDING.test(name);

type Extent = { readonly start: number; readonly end: number };
type Gap = { readonly offset: number; readonly length: number };
type Fixed = Companion['fixed'];

/** The bare files that an index lays out, noted tensor by tensor. */
export type Layouts = {
  /** A tensor has the bytes from `start` to `end` (exclusive) of the file `name`. */
  place(name: string, start: number, end: number): void;
  /** The file holds something that cannot be laid out, or that is more than numbers. */
  refuse(name: string, why: string): void;
  /** What was laid out, for the report of the index. */
  finish(): Pick<LaidOut, 'companions'> & { readonly notLaidOut?: Json };
};
type LaidOut = { readonly companions: readonly Companion[] };

type Options = {
  readonly sameStem?: boolean;
  /** Whether writers of the format leave such a gap, filled with zeros, before a tensor. They leave none when not given. */
  readonly pads?: (gap: Gap) => boolean;
};

/** Collects where tensors stand in bare files; a file with a gap or an overlap, or beyond a limit, is not named. */
export const createLayouts = ({ sameStem = false, pads = () => false }: Options = {}): Layouts => {
  const files = new Map<string, Extent[]>();
  const refused = new Map<string, string>();
  let extents = 0;
  let tooMany = '';

  const refuse = (name: string, why: string): void => {
    if (refused.size < COMPANIONS) refused.set(name, why);
    else tooMany = `more than ${COMPANIONS} files`;
  };

  const companionOf = (name: string, own: readonly Extent[]): Companion | undefined => {
    const found = isBareName(name) ? layOut(own, pads) : 'it is not the name of a file of bare bytes';
    if (typeof found !== 'string') return { names: [name], sameStem, ...found };
    refuse(name, found);
    return undefined;
  };

  return {
    place(name, start, end) {
      extents += 1;
      const own = files.get(name);
      if (extents > EXTENTS) tooMany = `more than ${EXTENTS} tensors`;
      else if (own !== undefined) own.push({ start, end });
      else if (files.size < COMPANIONS) files.set(name, [{ start, end }]);
      else tooMany = `more than ${COMPANIONS} files`;
    },
    refuse,
    finish() {
      const honest = [...files].filter(([name]) => !refused.has(name));
      const companions = honest.map(([name, own]) => companionOf(name, own)).filter((one) => one !== undefined);
      const gaps = companions.flatMap(({ fixed }) => fixed);
      if (gaps.length > FIXED) tooMany = `more than ${FIXED} gaps`;
      if (gaps.reduce((sum, { length }) => sum + length, 0) > PADDING)
        tooMany = `more than ${PADDING} bytes of padding`;
      if (tooMany !== '') return { companions: [], notLaidOut: tooMany };
      const told = [...refused].slice(0, TOLD).map(([name, why]) => `${printable(name, 100)}: ${why}`);
      return { companions, ...(told.length === 0 ? {} : { notLaidOut: told }) };
    },
  };
};

/**
 * The size of the bytes that the extents cover from 0 on, and the padding between them; in words what keeps them from
 * covering it. Two tensors may have the very same bytes (tied weights), but not some of each other's.
 */
const layOut = (extents: readonly Extent[], pads: (gap: Gap) => boolean): { size: number; fixed: Fixed } | string => {
  const fixed: { offset: number; length: number; value: number }[] = [];
  let before: Extent = { start: 0, end: 0 };
  for (const extent of [...extents].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const { start, end } = extent;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start)
      return `a tensor ends before it begins, or too far away`;
    if (end === start || (start === before.start && end === before.end)) continue;
    if (start < before.end) return `two tensors share bytes at ${start}`;
    const gap = { offset: before.end, length: start - before.end };
    if (gap.length > 0 && !pads(gap)) return `${gap.length} bytes at ${gap.offset} belong to no tensor`;
    if (gap.length > 0) fixed.push({ ...gap, value: 0 });
    before = extent;
  }
  return before.end === 0 ? 'no tensor has bytes in it' : { size: before.end, fixed };
};

/** The companions and details of an index, as its inspection carries them. */
export const withLayouts = (
  details: { readonly [key: string]: Json },
  layouts: Layouts,
): { readonly details: { readonly [key: string]: Json }; readonly companions?: readonly Companion[] } => {
  const { companions, ...told } = layouts.finish();
  return { details: { ...details, ...told }, ...(companions.length === 0 ? {} : { companions }) };
};
