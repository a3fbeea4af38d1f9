import { type Content, complete, type Format, type Inspection, type Json, worseContent } from '../format.ts';
import { readDocument, type Say } from './document.ts';
import { OPENVINO_ELEMENTS, OPENVINO_LAYERS } from './openvino-names.ts';
import type { XmlEvent } from './read.ts';
import { xmlKind } from './recognise.ts';

/** Layers counted for details; a number that no reader depends on. */
type Found = { layers: number; content: Content };

/** OpenVINO intermediate representation: the graph, with weights in a `.bin` beside it. */
export const openvino: Format = {
  name: 'openvino',
  title: 'OpenVINO model (XML)',
  recognisedBy: 'an XML document whose root is `net` with a version',
  checks:
    'well-formed, no document type or entity; every element known, every layer an operation of a published opset, offsets into the weights that are counts',
  references: ['https://docs.openvino.ai/2025/documentation/openvino-ir-format.html', 'CWE-611'],
  recognise: (head, source) => xmlKind(head, source) === 'openvino',
  inspect(source, context): Inspection {
    const found: Found = { layers: 0, content: 'inert' };
    let free = 0;
    for (const { event, say } of readDocument(source, context, 'openvino', 'high')) {
      // What converters note about themselves is free-form.
      if (event.kind === 'open' && (free > 0 || FREE.includes(event.name))) free += 1;
      else if (event.kind === 'close' && free > 0) free -= 1;
      else if (event.kind === 'open') judge(event, say, found);
    }
    const details: Record<string, Json> = { layers: found.layers };
    return { format: 'openvino', content: found.content, coverage: complete(source.size), details };
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
    const opset = attributes.get('version') ?? '';
    if (!/^(?:opset[0-9]{1,2})?$/.test(opset))
      doubt('extension', 'a layer comes from an extension library', `${type} (${opset})`);
    else if (!OPENVINO_LAYERS.has(type)) doubt('layer-unknown', 'a layer is not an operation of any opset', type);
  } else if (name === 'data') {
    for (const key of ['offset', 'size']) {
      const value = attributes.get(key);
      if (attributes.has('element_type') && value !== undefined && !/^[0-9]{1,15}$/.test(value))
        doubt('weights-range', 'a range of weights is not two counts', `${key}=${value}`);
    }
    for (const key of attributes.keys())
      if (/library|script|plugin/i.test(key)) doubt('library', 'a layer names a library', key);
  } else if (!OPENVINO_ELEMENTS.has(name)) doubt('element-unknown', 'an element that no reader knows', name);
};
