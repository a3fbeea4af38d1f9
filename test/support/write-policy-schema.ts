import { writeFileSync } from 'node:fs';
import { policyJsonSchema } from '../../src/policy/schema.ts';

/** Writes policies/schema.json anew: `node test/support/write-policy-schema.ts`. */
writeFileSync(
  new URL('../../policies/schema.json', import.meta.url),
  `${JSON.stringify(policyJsonSchema(), undefined, 2)}\n`,
);
