import { checkMetadata } from '../../content/metadata.ts';
import { reportAll } from '../../content/remark.ts';
import { type Context, type Format, type Inspection, printable, type Severity } from '../format.ts';
import {
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
import { COREML } from './schema.ts';

/** Field numbers of Model that hold a model: everything before them describes it. */
const FIRST_TYPE = 200;
/** Weights of an ML program lie in a folder beside the model. */
const BLOB = /^@model_path\/(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*\/){0,4}[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
const OPERATION = /^[a-z][a-z0-9_]*$/;

/**
 * Core ML (Model.proto of coremltools): a protocol buffer with a description and one model of some kind: trees, neural
 * networks of layers, ML programs of operations, or a pipeline of models. All are computed by the system, except custom
 * layers and custom models, which name a class of the application, and linked models, which name another file. The weights
 * of a program lie in files beside it.
 */
export const coreml: Format = {
  name: 'coreml',
  title: 'Core ML model',
  recognisedBy: 'a protocol buffer with the fields of Model: a version and a model of a known kind',
  checks:
    'every field of the messages that can hold references is known; no custom layer, custom model or linked model; weights lie beside the model; metadata without code',
  references: ['coremltools/mlmodel/format/Model.proto', 'CWE-470', 'CWE-22'],
  recognise(_head, source) {
    const { fields } = peek(source, COREML, 'Model');
    return (
      fields.some(({ name }) => name === 'specificationVersion') &&
      fields.some(({ number, sized }) => sized && number >= FIRST_TYPE)
    );
  },
  inspect(source, context): Inspection {
    const wire = openWire(source, COREML, context, 'coreml');
    const kinds = new Set<string>();
    walk(wire, 'Model', { start: 0, end: source.size }, visitorOf(wire, context, kinds));
    return {
      format: 'coreml',
      content: 'inert',
      coverage: coverageOf(wire),
      details: { kinds: [...kinds].slice(0, 16) },
    };
  },
};

type Say = (rule: string, severity: Severity, message: string, offset: number, evidence: string) => void;

const visitorOf = (wire: Wire, context: Context, kinds: Set<string>): Visitor => {
  const refs = ['CWE-470', 'CWE-829', 'AML.T0010'];
  const say: Say = (rule, severity, message, offset, evidence) =>
    context.report({ rule: `coreml.${rule}`, severity, message, offset, evidence: printable(evidence), refs });
  return {
    Model: (fields, { start }) => {
      for (const same of fields.values())
        for (const { number, name } of same) if (number >= FIRST_TYPE) kinds.add(name);
      if (fields.has('serializedModel'))
        say('opaque', 'medium', 'a model in a form of its own that nobody can read', start, '');
    },
    MetadataUserDefinedEntry: (fields, { start }) =>
      reportAll(context, checkMetadata(text(wire, fields, 'key'), text(wire, fields, 'value'), context.budget), start),
    CustomLayerParams: (fields, { start }) =>
      say(
        'custom-layer',
        'medium',
        'a layer runs a class of the application by name',
        start,
        text(wire, fields, 'className'),
      ),
    CustomModel: (fields, { start }) =>
      say(
        'custom-model',
        'medium',
        'the model is a class of the application by name',
        start,
        text(wire, fields, 'className'),
      ),
    LinkedModelFile: (fields, { start }) => checkLink(wire, fields, start, say),
    MILSpecOperation: (fields, { start }) => {
      const type = text(wire, fields, 'type');
      if (OPERATION.test(type) && !type.startsWith('custom')) return;
      say('operation', 'medium', 'an operation that the system does not have', start, type);
    },
    MILSpecValueBlobFileValue: (fields, { start }) => {
      const file = text(wire, fields, 'fileName');
      if (!BLOB.test(file)) say('weights-path', 'high', "weights lie outside the model's folder", start, file);
    },
  };
};

const checkLink = (wire: Wire, fields: Fields, start: number, say: Say): void => {
  const of = (name: string): string => {
    const field = one(fields, name);
    return field === undefined ? '' : text(wire, look(wire, 'StringParameter', field), 'defaultValue');
  };
  const path = `${of('linkedModelSearchPath')}/${of('linkedModelFileName')}`;
  const outside = path.startsWith('/') === (of('linkedModelSearchPath') !== '') || path.split(/[\\/]/).includes('..');
  say('linked-model', outside ? 'high' : 'medium', 'the model is another file, which it names', start, path);
};
