import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sha256 } from '../audit/digest.ts';
import { type ReadEntry, readEntries } from '../audit/reader.ts';
import { verifyLog } from '../audit/verify.ts';
import { WeighbridgeError } from '../errors.ts';
import { parseWitnessKey } from '../merkle/cosignature.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { evidence } from './log/evidence.ts';
import { exportLog, verifyExport } from './log/export.ts';
import { countOf, directoryOf, keyFrom, timeOf, wrong } from './log/options.ts';
import { proof, verifyProof } from './log/proof.ts';
import { redact } from './log/redact.ts';
import { search } from './log/search.ts';
import { printable, table } from './log/table.ts';
import { witnessLog } from './log/witness.ts';

const usage = `usage: weighbridge log show   [DIR] [--since TIME] [--action ACTION] [--repo TEXT] [--limit N] [--json]
       weighbridge log search [DIR] [--artefact NAME] [--digest SHA256] [--repo NAME] [--actor ID] [--team NAME]
                              [--client NAME] [--decision ACTION] [--rule ID] [--kind KIND] [--request ID]
                              [--from TIME] [--to TIME] [--limit N] [--before N] [--json]
       weighbridge log verify [DIR|FILE] [--key KEY] [--checkpoint FILE]... [--witness KEY] [--json]
       weighbridge log verify EXPORT --manifest FILE --key KEY [--json]
       weighbridge log verify ENTRY|CHECKPOINT --proof FILE --key KEY [--json]
       weighbridge log proof [DIR] --entry N | --since CHECKPOINT
       weighbridge log witness [DIR | --gateway URL] --state DIR --name NAME --key KEY [--every 1m]
       weighbridge log export [DIR] --format jsonl|csv|ocsf [OPTIONS of search] [--proofs] [--manifest FILE [--keys DIR]]
       weighbridge log evidence [DIR] --out FOLDER [OPTIONS of search] [--keys DIR]
       weighbridge log redact ENTRY --reason TEXT [--config FILE] [--data DIR]

DIR is the folder of the log (./data/log). It may be read while the gateway writes it.

show     the newest entries that match, oldest first
  --since TIME     2026-11-23, 2026-11-23T10:00:00Z, or how long ago: 30m, 12h, 7d
  --action ACTION  allow, convert, quarantine or deny
  --repo TEXT      repos whose name contains TEXT
  --limit N        at most N entries (50)
  --json           the lines as they were signed

search   the newest entries that are all that is asked for, oldest first, found by an index that is brought up to date
         first (DIR/index.sqlite; it can be deleted at any time). In names, * and ? stand for characters but /, ** for any
  --artefact NAME  repo and path: models/org/name/model.safetensors, models/org/**
  --digest SHA256  of the file, of what it was converted from, or of what was derived from it
  --actor ID       as entries have it: p_...
  --client NAME    hf_hub, or hf_hub/2.4.0
  --before N       entries older than entry N: the next page
  --json           the lines as they were signed

verify   0: the log is what was signed; 1: it is not, and what was done to which entry; 2: could not be checked
  --key KEY          the verifier key, or a file that holds it. Without it the key in DIR is taken, which proves nothing
                     against someone who can write there: keep a copy elsewhere
  --witness KEY      (or a file that holds it) one of these checkpoints must be signed by that witness
  --checkpoint FILE  a checkpoint that you kept; finds a cut tail and a log that was written again. May be repeated

           An EXPORT is held against the manifest that was written with it: a missing entry is named
           An ENTRY, a file with its line, or an older CHECKPOINT is held against a proof

proof    to stdout, what shows to anyone with the public key that entry N is in the log (C2SP tlog-proof), or that the log
         of now begins with that of a checkpoint (as a C2SP witness is sent it)

witness  signs the newest checkpoint as a second party, when the log only grew since the last one that was signed
         (C2SP cosignature/v1), and prints it; 1 when the log contradicts what was seen, and then nothing is signed
  --state DIR      where what was seen is kept, with the witness's own key; on a machine that the log's operator cannot
                   write to. DIR/checkpoint is what verify --checkpoint takes
  --name NAME      the witness's name in its signatures
  --key KEY        the log's verifier key, or a file that holds it
  --gateway URL    asks a running gateway; --token-file FILE has the token of an auditor
  --every TIME     looks again and again

export   all entries that match, oldest first, to stdout; they are chosen as by search, from the log itself
  --format         jsonl: the lines as they were signed; csv; ocsf: events of the Open Cybersecurity Schema Framework
  --proofs         (jsonl) with each entry the proof that it is in the log, after a first line with the checkpoint
  --manifest FILE  writes what was exported by which filter, signed, there; only entries below the newest checkpoint are
                   exported then
  --keys DIR       the folder of the signing key (keys beside DIR)

evidence all entries that match in a folder, with proofs, and the facts, reports and policies that they name; its README says
         how to check them on another machine

redact   takes one entry out, by position or id, while no gateway runs: its line is left empty, its leaf hash stays, and an
         entry log.thinned says so with the reason. The log, and every proof and checkpoint of it, verify as before`;

