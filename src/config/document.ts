import { LineCounter, parseDocument } from 'yaml';
import { WeighbridgeError } from '../errors.ts';

/** A settings file: its plain value, and where in the file each key stands. */
export type SettingsFile = {
  readonly value: unknown;
  readonly has: (path: readonly string[]) => boolean;
  /** `file:line:column` of the key or value at `path`, or of the nearest one above it that is in the file. */
  readonly locate: (path: readonly PropertyKey[]) => string;
};

/** Parses the YAML text of a settings file. Throws CONFIG_INVALID with file, line and column when it is not YAML. */
export const readSettingsFile = (text: string, file: string): SettingsFile => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new WeighbridgeError('CONFIG_INVALID', `${place(problem.pos[0])}: ${problem.message}`);
  }
  const locate = (path: readonly PropertyKey[]): string => {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    if (hasRange(node)) return place(node.range[0]);
    return path.length === 0 ? `${file}:1:1` : locate(path.slice(0, -1));
  };
  return { value: document.toJS({ maxAliasCount: 100 }) ?? {}, has: (path) => document.hasIn(path), locate };
};

const hasRange = (node: unknown): node is { range: [number, number, number] } =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
