// Writes docs/formats.md anew from the registry of formats, the samples of the suite and the default policy; a test says
// when that is needed.
import { writeFileSync } from 'node:fs';
import { formatsPage } from '../test/support/formats-page.ts';

writeFileSync(new URL('../docs/formats.md', import.meta.url), formatsPage());
