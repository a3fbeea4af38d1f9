import { WeighbridgeError } from '../errors.ts';
import type { Plan, Report } from '../formats/format.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Blobs, BlobWriter, Records } from '../store/types.ts';
import { execute } from '../transcode/execute.ts';
import { CONVERTER_VERSION, conversionIdentity, layOut } from '../transcode/layout.ts';
import type { Layout, PlanSource, Scratch, TensorDigest } from '../transcode/types.ts';
import type { Intakes, Stored } from './intake.ts';
import { createMemo, createSingleFlight } from './memo.ts';
import type { ListedFile, RepoAt } from './types.ts';
import { type Scales, type Weighed, weightOf } from './weigh.ts';

/** A pickled checkpoint and the safetensors file that stands in its place, known to the byte before it is written. */
export type Conversion = {
  readonly source: ListedFile;
  readonly sourceSha256: string;
  readonly report: Report;
  readonly plan: Plan;
  readonly layout: Layout;
  readonly etag: string;
};

/** A stored output, and the report of the whole source it was made from. */
type Proven = Stored & { readonly report: Report };

/** A conversion that is being written, or the finished file. */
export type Converting = {
  /** Bytes as they are written; absent when the file is stored already. */
  readonly writer?: BlobWriter;
  /** Resolves once the source is proven to be what the plan was made of, and all is written: with its report. */
  readonly proven: Promise<Report>;
  /** Resolves once the output is stored, too. */
  readonly done: Promise<Proven>;
};

export type Conversions = {
  /** The conversion of a weighed file; undefined when it has no plan. Fetches the source when its digest is unknown. */
  of(repo: RepoAt, file: ListedFile, weighed: Weighed): Promise<Conversion | undefined>;
  /** The true sha256 of the output, once it was written. */
  sha256(conversion: Conversion): Promise<string | undefined>;
  /** The one conversion of this source: begun now, under way, or done. */
  begin(repo: RepoAt, conversion: Conversion): Promise<Converting>;
};

/** Tensors and storages of laid-out plans kept in memory; one takes about 250 bytes. */
const MAX_LAID_OUT = 200_000;

const recordKey = (conversion: Conversion): string => `${conversion.sourceSha256}/${CONVERTER_VERSION}`;

/** Callers of different repos have different rights, also where the same bytes lie in both. */
const keyOf = ({ ecosystem, repo }: RepoAt, { etag }: Conversion): string => `${ecosystem}/${repo}@${etag}`;

