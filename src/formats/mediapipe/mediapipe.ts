import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Context, type Format, type Inspection, printable } from '../format.ts';
import { coverageOf, type Fields, look, one, openWire, text, type Visitor, type Wire, walk } from '../protobuf/walk.ts';
import { createJudge } from './judge.ts';
import { OPTIONS } from './options.ts';
import { createPackets } from './packets.ts';
import { isMediaPipe } from './recognise.ts';
import { MEDIAPIPE } from './schema.ts';

const FORMAT = 'mediapipe';
const GRAPH = 'CalculatorGraphConfig';

/**
 * MediaPipe graphs (`.binarypb`): a protocol buffer of nodes, each naming a calculator, or another graph, that is built into
 * the program, with options. The program looks the names up and runs what it finds; options and constants of the graph
 * can name files, which calculators read, write or load as libraries.
 */
export const mediapipe: Format = {
  name: FORMAT,
  title: 'MediaPipe graph',
  recognisedBy:
    'a protocol buffer whose fields are those of CalculatorGraphConfig, with nodes one of which is a calculator of MediaPipe',
  checks:
    'every field of every message is known; each calculator is on the list of those that compute; options name no files but ' +
    'models beside the graph; texts that the graph hands to calculators are no paths',
  references: ['mediapipe/framework/calculator.proto', 'CWE-73', 'CWE-829'],
  recognise: (_head, source) => isMediaPipe(source),
  inspect: (source, context) => inspectGraph(source, context),
};

const inspectGraph = (source: RandomAccess, context: Context): Inspection => {
  const wire = openWire(source, MEDIAPIPE, context, FORMAT);
  const whole = { start: 0, end: source.size };
  const judge = createJudge(wire);
  const packets = createPackets(wire, judge);
  let nodes = 0;
  const visitor: Visitor = {
    ...judge.visitor,
    Node: (fields, { start }, depth) => {
      nodes += 1;
      packets.node(fields, start, depth);
    },
    Any: (fields, _range, depth) => walkAny(wire, fields, visitor, depth),
  };
  walk(wire, GRAPH, whole, visitor);
  const graph = look(wire, GRAPH, whole);
  packets.finish(graph);
  const type = printable(text(wire, graph, 'type'), 80);
  return { format: FORMAT, content: 'inert', coverage: coverageOf(wire), details: { type, nodes } };
};

const TYPE = /^type\.googleapis\.com\/mediapipe\.(\w{1,100}?)(?:CalculatorOptions)?$/;

/** Options in a message of their own, which says of which type they are. */
const walkAny = (wire: Wire, fields: Fields, visitor: Visitor, depth: number): void => {
  const message = TYPE.exec(text(wire, fields, 'type_url'))?.[1] ?? '';
  const value = one(fields, 'value');
  if (Object.hasOwn(OPTIONS, message)) {
    if (value !== undefined) walk(wire, message, value, visitor, depth + 1);
    return;
  }
  wire.unknown.count += 1;
  wire.unknown.first ||= `options of a type that is not known at ${one(fields, 'type_url')?.at ?? 0}`;
};
