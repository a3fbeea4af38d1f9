import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256, tree } from '../../audit/digest.ts';
import { csvHead, csvLine, openProver, type Prover } from '../../audit/export.ts';
import { checkExport } from '../../audit/export-check.ts';
import { loadSigner } from '../../audit/keys.ts';
import { logFiles } from '../../audit/layout.ts';
import { type ExportFormat, formatManifest, type Listed, openManifest } from '../../audit/manifest.ts';
import { ocsfLine } from '../../audit/ocsf.ts';
import { createMatcher } from '../../audit/query.ts';
import { type ReadEntry, readEntries } from '../../audit/reader.ts';
import { verifyLog } from '../../audit/verify.ts';
import { MIB } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { formatVerifierKey, parseNote, parseVerifierKey } from '../../merkle/checkpoint.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { directoryOf, send, wrong } from './options.ts';
import { QUERY_OPTIONS, queryOf } from './search.ts';
import { printable } from './table.ts';

/** Bytes of a manifest: some five million entries. */
const MAX_MANIFEST = 256 * MIB;

const FORMATS: readonly string[] = ['jsonl', 'csv', 'ocsf'] satisfies readonly ExportFormat[];
const isFormat = (text: string): text is ExportFormat => FORMATS.includes(text);

/** `weighbridge log export`. */
export const exportLog = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...QUERY_OPTIONS,
      since: { type: 'string' },
      action: { type: 'string' },
      format: { type: 'string', default: 'jsonl' },
      proofs: { type: 'boolean' },
      manifest: { type: 'string' },
      keys: { type: 'string' },
    },
  });
  const { format, proofs = false, manifest, since, action } = values;
  if (!isFormat(format)) throw wrong('--format is none of jsonl, csv, ocsf');
  if (proofs && format !== 'jsonl') throw wrong('--proofs needs --format jsonl: a proof is of the exact line');
  if (proofs && manifest !== undefined)
    throw wrong('--manifest and --proofs do not go together: each says it in its way');
  const filter = queryOf({ ...values, from: values.from ?? since, decision: values.decision ?? action });
  const directory = directoryOf(positionals);
  if (!existsSync(directory)) throw new WeighbridgeError('NOT_FOUND', `there is no log at ${directory}`);
  const signing = manifest === undefined ? undefined : await openSigning(directory, values.keys);

  const prover = proofs ? openProver(directory) : undefined;
  const matches = createMatcher(filter);
  const [hash, listed]: [ReturnType<typeof createHash>, Listed[]] = [createHash('sha256'), []];
  const put = (text: string): Promise<void> => {
    if (signing !== undefined) hash.update(text);
    return send(io, text);
  };
  if (format === 'csv') await put(csvHead);
  if (prover !== undefined) await put(`${JSON.stringify({ checkpoint: prover.checkpoint })}\n`);
  // Clocks go back: what is signed to be everything is looked for in every segment.
  for await (const one of readEntries(directory, signing === undefined ? filter.from : 0)) {
    if (signing !== undefined && one.index >= signing.size) break;
    if (!matches(one.entry)) continue;
    await put(lineOf(one, format, prover));
    if (signing !== undefined) listed.push({ position: one.index, leaf: tree.leaf(Buffer.from(one.line)) });
  }
  prover?.close();
  if (manifest !== undefined && signing !== undefined) {
    const { signer, size, root } = signing;
    const text = formatManifest({ size, root, filter, format, file: hash.digest(), entries: listed }, signer);
    writeFileSync(manifest, text);
  }
  return EXIT.ok;
};

const lineOf = (one: ReadEntry, format: ExportFormat, prover: Prover | undefined): string => {
  if (format === 'csv') return csvLine(one);
  if (format === 'ocsf') return `${ocsfLine(one)}\n`;
  if (prover === undefined) return `${one.line}\n`;
  return `${JSON.stringify({ index: one.index, entry: one.line, proof: prover.prove(one.index) })}\n`;
};

/** The key, and what it vouches for. A log that is not what was signed is exported to no manifest. */
const openSigning = async (directory: string, keys = join(dirname(resolve(directory)), 'keys')) => {
  const { checkpoint } = parseNote(readFileSync(logFiles(directory).checkpoint, 'utf8'));
  const signer = loadSigner(keys, checkpoint.origin, true);
  const verdict = await verifyLog({ path: directory, key: formatVerifierKey(signer.key) });
  const [problem] = verdict.problems;
  if (problem !== undefined) throw new WeighbridgeError('LOG_CORRUPT', `nothing is signed: ${problem.text}`);
  return { signer, size: checkpoint.size, root: checkpoint.root };
};

/** `weighbridge log verify EXPORT --manifest FILE`. */
export const verifyExport = async (
  path: string,
  manifestPath: string,
  key: string | undefined,
  json: boolean,
  io: CommandIo,
): Promise<number> => {
  if (key === undefined) throw wrong("--manifest needs --key: a copy of the log's verifier key");
  const manifest = openManifest(readText(manifestPath), parseVerifierKey(key, sha256));
  readable(path);
  const { ok, entries, problems } = await checkExport(path, manifest);
  const { filter, size, format } = manifest;
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ ok, entries, exported: manifest.entries.length, size, filter, format, problems })}\n`,
    );
    return ok ? EXIT.ok : EXIT.refused;
  }
  for (const problem of problems) io.stdout.write(`NOT AS SIGNED: ${printable(problem)}\n`);
  if (ok) {
    const asked = Object.keys(filter).length === 0 ? 'all' : `all that match ${printable(JSON.stringify(filter))}`;
    io.stdout.write(
      `verified: ${entries} entries, ${asked} of the first ${size} entries of the log, by the log's own word\n`,
    );
  }
  return ok ? EXIT.ok : EXIT.refused;
};

const readText = (path: string): string => {
  readable(path);
  if (statSync(path).size > MAX_MANIFEST) throw wrong(`${path} is longer than any manifest`);
  return readFileSync(path, 'utf8');
};

const readable = (path: string): void => {
  if (!existsSync(path)) throw new WeighbridgeError('NOT_FOUND', `there is no ${path}`);
};
