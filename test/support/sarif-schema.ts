import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';

const require = createRequire(import.meta.url);

/** The JSON schema of SARIF 2.1.0 as OASIS made it, from the package that carries it. */
const readSchema = (): Record<string, unknown> => {
  const folder = dirname(require.resolve('@microsoft/jest-sarif/package.json'));
  const schema = JSON.parse(readFileSync(join(folder, 'lib', 'schemas', 'sarif-2.1.0-rtm.5.json'), 'utf8'));
  // It is written in draft 4, whose `id` later drafts call `$id`; it uses nothing else that changed.
  delete schema.$schema;
  delete schema.id;
  return schema;
};

/** What the schema says against a SARIF log, formats of URIs and dates included; nothing for a valid one. */
export const sarifFaults = (() => {
  // One of its patterns is none where Unicode is told to regular expressions.
  const options = { allErrors: true, strict: false, unicodeRegExp: false, formats: fullFormats };
  const validate = new Ajv(options).compile(readSchema());
  return (log: unknown): readonly string[] =>
    validate(log) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
})();
