import { dangerOf } from '../../content/python/names.ts';
import type { Remark } from '../../content/remark.ts';
import { escapes } from '../../content/targets.ts';
import { printable, type Severity } from '../format.ts';
import { isObject, type JsonObject, type JsonValue } from '../json/parse.ts';

/** The `MLmodel` file of MLflow: flavours, the module that loads each, and where its files are. */
export const checkMlflow = (root: JsonValue): readonly Remark[] => {
  const flavors = isObject(root) ? root.entries.get('flavors') : undefined;
  if (!isObject(flavors)) return [];
  return [...flavors.entries.values()].filter(isObject).flatMap(checkFlavor);
};

const checkFlavor = ({ at, entries }: JsonObject): readonly Remark[] => {
  const remarks: Remark[] = [];
  const say = (rule: string, severity: Severity, message: string, evidence: string, refs: readonly string[]): void => {
    remarks.push({ rule: `mlflow.${rule}`, severity, message, offset: at, evidence: printable(evidence), refs });
  };
  const loader = entries.get('loader_module');
  if (typeof loader === 'string' && !/^mlflow(?:\.[a-z_0-9]{1,40}){0,4}$/.test(loader)) {
    const severity = (dangerOf(loader) ?? dangerOf(`${loader}.x`)) === undefined ? 'medium' : 'high';
    say('loader', severity, 'a model is loaded by a module that is not of MLflow', loader, ['CWE-470', 'LLM03:2025']);
  }
  const code = entries.get('code');
  if (typeof code === 'string' && code !== '')
    say('code', 'low', 'the loader imports Python files beside the model', code, ['CWE-829', 'CVE-2024-37060']);
  if (entries.get('serialization_format') === 'cloudpickle')
    say('cloudpickle', 'low', 'the model beside it is a pickle of code', 'cloudpickle', ['CWE-502', 'CVE-2024-37052']);
  for (const [key, value] of entries)
    if (
      typeof value === 'string' &&
      /^(?:data|code|model_path|pickled_model|python_model)$/.test(key) &&
      escapes(value)
    )
      say('path', 'high', `${key} leads out of the model's folder`, value, ['CWE-22']);
  return remarks;
};
