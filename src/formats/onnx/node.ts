import { printable, type Severity } from '../format.ts';
import { all, type Fields, look, one, text, type Wire } from '../protobuf/walk.ts';
import { latinOf } from '../protobuf/wire.ts';
import { CONTRIBUTED, DANGEROUS, OPERATORS } from './operators.ts';

/** What the nodes of a model were found to use. */
export type Used = { nodes: number; readonly domains: Set<string>; readonly reported: Set<string> };

/** The name under which a model's own function is called. */
export const functionKey = (domain: string, name: string): string => `${domain === 'ai.onnx' ? '' : domain} ${name}`;

/** Holds the operator of a node against what runtimes compute themselves and what the model defines itself. */
export const checkNode = (
  wire: Wire,
  fields: Fields,
  offset: number,
  functions: ReadonlySet<string>,
  used: Used,
): void => {
  const domain = text(wire, fields, 'domain');
  const operator = text(wire, fields, 'op_type');
  used.nodes += 1;
  used.domains.add(domain === '' ? 'ai.onnx' : domain);
  const verdict = judge(wire, fields, domain, operator, functions);
  const key = `${domain} ${operator}`;
  if (verdict === undefined || used.reported.has(key)) return;
  used.reported.add(key);
  const { rule, severity, message } = verdict;
  const evidence = printable(domain === '' ? operator : `${domain}::${operator}`);
  wire.context.report({ rule, severity, message, offset, evidence, refs: ['CWE-829', 'AML.T0010', 'LLM03:2025'] });
};

type Verdict = { readonly rule: string; readonly severity: Severity; readonly message: string };

const judge = (
  wire: Wire,
  fields: Fields,
  domain: string,
  operator: string,
  functions: ReadonlySet<string>,
): Verdict | undefined => {
  if (functions.has(functionKey(domain, operator))) return undefined;
  const danger = DANGEROUS.get(operator);
  if (danger !== undefined) return { rule: 'onnx.operator', severity: 'high', message: `an operator ${danger}` };
  const known = OPERATORS.get(domain);
  if (known?.has(operator) === true) return undefined;
  if (CONTRIBUTED.has(domain)) {
    const message = 'an operator that only ONNX Runtime has';
    return { rule: 'onnx.contributed-operator', severity: 'info', message };
  }
  if (known !== undefined) {
    const message = 'an operator that the standard does not define';
    return { rule: 'onnx.unknown-operator', severity: 'medium', message };
  }
  if (touchesFiles(wire, fields)) {
    return { rule: 'onnx.operator', severity: 'high', message: 'an operator of a framework reads or writes files' };
  }
  const message = 'a custom operator: it runs a native library that the file does not hold';
  return { rule: 'onnx.custom-operator', severity: 'medium', message };
};

/** `ATen` nodes name the function of the framework that they call. */
const touchesFiles = (wire: Wire, fields: Fields): boolean =>
  all(fields, 'attribute').some((field) => {
    const attribute = look(wire, 'AttributeProto', field);
    if (text(wire, attribute, 'name') !== 'operator') return false;
    return /file|save|load|open|exec|system|shell/i.test(latinOf(wire.source, one(attribute, 's'), 200));
  });