const DEFAULT_LIMIT = 50;
/** Entries that `show` keeps in memory. */
const MAX_LIMIT = 100_000;

export const log: Command = {
  name: 'log',
  summary: 'show, search, verify or export the access log',
  usage,
  async run([verb = '', ...args], io) {
    if (verb === 'show') return show(args, io);
    if (verb === 'search') return search(args, io);
    if (verb === 'verify') return verify(args, io);
    if (verb === 'export') return exportLog(args, io);
    if (verb === 'proof') return proof(args, io);
    if (verb === 'evidence') return evidence(args, io);
    if (verb === 'witness') return witnessLog(args, io);
    if (verb === 'redact') return redact(args, io);
    throw wrong(`'${verb}' is none of show, search, verify, export, proof, witness, evidence, redact`);
  },
};

const FILTERS = { since: { type: 'string' }, action: { type: 'string' }, repo: { type: 'string' } } as const;

const show = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...FILTERS, limit: { type: 'string' }, json: { type: 'boolean' } },
  });
  const limit = countOf('limit', values.limit, DEFAULT_LIMIT, MAX_LIMIT);
  const newest: ReadEntry[] = [];
  for await (const one of matching(directoryOf(positionals), values)) {
    newest.push(one);
    if (newest.length >= 2 * limit) newest.splice(0, newest.length - limit);
  }
  const shown = newest.slice(-limit);
  if (values.json) for (const { line } of shown) io.stdout.write(`${line}\n`);
  else for (const line of table(shown)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
};

const verify = async (args: readonly string[], io: CommandIo): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      key: { type: 'string' },
      checkpoint: { type: 'string', multiple: true },
      manifest: { type: 'string' },
      proof: { type: 'string' },
      witness: { type: 'string' },
      json: { type: 'boolean' },
    },
  });
  const path = directoryOf(positionals);
  const key = values.key === undefined ? undefined : keyFrom(values.key);
  if (values.proof !== undefined) return verifyProof(path, values.proof, key, values.json === true, io);
  if (values.manifest !== undefined) return verifyExport(path, values.manifest, key, values.json === true, io);
  const verdict = await verifyLog({
    path,
    key: key ?? keyFrom(join(path, 'key')),
    checkpoints: values.checkpoint ?? [],
    ...(values.witness !== undefined && { witness: parseWitnessKey(keyFrom(values.witness), sha256) }),
  });
  if (values.json) {
    io.stdout.write(`${JSON.stringify({ ...verdict, keyGiven: key !== undefined })}\n`);
    return verdict.ok ? EXIT.ok : EXIT.refused;
  }
  for (const { text } of verdict.problems) io.stdout.write(`NOT AS SIGNED: ${printable(text)}\n`);
  if (verdict.ok) {
    io.stdout.write(`verified: ${verdict.signed} entries are what was signed (${verdict.segments} files)\n`);
  }
  if (key === undefined)
    io.stdout.write('note: the key is from the log itself; give --key with a copy kept elsewhere\n');
  for (const notice of verdict.notices) io.stdout.write(`note: ${printable(notice)}\n`);
  return verdict.ok ? EXIT.ok : EXIT.refused;
};

type Filters = {
  readonly since?: string | undefined;
  readonly action?: string | undefined;
  readonly repo?: string | undefined;
};

async function* matching(directory: string, { since, action, repo }: Filters): AsyncGenerator<ReadEntry> {
  if (!existsSync(directory)) throw new WeighbridgeError('NOT_FOUND', `there is no log at ${directory}`);
  for await (const one of readEntries(directory, since === undefined ? 0 : timeOf('since', since))) {
    const { decision, artefact } = one.entry;
    if (action !== undefined && decision?.action !== action) continue;
    if (repo !== undefined && !artefact?.repo.includes(repo)) continue;
    yield one;
  }
}
