import { MIB } from '../../bytes/limits.ts';
import { head, type RandomAccess } from '../../bytes/random-access.ts';
import { createOffsets, utf8Length } from '../../bytes/utf8.ts';
import { createDataset } from '../../content/injection/dataset.ts';
import { type Remark, reportAll } from '../../content/remark.ts';
import { WeighbridgeError } from '../../errors.ts';
import {
  type Context,
  type Coverage,
  complete,
  type Format,
  type Inspection,
  incomplete,
  type Json,
  printable,
} from '../format.ts';
import { describeLineage } from '../lineage/describe.ts';
import { type Encoding, encodingOf, wholeText } from '../text/decode.ts';
import { kindOf } from '../text/kind.ts';
import { linesOf } from './lines.ts';
import { checkNotebook, isNotebook } from './notebook.ts';
import { type Duplicate, isList, isObject, type JsonValue, parseJson } from './parse.ts';
import { DIALECT, parsePart } from './part.ts';
import { readQdrant } from './qdrant.ts';
import { createQuickRows } from './quick.ts';
import { inLines, inList } from './rows.ts';
import { type Checked, checkDocument, checkOverwritten, checkRow, endRow } from './rules.ts';
import { inspectStreamed, isLongList, isStreamedObject } from './streamed.ts';
import { readManifest } from './weights-manifest.ts';
import { readZarr } from './zarr.ts';

/** Bytes of a document that is read whole. The largest tokenizers have some 35 MB; larger data is read in pieces. */
const DOCUMENT = 128 * MIB;
/** Characters that cost a step; every value costs one more. */
const CHARACTERS = 64;

/** JSON documents: configurations, tokenizers, shard indexes, notebooks, records. */
export const json: Format = {
  name: 'json',
  title: 'JSON',
  recognisedBy: 'text that begins like a JSON object or array and is not JSON Lines',
  checks:
    'grammar, depth, duplicate keys; code to import (auto_map, custom pipelines, Hydra targets, jsonpickle), chat templates, shard, weights and module paths, chunks of arrays and their codecs (Zarr), notebook cells, plain prompt injection; lists of rows from 4 MiB on element by element, as JSON Lines are read',
  references: ['RFC 8259', 'CVE-2025-23304', 'CVE-2024-34359'],
  recognise: (head, source) => kindOf(head, source) === 'json',
  inspect(source, context): Inspection {
    if (isLongList(source) || (source.size > DOCUMENT && isStreamedObject(source)))
      return inspectStreamed(source, context);
    const text = wholeText(source, DOCUMENT);
    context.budget.spend('steps', Math.ceil(text.length / CHARACTERS));
    const { value, duplicates, end } = parseJson(text, DIALECT);
    const rest = text.slice(end).trimStart();
    if (rest !== '')
      throw new WeighbridgeError('FORMAT_INVALID', 'JSON: something follows the document', { offset: end });
    reportDuplicates(duplicates, text, context);
    const notebook = isNotebook(value);
    const { remarks, opaque, flagged } = checkDocument(value, context.budget, context, duplicates);
    reportAt(remarks, text, context);
    const manifest = readManifest(value, context.budget);
    const zarr = readZarr(value);
    reportAt([...manifest.remarks, ...zarr.remarks], text, context);
    if (notebook) reportAt(checkNotebook(value, context.budget), text, context);
    const coverage = coverageOf(source, opaque);
    // Of a key that stands twice readers take one or the other.
    const companions = duplicates.length > 0 ? [] : [...manifest.companions, ...zarr.companions, ...readQdrant(value)];
    return {
      format: 'json',
      content: notebook ? 'code' : 'inert',
      coverage,
      ...(flagged === undefined
        ? {}
        : { rows: inList(flagged, isList(value) ? value : [], text, end, encodingAt(source)) }),
      details: { ...describe(value), ...describeLineage(value, context.budget) },
      ...(companions.length === 0 ? {} : { companions }),
    };
  },
};

/** JSON Lines: one value a line, however many. */
export const jsonLines: Format = {
  name: 'jsonl',
  title: 'JSON Lines',
  recognisedBy: 'text whose first line is one whole JSON object or array, with more lines behind it',
  checks:
    'grammar, depth and duplicate keys of every line; every text against the rules for injected text, by column and rate; planted triggers; what is checked in JSON documents',
  references: ['https://jsonlines.org/', 'RFC 8259'],
  recognise: (head, source) => kindOf(head, source) === 'jsonl',
  inspect(source, context): Inspection {
    const dataset = createDataset(context);
    const quick = createQuickRows(dataset);
    let rows = 0;
    let opaque = '';
    for (const { line, offset, end: lineEnd, passed } of linesOf(source, quick, context.budget)) {
      rows += passed;
      if (line.trim() === '') continue;
      quick.flush();
      rows += 1;
      context.budget.spend('steps', 1 + line.length / CHARACTERS);
      const { value, duplicates } = parsePart(line, offset, `row ${rows}`);
      if (duplicates.length > 0)
        reportDuplicates(
          duplicates.map((found) => ({ ...found, at: 0 })),
          line,
          context,
        );
      const checked: Checked = { remarks: [], opaque: '' };
      checkRow(value, dataset, checked, context.budget, offset);
      for (const duplicate of duplicates) checkOverwritten(duplicate, dataset, checked, context.budget, offset);
      endRow(dataset, checked.remarks, { start: offset, end: Math.min(lineEnd, source.size) });
      reportAll(context, checked.remarks, offset);
      opaque ||= checked.opaque;
    }
    quick.flush();
    const { remarks, flagged } = dataset.finish();
    reportAll(context, remarks, 0);
    return {
      format: 'jsonl',
      content: 'inert',
      coverage: coverageOf(source, opaque),
      rows: inLines(flagged, encodingAt(source)),
      details: { rows },
    };
  },
};

const encodingAt = (source: RandomAccess): Encoding => encodingOf(head(source, 4));

const coverageOf = (source: RandomAccess, opaque: string): Coverage =>
  opaque === '' ? complete(source.size) : incomplete('partial', source.size, source.size, opaque);

const reportAt = (remarks: readonly Remark[], text: string, context: Context): void => {
  const offsetOf = createOffsets(text);
  reportAll(
    context,
    [...remarks].sort((a, b) => a.offset - b.offset).map((remark) => ({ ...remark, offset: offsetOf(remark.offset) })),
    0,
  );
};

const reportDuplicates = (duplicates: readonly Duplicate[], text: string, context: Context): void => {
  const [first] = duplicates;
  if (first === undefined) return;
  const message = `${duplicates.length} keys occur twice in their object: readers disagree about which counts`;
  const evidence = printable(first.key);
  context.report({
    rule: 'json.duplicate-key',
    severity: 'low',
    message,
    offset: utf8Length(text, first.at),
    evidence,
    refs: ['CWE-436'],
  });
};

/** Facts that bills of materials use, from the configurations that loaders read. */
const FACTS = ['model_type', 'torch_dtype', 'transformers_version', 'tokenizer_class', '_class_name', 'library_name'];

const describe = (value: JsonValue): { [key: string]: Json } => {
  if (!isObject(value)) return {};
  const details: { [key: string]: Json } = {};
  for (const key of FACTS) {
    const fact = value.entries.get(key);
    if (typeof fact === 'string') details[key] = printable(fact, 80);
  }
  if (isNotebook(value)) details['kind'] = 'notebook';
  const shards = value.entries.get('weight_map');
  if (isObject(shards)) {
    details['kind'] = 'shard index';
    details['shards'] = new Set(shards.entries.values()).size;
    details['tensors'] = shards.entries.size;
  }
  return details;
};
