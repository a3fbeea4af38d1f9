import type { Budget } from '../bytes/limits.ts';
import type { RandomAccess } from '../bytes/random-access.ts';
import type { DatasetRows } from './dataset-rows.ts';

/** How bad a finding is. In policies these are the constants 0 to 4. */
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * A place in a file: the chain of containers (`["archive/data.pkl"]`; empty for the file itself), a byte offset in the
 * innermost, and of a text the line, from 1.
 */
export type Where = { readonly path: readonly string[]; readonly offset: number; readonly line?: number | undefined };

export type Finding = {
  /** Stable id: `<format>.<what>`, lower case, e.g. `pickle.global-unknown`, `zip.duplicate-name`. */
  readonly rule: string;
  readonly severity: Severity;
  /** One sentence for a person. ASCII, no line breaks; text from the file only through `printable()`. */
  readonly message: string;
  readonly where: Where;
  /** What was seen, through `printable()`, at most 200 characters. */
  readonly evidence: string;
  /** CVE, CWE, OWASP LLM (`LLM03:2025`), MITRE ATLAS (`AML.T0010`) and NIST AI 100-2 ids. */
  readonly refs: readonly string[];
};

/**
 * How much of the file the report speaks for. `complete`: every byte that any loader would give a meaning to was
 * understood. `partial`: some was, and a limit or an error stopped the rest. `opaque`: nothing can be said.
 */
export type Coverage = {
  readonly state: 'complete' | 'partial' | 'opaque';
  readonly bytesInspected: number;
  readonly bytesTotal: number;
  /** Why it is not complete; empty when it is. */
  readonly reason: string;
};

/**
 * What kind of thing the content was proven to be, from harmless to harmful; the policy decides on this.
 *  inert     data that no loader executes (safetensors, GGUF, arrays, text, images)
 *  tensors   a pickle that provably holds only tensors and plain values: convertible to safetensors
 *  data      a pickle of plain, numpy and standard-library data, every call on the allow-list
 *  trainer   a pickle of training arguments and the like, every call on the allow-list
 *  library   a pickle of estimators or modules of known libraries, every call on the allow-list
 *  code      source or graph code by design (Python, TorchScript, notebooks, templates): judged by its findings
 *  unknown   not recognised, not understood, or a name that is on no list
 *  active    something in it would run, or was built to mislead a reader
 */
export const CONTENTS = ['inert', 'tensors', 'data', 'trainer', 'library', 'code', 'unknown', 'active'] as const;
export type Content = (typeof CONTENTS)[number];

/** The element types of whole bytes that safetensors knows (its specification, `Dtype`), with the bytes of one element. */
export const DTYPES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
} as const;
export type Dtype = keyof typeof DTYPES;

/** A run of bytes in the source file that holds elements; several tensors may look into one storage. */
export type PlanStorage = {
  /** Name of the zip member or key of the legacy storage, for messages. */
  readonly name: string;
  /** Where its bytes begin in the source file (of a deflated member: its compressed bytes). */
  readonly offset: number;
  /** Bytes in the source file. */
  readonly length: number;
  /** Bytes after inflation; equals `length` for a stored member. */
  readonly size: number;
  readonly method: 'stored' | 'deflated';
  readonly byteOrder: 'little' | 'big';
  /**
   * Of a zip member, when the plan was made by Range: where its local header begins. It was not read, so `offset` is
   * derived from the next member; the executor takes the true one from the header as it passes.
   */
  readonly localHeader?: number;
};

/** One tensor: a strided view into a storage. Offsets and strides count elements, not bytes. */
export type PlanTensor = {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Index into `storages`. */
  readonly storage: number;
  readonly offset: number;
  readonly strides: readonly number[];
};

/** How to write a checkpoint as safetensors: data only, made inside the sandbox, carried out by `transcode/`. */
export type Plan = {
  readonly storages: readonly PlanStorage[];
  readonly tensors: readonly PlanTensor[];
  /** What the checkpoint holds beside tensors and is left out: its path in the state dict and its type. */
  readonly dropped: readonly { readonly path: string; readonly type: string }[];
  /**
   * When the checkpoint is wrapped in compressions: the names of their formats from the outside in, and the bytes that it
   * becomes. All places are then those of the decompressed bytes, which the sandbox writes before they are copied from.
   */
  readonly wrapped?: { readonly by: readonly string[]; readonly size: number };
};

/**
 * What a file says of bare bytes that lie beside it in files without a mark of their own: that they are the bytes of
 * tensors, every one of them. Whether such a file is there, and fits, is not known to the one who reads this file.
 */
export type Companion = {
  /** Files in the folder of this one, by name (never a path): their bytes, one file after the other, are laid out. */
  readonly names: readonly string[];
  /** True when the names are ends of names: what comes before is this file's own name without its extension. */
  readonly sameStem: boolean;
  /** Bytes of all those files together; tensors and padding leave none over. */
  readonly size: number;
  /** The bytes that belong to no tensor, where they are and the little-endian number that they must be: padding is 0. */
  readonly fixed: readonly { readonly offset: number; readonly length: number; readonly value: number }[];
  /** When the bytes begin with a graph whose neighbours readers follow without looking: they must exist. */
  readonly graph?: Graph;
  /** When it lays out the chunks of an array: no names, but a file for each place in the grid, of `size` bytes by itself. */
  readonly grid?: Grid;
};

