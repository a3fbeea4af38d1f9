import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { sha256 } from '../../audit/digest.ts';
import type { LoggedEntry } from '../../audit/entry.ts';
import { openProver } from '../../audit/export.ts';
import { logFiles } from '../../audit/layout.ts';
import { openManifest } from '../../audit/manifest.ts';
import { proofText } from '../../audit/proof.ts';
import { readLines } from '../../audit/reader.ts';
import { WeighbridgeError } from '../../errors.ts';
import { parseVerifierKey } from '../../merkle/checkpoint.ts';
import { layout } from '../../store/layout.ts';
import { type KeptRecords, readSqliteRecords } from '../../store/records-read.ts';
import { type CommandIo, EXIT } from '../command.ts';
import { exportLog } from './export.ts';
import { directoryOf, wrong } from './options.ts';
import { QUERY_OPTIONS } from './search.ts';

/** Entries of a pack: each has a file with its proof. */
const MAX_ENTRIES = 20_000;

/** `weighbridge log evidence`: what is needed to judge an incident elsewhere, in one folder. */
export const evidence = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const text = { type: 'string' } as const;
  const { positionals, values } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...QUERY_OPTIONS, out: text, keys: text },
  });
  const { keys, out, ...query } = values;
  if (out === undefined) throw wrong('evidence needs --out');
  if (existsSync(out)) throw wrong(`${out} is there already`);
  const directory = directoryOf(positionals);
  const records = readSqliteRecords(layout(dirname(resolve(directory))).records);
  try {
    mkdirSync(join(out, 'entries'), { recursive: true });
    const filter = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
    const manifest = ['--manifest', join(out, 'manifest'), ...(keys === undefined ? [] : ['--keys', keys])];
    await exportTo(join(out, 'entries.jsonl'), [directory, ...filter, ...manifest], io);
    for (const name of ['key', 'checkpoint'] as const) copyFileSync(logFiles(directory)[name], join(out, name));
    const count = await writeEntries(out, directory, records);
    writeFileSync(join(out, 'README.md'), readme(filter, count));
    await writeSums(out);
    io.stderr.write(
      `${count} entries, with proofs and what they name, are in ${out}; README.md says how to check them\n`,
    );
    return EXIT.ok;
  } finally {
    records.close();
  }
};

const exportTo = async (path: string, args: readonly string[], io: CommandIo): Promise<void> => {
  const file = createWriteStream(path, { mode: 0o600 });
  await exportLog(args, { ...io, stdout: file });
  file.end();
  await finished(file);
};

/** Each entry with its proof, and once what the entries name. */
const writeEntries = async (out: string, directory: string, records: KeptRecords): Promise<number> => {
  const key = parseVerifierKey(readFileSync(join(out, 'key'), 'utf8'), sha256);
  const { entries: listed } = openManifest(readFileSync(join(out, 'manifest'), 'utf8'), key);
  if (listed.length > MAX_ENTRIES)
    throw new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_ENTRIES} entries: choose fewer`);
  const prover = openProver(directory);
  let at = 0;
  try {
    for await (const { lines } of readLines(join(out, 'entries.jsonl')))
      for (const line of lines) {
        const index = listed[at]?.position ?? 0;
        at += 1;
        const base = join(out, 'entries', String(index).padStart(12, '0'));
        writeFileSync(`${base}.json`, line);
        writeFileSync(`${base}.tlog-proof`, proofText(index, prover.prove(index) ?? [], prover.checkpoint));
        writeNamed(out, JSON.parse(line.toString()), records);
      }
  } finally {
    prover.close();
  }
  return at;
};

/** The facts, reports and policies that an entry names by digest, each in a file that is called so. */
const writeNamed = (out: string, { artefact, evidence: named }: LoggedEntry, records: KeptRecords): void => {
  if (named === undefined) return;
  const { facts, policySet, ruleset } = named;
  write(out, 'facts', facts, records.get('facts', facts));
  if (artefact?.sha256 !== undefined)
    write(out, 'reports', artefact.sha256, records.get('report', `${ruleset}/${artefact.sha256}`));
  const folder = join(out, 'policies', policySet);
  if (!/^[0-9a-f]{64}$/.test(policySet) || existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(records.get('policySet', policySet)?.files ?? {}))
    writeFileSync(join(folder, name.replace(/[^\w.() :-]/g, '_')), content);
};

/** Digests come from entries: anything else is no name of a file. */
const write = (out: string, kind: string, digest: string, value: unknown): void => {
  if (value === undefined || !/^[0-9a-f]{64}$/.test(digest)) return;
  mkdirSync(join(out, kind), { recursive: true });
  writeFileSync(join(out, kind, `${digest}.json`), JSON.stringify(value));
};

const writeSums = async (out: string): Promise<void> => {
  const sums: string[] = [];
  for (const one of await readdir(out, { recursive: true, withFileTypes: true })) {
    if (!one.isFile()) continue;
    const path = join(one.parentPath, one.name);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    sums.push(`${hash.digest('hex')}  ${relative(out, path)}\n`);
  }
  writeFileSync(join(out, 'SHA256SUMS'), sums.sort().join(''));
};

const readme = (filter: readonly string[], count: number): string => `# Evidence from the access log of a Weighbridge

${count} entries that match: ${filter.join(' ').replace(/[^\x20-\x7e]|\x60/g, '?') || 'all'}.

| file | is |
|---|---|
| entries.jsonl, manifest | the entries as they were signed, and what the log's key says was exported by which filter |
| entries/ | each entry with the proof that it is in the log (C2SP tlog-proof), by its position |
| checkpoint, key | the log's newest checkpoint then, and its verifier key |
| facts/, policies/, reports/ | what decisions were made of, by the digests that the entries have, as far as it is kept |

The key here is the log's own word: compare it with a copy that was kept elsewhere. Then, in this folder, with Weighbridge
installed and nothing else of the gateway:

\`\`\`sh
sha256sum --check --quiet SHA256SUMS
weighbridge log verify entries.jsonl --manifest manifest --key key
for proof in entries/*.tlog-proof; do weighbridge log verify "\${proof%.tlog-proof}.json" --proof "$proof" --key key || exit 1; done
for file in facts/*.json; do test "facts/$(sha256sum < "$file" | cut -c1-64).json" = "$file" || exit 1; done
\`\`\`

\`weighbridge policy explain --facts facts/DIGEST.json --policies policies/DIGEST\` says why something was decided as it was.
`;
