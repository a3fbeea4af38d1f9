import { type FileHandle, open, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.ts';
import { WeighbridgeError } from '../errors.ts';
import type { Plan, Report } from '../formats/format.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { execute } from '../transcode/execute.ts';
import { CONVERTER_VERSION, layOut } from '../transcode/layout.ts';
import type { OpenScratch, PlanSource, TensorDigest } from '../transcode/types.ts';
import { type Command, type CommandIo, EXIT } from './command.ts';
import { dropRows } from './drop-rows.ts';
import { digest, readExactly, readInTurns } from './local-file.ts';
import { writeAll, writeWhole } from './write-whole.ts';

const usage = `usage: weighbridge convert IN OUT
       weighbridge convert -            reads IN<TAB>OUT lines

Writes the tensors of a pickled checkpoint (PyTorch, NumPy) as safetensors. The
checkpoint is never unpickled: its tensors are found in the sandbox and copied.

  --statement FILE  also write what was converted, tensor by tensor, with digests,
                    or which rows were dropped
  --drop-rows       write a dataset (JSON Lines, JSON lists, CSV, TSV, Parquet)
                    without its flagged rows, unless something is found in the rest

Exit code 0: all converted; 1: something is not provably only data; 2: could not do it.`;

export const convert: Command = {
  name: 'convert',
  summary: 'write a pickled checkpoint as safetensors',
  usage,
  async run(args: readonly string[], io: CommandIo): Promise<number> {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { statement: { type: 'string' }, 'drop-rows': { type: 'boolean' } },
      allowPositionals: true,
    });
    const [input, output] = positionals;
    if (input === undefined || (output === undefined) !== (input === '-') || positionals.length > 2) {
      io.stderr.write(`${usage}\n`);
      return EXIT.failed;
    }
    const { sandbox: settings } = loadConfig({});
    const sandbox = await createSandbox({ ...settings, workers: 1 });
    try {
      const asked = { statement: values.statement, rows: values['drop-rows'] === true };
      if (output !== undefined) return await convertOne(sandbox, io, input, output, asked);
      let worst: number = EXIT.ok;
      for await (const line of createInterface({ input: io.stdin })) {
        const [from = '', to = ''] = line.split('\t');
        if (line !== '')
          worst = Math.max(worst, await convertOne(sandbox, io, from, to, { ...asked, statement: undefined }));
      }
      return worst;
    } finally {
      await sandbox.close();
    }
  },
};

/** What was asked for beside the conversion: a file for the statement, and whether rows of datasets may be dropped. */
type Asked = { readonly statement: string | undefined; readonly rows: boolean };

const convertOne = async (
  sandbox: Sandbox,
  io: CommandIo,
  input: string,
  output: string,
  asked: Asked,
): Promise<number> => {
  try {
    const said = await convertFile(sandbox, input, output, asked);
    io.stdout.write(`${input} -> ${output}: ${said}\n`);
    return EXIT.ok;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    io.stderr.write(`${input}: ${message}\n`);
    return error instanceof WeighbridgeError && error.code === 'NOT_CONVERTIBLE' ? EXIT.refused : EXIT.failed;
  }
};

const convertFile = async (
  sandbox: Sandbox,
  input: string,
  output: string,
  { statement, rows }: Asked,
): Promise<string> => {
  const file = await open(input, 'r');
  try {
    const { size } = await file.stat();
    const source = { size, read: (offset: number, length: number) => readExactly(file, offset, length) };
    const before = rows ? await digest(file, size) : undefined;
    const report = await sandbox.inspect(source);
    if (report.plan === undefined && before !== undefined) {
      const done = await dropRows(sandbox, file, size, report, before, output);
      if (statement !== undefined) await writeStatement(statement, done.statement);
      return done.said;
    }
    if (report.plan === undefined) {
      const [worst] = report.findings.filter(({ severity }) => severity === 'high' || severity === 'critical');
      const said = [report.notConvertible, worst?.message].filter((text) => text !== undefined).join(': ');
      const why = said || report.coverage.reason || whyNot(report);
      throw new WeighbridgeError('NOT_CONVERTIBLE', `cannot be converted (${report.format}): ${why}`);
    }
    const { plan } = report;
    const layout = layOut(plan);
    const tensors: TensorDigest[] = [];
    // The digests of single tensors are computed only for those who asked for them: they cost as much as all the rest.
    const told = statement === undefined ? {} : { onTensor: (digest: TensorDigest) => void tensors.push(digest) };
    const options = { ...told, scratch: scratchBeside(output) };
    const sha256 = await reading(sandbox, plan, file, size, output, (bytes) =>
      writeWhole(output, readAhead(execute(plan, layout, bytes, options))),
    );
    if (statement !== undefined) {
      const text = {
        source: { sha256: await digest(file, size) },
        converter: CONVERTER_VERSION,
        output: { sha256, size: layout.size },
        tensors,
        dropped: plan.dropped,
      };
      await writeStatement(statement, text);
    }
    const dropped = plan.dropped.length === 0 ? '' : `, ${plan.dropped.length} other values left out`;
    return `${layout.placed.length} tensors, ${layout.size} bytes, sha256 ${sha256}${dropped}`;
  } finally {
    await file.close();
  }
};

/** Hands on the bytes that the plan speaks of: the file's, or those of a wrapped one, which lie beside the output meanwhile. */
const reading = async (
  sandbox: Sandbox,
  { wrapped }: Plan,
  file: FileHandle,
  size: number,
  output: string,
  work: (bytes: PlanSource) => Promise<string>,
): Promise<string> => {
  // One chunk is written and hashed while the next is read, and the executor may hold one more.
  if (wrapped === undefined) return work({ size, read: readInTurns(file, 3) });
  const spool = await scratchBeside(output)(wrapped.size);
  try {
    const source = { size, read: (offset: number, length: number) => readExactly(file, offset, length) };
    await sandbox.unwrap(source, wrapped, spool.write);
    return await work(spool);
  } finally {
    await spool.discard();
  }
};

/** A file without a name, beside the output: there is room for that much. */
const scratchBeside =
  (output: string): OpenScratch =>
  async (size) => {
    const path = `${output}.unwrapped-${process.pid}`;
    const spool = await open(path, 'wx+', 0o600);
    await rm(path);
    return {
      size,
      read: readInTurns(spool, 3),
      write: (chunk) => writeAll(spool, chunk),
      discard: () => spool.close(),
    };
  };

const whyNot = ({ rows }: Report): string =>
  rows?.runs === undefined
    ? 'it holds no tensors'
    : `it holds no tensors; ${rows.flagged} of its rows are flagged: --drop-rows writes it without them`;

const writeStatement = async (path: string, statement: object): Promise<void> => {
  await writeWhole(path, [Buffer.from(`${JSON.stringify(statement, null, 2)}\n`)]);
};

/** Asks for the next chunk before the last one has been dealt with: reading, hashing and writing go on at once. */
async function* readAhead(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let next = chunks.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = chunks.next();
      // Its failure is told when its turn comes.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await chunks.return(undefined);
  }
}
