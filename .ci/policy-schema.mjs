// Writes the schemas below policies/ anew from those that the loader uses; a test says when that is needed.
import { writeFileSync } from 'node:fs';
import { policyJsonSchema } from '../src/policy/schema.ts';
import { testJsonSchema } from '../src/policy/test-schema.ts';

const write = (path, schema) =>
  writeFileSync(new URL(`../policies/${path}`, import.meta.url), `${JSON.stringify(schema, undefined, 2)}\n`);

write('schema.json', policyJsonSchema());
write('tests/schema.json', testJsonSchema());