/**
 * Files named by their place: `prefix`, then a number below each of `counts`, with `separator` between, which may be that
 * of folders below the index. They are compressed as the format `packing` says, or not when it is empty.
 */
export type Grid = {
  readonly prefix: '' | 'c';
  readonly separator: '.' | '/';
  readonly counts: readonly number[];
  readonly packing: string;
};

/** Records of `size` bytes, each a 16-bit count of at most `most` neighbours, two bytes, and 32-bit numbers of records. */
export type Graph = { readonly count: number; readonly size: number; readonly most: number };

/** A file in the folder of an index whose parts the loader of the index unpickles: it must be cut as the index says. */
export type Part = {
  readonly name: string;
  readonly size: number;
  /** How many parts, and where they end: `cutsOf` of formats/torch/cuts.ts. */
  readonly count: number;
  readonly cuts: string;
};

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What one reading of a file found. */
export type Inspection = {
  /** Name of the format in the registry, or `unknown`. */
  readonly format: string;
  readonly content: Content;
  readonly coverage: Coverage;
  /** Present when the file can be converted; `notConvertible` says why when a checkpoint cannot. */
  readonly plan?: Plan;
  readonly notConvertible?: string;
  /** Of a dataset that is read row by row. */
  readonly rows?: DatasetRows;
  /** Plain facts for bills of materials and policies: counts, architecture, licence. Small. */
  readonly details?: { readonly [key: string]: Json };
  /** Of an index: the bare bytes that it lays out. Only what is laid out without gap and overlap is named. */
  readonly companions?: readonly Companion[];
  /** Of an index whose loader unpickles parts of other files: all of those files. Its content is then unknown by itself. */
  readonly parts?: readonly Part[];
};

/** Why the report of bytes that no registered format recognises is opaque. */
export const UNRECOGNISED = 'no registered format recognises the content';

/** The whole report of a blob: a pure function of its bytes and the ruleset. */
export type Report = Inspection & { readonly findings: readonly Finding[] };

/** What a parser is given beside the bytes. */
export type Context = {
  /** The containers around this source. */
  readonly path: readonly string[];
  readonly budget: Budget;
  /**
   * True when the source is remote and read by Range: then only what decides is read (directory, `data.pkl`, headers);
   * the whole local file is inspected again before its last bytes leave.
   */
  readonly provisional: boolean;
  /** True when personal data in data sets is to be counted. */
  readonly personalData?: boolean;
  /** Records a finding at `offset` in this source. Text from the file must have passed `printable()`. */
  report(finding: {
    rule: string;
    severity: Severity;
    message: string;
    offset: number;
    evidence?: string;
    refs?: readonly string[];
  }): void;
  /** Inspects a member of this container as every loader would; its findings are recorded with `name` in their path. */
  nested(source: RandomAccess, name: string): Inspection;
  /** The same for a member that lies beside others: the bare bytes that it lays out among them are named. */
  readonly among?: (source: RandomAccess, name: string) => Inspection;
  /** This context for a member that the container's own parser reads: findings are recorded with `name` in their path. */
  readonly inside?: (name: string) => Context;
};

/**
 * A format: one file (or folder) in `formats/`, one line in `formats/index.ts`, fixtures in `test/formats/`.
 * The fields that are text make `docs/formats.md`.
 */
export type Format = {
  readonly name: string;
  /** For people: "PyTorch checkpoint (zip)". */
  readonly title: string;
  /** How it is recognised, what is checked, and the specification or source of the format. */
  readonly recognisedBy: string;
  readonly checks: string;
  readonly references: readonly string[];
  /** The bytes of which every file of this format has one as its first, where there are few: others are not asked about. */
  readonly begins?: readonly number[];
  /**
   * True when the first bytes (up to 4 KiB of `head`) or the structure say that a loader of this format would accept the
   * file. A remote file (`provisional`) is not searched: it is recognised again when it is here, before its last bytes leave.
   */
  recognise(head: Uint8Array, source: RandomAccess, provisional?: boolean): boolean;
  /** True for a format without a mark of its own: it is tried on files that no other recognises. */
  readonly lastResort?: boolean;
  /** Reads the whole file. Throws only FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED. */
  inspect(source: RandomAccess, context: Context): Inspection;
};

/** Text from a file, made safe to show: printable ASCII stays, the rest becomes \u escapes, at most `limit` characters. */
export const printable = (text: string, limit = 200): string => {
  let out = '';
  for (const unit of text.slice(0, limit)) {
    const code = unit.codePointAt(0) ?? 0;
    out += code >= 0x20 && code < 0x7f ? unit : `\\u{${code.toString(16)}}`;
    if (out.length >= limit) return `${out.slice(0, limit - 3)}...`;
  }
  return text.length > limit ? `${out.slice(0, limit - 3)}...` : out;
};

/** The worse of two contents, by their order in CONTENTS. */
export const worseContent = (a: Content, b: Content): Content => (CONTENTS.indexOf(a) >= CONTENTS.indexOf(b) ? a : b);

/** A coverage that says everything was understood. */
export const complete = (size: number): Coverage => ({
  state: 'complete',
  bytesInspected: size,
  bytesTotal: size,
  reason: '',
});

/** A coverage that says only `inspected` of `size` bytes were understood, and why. */
export const incomplete = (state: 'partial' | 'opaque', inspected: number, size: number, reason: string): Coverage => ({
  state,
  bytesInspected: Math.min(inspected, size),
  bytesTotal: size,
  reason,
});
