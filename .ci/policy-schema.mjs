// Writes policies/schema.json anew from the schema that the loader uses; a test says when that is needed.
import { writeFileSync } from 'node:fs';
import { policyJsonSchema } from '../src/policy/schema.ts';

writeFileSync(
  new URL('../policies/schema.json', import.meta.url),
  `${JSON.stringify(policyJsonSchema(), undefined, 2)}\n`,
);