/** Conversions of pickled checkpoints to safetensors. */
export const createConversions = (
  blobs: Blobs,
  records: Records,
  intakes: Intakes,
  scales: Scales,
  sandbox: Pick<Sandbox, 'unwrap'>,
  entered: (repo: RepoAt, conversion: Conversion, stored: Stored) => Promise<void>,
): Conversions => {
  const laidOut = createMemo<Conversion>(MAX_LAID_OUT, ({ report }) => weightOf(report));
  const running = new Map<string, Converting>();
  const starting = createSingleFlight<Converting>();

  const of = async (repo: RepoAt, file: ListedFile, weighed: Weighed): Promise<Conversion | undefined> => {
    const { plan } = weighed.report;
    if (plan === undefined) return undefined;
    const sourceSha256 = weighed.sha256 ?? (await intakes.fetched(repo, file)).sha256;
    const key = `${repo.repo}/${file.path}/${sourceSha256}`;
    const known = laidOut.get(key);
    if (known !== undefined) return known;
    const layout = layOut(plan);
    const etag = conversionIdentity(sourceSha256, layout.header);
    const conversion = { source: file, sourceSha256, report: weighed.report, plan, layout, etag };
    laidOut.set(key, conversion);
    return conversion;
  };

  const sha256 = async (conversion: Conversion): Promise<string | undefined> => {
    const record = await records.get('conversion', recordKey(conversion));
    return record?.etag === conversion.etag ? record.sha256 : undefined;
  };

  const begin = (repo: RepoAt, conversion: Conversion): Promise<Converting> =>
    starting(
      keyOf(repo, conversion),
      async () => running.get(keyOf(repo, conversion)) ?? (await finished(repo, conversion)) ?? start(repo, conversion),
    );

  const finished = async (repo: RepoAt, conversion: Conversion): Promise<Converting | undefined> => {
    const digest = await sha256(conversion);
    if (digest === undefined || !(await blobs.has(digest))) return undefined;
    if (!(await mayRead(repo, conversion))) return undefined;
    const report = await scales.stored(conversion.sourceSha256).catch(() => conversion.report);
    const stored = { sha256: digest, size: conversion.layout.size, report };
    return { proven: Promise.resolve(report), done: Promise.resolve(stored) };
  };

  /** Whether those who may read this repo may have what the conversion was made from; it may have been evicted since. */
  const mayRead = async (repo: RepoAt, { source, sourceSha256 }: Conversion): Promise<boolean> =>
    (await intakes.proven(repo, source)) === sourceSha256 || (await intakes.known(repo, source)) !== undefined;

  const start = async (repo: RepoAt, conversion: Conversion): Promise<Converting> => {
    const writer = await blobs.create(conversion.layout.size);
    const key = keyOf(repo, conversion);
    const proven = write(repo, conversion, writer).catch((error: unknown) => giveUp(writer, key, error));
    const done = keep(writer, key, proven);
    // Nobody may be listening when a conversion fails; whoever waits for one of the two still sees the fault.
    done.catch(() => undefined);
    const converting = { writer, proven, done };
    running.set(key, converting);
    return converting;
  };

  const write = async (repo: RepoAt, conversion: Conversion, writer: BlobWriter): Promise<Report> => {
    const tensors: TensorDigest[] = [];
    const { plan, layout, sourceSha256 } = conversion;
    const { source, arrived, close } = await openSource(repo, conversion);
    let discard = async (): Promise<void> => undefined;
    try {
      let bytes = source;
      if (plan.wrapped !== undefined) ({ discard, ...bytes } = await spool(source, plan.wrapped));
      const onTensor = (digest: TensorDigest): void => void tensors.push(digest);
      for await (const chunk of execute(plan, layout, bytes, { onTensor, scratch })) await writer.write(chunk);
      await arrived;
      const report = await scales.stored(sourceSha256, source);
      checkSamePlan(conversion, report);
      const { sha256: digest } = await writer.digests();
      await remember(conversion, digest, tensors);
      await entered(repo, conversion, { sha256: digest, size: layout.size });
      return report;
    } finally {
      await discard();
      await close();
    }
  };

  /** Room in the store for bytes that are copied from and then thrown away. */
  const scratch = async (size: number): Promise<Scratch> => {
    const spooled = await blobs.create(size);
    return {
      size,
      read: spooled.read,
      write: spooled.write,
      discard: () => spooled.abort(new WeighbridgeError('CANCELLED', 'it is not needed any more')),
    };
  };

  /** The decompressed bytes that the plan of a wrapped checkpoint speaks of: on the disk until they are copied from. */
  const spool = async (source: PlanSource, wrapped: NonNullable<Plan['wrapped']>): Promise<Scratch> => {
    const room = await scratch(wrapped.size);
    try {
      await sandbox.unwrap(source, wrapped, room.write);
      return room;
    } catch (error) {
      await room.discard();
      throw error;
    }
  };

  const keep = async (writer: BlobWriter, key: string, proven: Promise<Report>): Promise<Proven> => {
    const report = await proven;
    try {
      const stored = await writer.commit();
      running.delete(key);
      return { ...stored, report };
    } catch (error) {
      return giveUp(writer, key, error);
    }
  };

  /** Whoever hears of the fault and asks again begins anew: this conversion is gone by then. */
  const giveUp = async (writer: BlobWriter, key: string, error: unknown): Promise<never> => {
    const fault = error instanceof Error ? error : new Error(String(error));
    await writer.abort(fault).finally(() => running.delete(key));
    throw fault;
  };

  /** The source from the store, or growing while it arrives; `arrived` resolves when its digest is proven. */
  const openSource = async (
    repo: RepoAt,
    { source }: Conversion,
  ): Promise<{ source: PlanSource; arrived: Promise<unknown>; close(): Promise<void> }> => {
    const stored = await intakes.known(repo, source);
    const blob = stored === undefined ? undefined : await blobs.open(stored.sha256);
    if (blob !== undefined) return { source: blob, arrived: Promise.resolve(), close: () => blob.close() };
    const { writer, arrived } = await intakes.begin(repo, source);
    const growing = { size: source.size, read: (offset: number, length: number) => writer.read(offset, length) };
    return { source: growing, arrived, close: async () => undefined };
  };

  /** Before the last bytes leave: whoever has them finds the statement, and the listing says their true digest. */
  const remember = async (conversion: Conversion, digest: string, tensors: readonly TensorDigest[]): Promise<void> => {
    const { etag, layout, sourceSha256, plan } = conversion;
    const header = Buffer.from(layout.header.subarray(8)).toString('utf8').trimEnd();
    await records.put('statement', digest, {
      source: { sha256: sourceSha256 },
      converter: CONVERTER_VERSION,
      output: { sha256: digest, size: layout.size },
      tensors: tensors.map(({ name, dtype, shape, sha256: bytes }) => ({ name, dtype, shape, sha256: bytes })),
      dropped: plan.dropped.map(({ path, type }) => ({ path, type })),
    });
    await records.put('conversion', recordKey(conversion), { etag, size: layout.size, sha256: digest, header });
  };

  return { of, sha256, begin };
};

/** A plan that was made by Range must be the plan of the file that arrived. Throws UPSTREAM_MISMATCH otherwise. */
const checkSamePlan = (conversion: Conversion, report: Report): void => {
  const same = report.plan !== undefined && Buffer.from(layOut(report.plan).header).equals(conversion.layout.header);
  if (same && report.content === conversion.report.content) return;
  const message = `${conversion.source.path}, once whole, is not what its ranges had shown`;
  throw new WeighbridgeError('UPSTREAM_MISMATCH', message);
};
