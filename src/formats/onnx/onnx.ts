import type { RandomAccess } from '../../bytes/random-access.ts';
import { checkMetadata } from '../../content/metadata.ts';
import { reportAll } from '../../content/remark.ts';
import { createLayouts, withLayouts } from '../companions.ts';
import { type Context, type Format, type Inspection, type Json, printable } from '../format.ts';
import {
  all,
  coverageOf,
  type Fields,
  look,
  one,
  openWire,
  peek,
  text,
  type Visitor,
  type Wire,
  walk,
} from '../protobuf/walk.ts';
import { checkNode, functionKey, type Used } from './node.ts';
import { ONNX } from './schema.ts';
import { checkTensor, padsExternal } from './tensor.ts';

/** The newest IR version that is known; newer ones may hold what no rule here has seen. */
const NEWEST = 14;

/**
 * ONNX: a protocol buffer (onnx.proto3, message ModelProto) with a graph of nodes, each an operator of a domain, and
 * tensors. Runtimes compute operators of the standard domains themselves; any other needs a native library, unless the
 * model defines it as a function of its own. A tensor's bytes stand in the file, or in another file whose path the model
 * names. Fields that no schema knows and bytes behind the model are skipped or refused by readers in different ways.
 */
export const onnx: Format = {
  name: 'onnx',
  title: 'ONNX model',
  recognisedBy:
    'a protocol buffer whose fields are those of ModelProto, with a graph whose fields are those of GraphProto',
  checks:
    'every field of every message is known and stands once; each operator belongs to the standard or is a function of the model; ' +
    'shape, type and size of each tensor agree; external data lie beside the model; metadata without code; tensors that are something else in disguise',
  references: ['onnx.proto3', 'CVE-2022-25882', 'CVE-2024-27318', 'CVE-2025-51480', 'CWE-829'],
  recognise: (_head, source) => isOnnx(source),
  inspect(source, context) {
    const wire = openWire(source, ONNX, context, 'onnx');
    return inspectModel(wire, context);
  },
};

const isOnnx = (source: RandomAccess): boolean => {
  const { fields } = peek(source, ONNX, 'ModelProto');
  return fields.some(({ name, start, end }) => {
    if (name !== 'graph') return false;
    const graph = peek(source, ONNX, 'GraphProto', { start, end });
    return graph.fits && graph.fields.length > 0;
  });
};

const inspectModel = (wire: Wire, context: Context): Inspection => {
  const whole = { start: 0, end: wire.source.size };
  const functions = functionsOf(wire, look(wire, 'ModelProto', whole));
  const used: Used = { nodes: 0, domains: new Set(), reported: new Set() };
  const counts = { tensors: 0, parameters: 0 };
  const details: { [key: string]: Json } = {};
  const layouts = createLayouts({ pads: padsExternal });
  const visitor: Visitor = {
    ModelProto: (fields) => Object.assign(details, checkModel(wire, fields, context)),
    NodeProto: (fields, { start }) => checkNode(wire, fields, start, functions, used),
    TensorProto: (fields, { start }) => {
      counts.tensors += 1;
      counts.parameters += checkTensor(wire, fields, start, layouts);
    },
  };
  walk(wire, 'ModelProto', whole, visitor);
  const { nodes, domains } = used;
  const named = [...domains].slice(0, 16).map((domain) => printable(domain, 80));
  return {
    format: 'onnx',
    content: 'inert',
    coverage: coverageOf(wire),
    ...withLayouts({ ...details, nodes, ...counts, domains: named }, layouts),
  };
};

const functionsOf = (wire: Wire, model: Fields): ReadonlySet<string> =>
  new Set(
    all(model, 'functions').map((field) => {
      const fields = look(wire, 'FunctionProto', field);
      return functionKey(text(wire, fields, 'domain'), text(wire, fields, 'name'));
    }),
  );

const checkModel = (wire: Wire, fields: Fields, context: Context): { [key: string]: Json } => {
  const version = Number(one(fields, 'ir_version')?.value ?? 0);
  if (version > NEWEST) {
    const evidence = String(version);
    context.report({
      rule: 'onnx.version',
      severity: 'medium',
      message: 'a newer version than is known',
      offset: 0,
      evidence,
    });
  }
  for (const field of all(fields, 'metadata_props')) {
    const entry = look(wire, 'StringStringEntryProto', field);
    const remarks = checkMetadata(text(wire, entry, 'key'), text(wire, entry, 'value'), context.budget);
    reportAll(context, remarks, field.at);
  }
  const producer = `${text(wire, fields, 'producer_name')} ${text(wire, fields, 'producer_version')}`.trim();
  return { irVersion: version, producer: printable(producer, 80) };
};
