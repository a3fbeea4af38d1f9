import { all, type Fields, look, text, type Wire } from '../protobuf/walk.ts';
import { textOf } from '../protobuf/wire.ts';
import type { Judge } from './judge.ts';
import { CONSTANT, FILE_CONTENTS } from './names.ts';

/** Depth of a node of the graph itself; those of a container lie deeper, and their packets have no names. */
const OWN = 1;
/** Where a text may go: the labels to look for. Anywhere else it may be taken for a path. */
const HARMLESS: ReadonlySet<string> = new Set(['LABELS_CSV']);

/** A packet that is there before the graph runs, as nodes name it: `TAG:index:name`, `TAG:name` or `name`. */
type Packet = { readonly tag: string; readonly name: string; readonly offset: number };

const packetsOf = (wire: Wire, fields: Fields, field: string): Packet[] =>
  all(fields, field).map((found) => {
    const parts = textOf(wire.source, found).split(':');
    return { tag: parts.length > 1 ? (parts[0] ?? '') : '', name: parts.at(-1) ?? '', offset: found.at };
  });

/**
 * Follows the packets that a graph makes of texts: a calculator that is given one as a path reads that file. Harmless are
 * texts of which labels are made, and files that whoever runs the graph names.
 */
export const createPackets = (wire: Wire, judge: Judge) => {
  const texts = new Map<string, number>();
  const uses: Packet[] = [];
  const files: Packet[] = [];
  const textFrom = (offset: number, name: string): void =>
    judge.report(
      'mediapipe.text',
      'medium',
      'a text of the graph is handed to a calculator, which may open it as a file',
      offset,
      name,
    );

  const node = (fields: Fields, offset: number, depth: number): void => {
    const calculator = text(wire, fields, 'calculator');
    const inputs = packetsOf(wire, fields, 'input_side_packet');
    uses.push(...inputs);
    if (calculator === FILE_CONTENTS) files.push(...(depth === OWN ? inputs : [{ tag: '', name: '', offset }]));
    else judge.calculator(calculator, offset);
    if (!holdsText(wire, fields)) return;
    if (depth !== OWN || calculator !== CONSTANT) textFrom(offset, calculator);
    for (const { name } of packetsOf(wire, fields, 'output_side_packet')) texts.set(name, offset);
  };

  const finish = (graph: Fields): void => {
    const given = new Set(packetsOf(wire, graph, 'input_side_packet').map(({ name }) => name));
    const outwards = packetsOf(wire, graph, 'output_side_packet');
    for (const { name, offset } of files) {
      if (!given.has(name) || texts.has(name))
        judge.report('mediapipe.calculator', 'high', 'a calculator reads a file', offset, FILE_CONTENTS);
    }
    for (const { tag, name } of [...uses, ...outwards]) {
      const made = texts.get(name);
      if (made !== undefined && !HARMLESS.has(tag)) textFrom(made, name);
    }
  };
  return { node, finish };
};

/** True when the options of a node hold a constant that is a text. */
const holdsText = (wire: Wire, node: Fields): boolean =>
  all(node, 'options')
    .flatMap((options) => all(look(wire, 'CalculatorOptions', options), 'constant'))
    .flatMap((constant) => all(look(wire, 'ConstantSidePackets', constant), 'packet'))
    .map((packet) => look(wire, 'ConstantPacket', packet))
    .some((packet) => packet.has('string_value') || packet.has('string_vector_value'));
