import { createLayouts, type Layouts, withLayouts } from '../companions.ts';
import { type Content, complete, type Format, type Inspection, worseContent } from '../format.ts';
import { readDocument, type Say } from './document.ts';
import { OPENVINO_ELEMENTS, OPENVINO_LAYERS } from './openvino-names.ts';
import type { XmlEvent } from './read.ts';
import { xmlKind } from './recognise.ts';

/** Layers counted for details; a number that no reader depends on. */
type Found = { layers: number; content: Content; layer: string; readonly weights: Layouts };

/** Bits of one element by its name (`ov::element::Type`), where elements are packed one behind the other. */
const BITS: ReadonlyMap<string, number> = new Map([
  ...['f64', 'i64', 'u64'].map((type) => [type, 64] as const),
  ...['f32', 'i32', 'u32'].map((type) => [type, 32] as const),
  ...['f16', 'bf16', 'i16', 'u16'].map((type) => [type, 16] as const),
  ...['i8', 'u8', 'boolean', 'f8e4m3', 'f8e5m2', 'f8e8m0'].map((type) => [type, 8] as const),
  ...['i4', 'u4', 'nf4', 'f4e2m1'].map((type) => [type, 4] as const),
  ['u1', 1],
]);
/** Where the constants of a model stand: a file with the name of the graph (`ov::pass::Serialize`). */
const WEIGHTS = '.bin';

/** OpenVINO intermediate representation: the graph, with weights in a `.bin` beside it. */
export const openvino: Format = {
  name: 'openvino',
  title: 'OpenVINO model (XML)',
  recognisedBy: 'an XML document whose root is `net` with a version',
  checks:
    'well-formed, no document type or entity; every element known, every layer an operation of a published opset, offsets into the weights beside it that are counts',
  references: ['https://docs.openvino.ai/2025/documentation/openvino-ir-format.html', 'CWE-611'],
  recognise: (head, source) => xmlKind(head, source) === 'openvino',
  inspect(source, context): Inspection {
    const found: Found = { layers: 0, content: 'inert', layer: '', weights: createLayouts({ sameStem: true }) };
    let free = 0;
    for (const { event, say } of readDocument(source, context, 'openvino', 'high')) {
      // What converters note about themselves is free-form.
      if (event.kind === 'open' && (free > 0 || FREE.includes(event.name))) free += 1;
      else if (event.kind === 'close' && free > 0) free -= 1;
      else if (event.kind === 'open') judge(event, say, found);
    }
    const { content, layers, weights } = found;
    return { format: 'openvino', content, coverage: complete(source.size), ...withLayouts({ layers }, weights) };
  },
};

/** Elements that hold notes; no reader acts on what is in them. */
const FREE = ['rt_info', 'meta_data', 'quantization_parameters', 'cli_parameters'];

const judge = ({ name, attributes, at }: Extract<XmlEvent, { kind: 'open' }>, say: Say, found: Found): void => {
  const doubt = (rule: string, message: string, evidence: string): void => {
    say(rule, 'medium', message, at, evidence, ['CWE-829', 'LLM03:2025']);
    found.content = worseContent(found.content, 'unknown');
  };
  if (name === 'layer') {
    found.layers += 1;
    const type = attributes.get('type') ?? '';
    found.layer = type;
    const opset = attributes.get('version') ?? '';
    if (!/^(?:opset[0-9]{1,2})?$/.test(opset))
      doubt('extension', 'a layer comes from an extension library', `${type} (${opset})`);
    else if (!OPENVINO_LAYERS.has(type)) doubt('layer-unknown', 'a layer is not an operation of any opset', type);
  } else if (name === 'data') {
    if (found.layer === 'Const') layOutConstant(attributes, found.weights);
    for (const key of ['offset', 'size']) {
      const value = attributes.get(key);
      if (attributes.has('element_type') && value !== undefined && !/^[0-9]{1,15}$/.test(value))
        doubt('weights-range', 'a range of weights is not two counts', `${key}=${value}`);
    }
    for (const key of attributes.keys())
      if (/library|script|plugin/i.test(key)) doubt('library', 'a layer names a library', key);
  } else if (!OPENVINO_ELEMENTS.has(name)) doubt('element-unknown', 'an element that no reader knows', name);
};

const COUNT = /^[0-9]{1,15}$/;

/** Notes where a constant is; one whose size is not that of its shape and type leaves all the weights unexplained. */
const layOutConstant = (attributes: ReadonlyMap<string, string>, weights: Layouts): void => {
  const value = (name: string): string => attributes.get(name)?.trim() ?? '';
  const dims = value('shape') === '' ? [] : value('shape').split(',');
  const bits = BITS.get(value('element_type'));
  const numbers = [...dims.map((dim) => dim.trim()), value('offset'), value('size')];
  if (bits === undefined || !numbers.every((number) => COUNT.test(number))) {
    weights.refuse(WEIGHTS, 'a constant has no known size');
    return;
  }
  const elements = dims.reduce((product, dim) => product * BigInt(dim.trim()), 1n);
  const [offset, size] = [Number(value('offset')), Number(value('size'))];
  if ((elements * BigInt(bits) + 7n) / 8n === BigInt(size)) weights.place(WEIGHTS, offset, offset + size);
  else weights.refuse(WEIGHTS, 'a constant has another size than its shape needs');
};
