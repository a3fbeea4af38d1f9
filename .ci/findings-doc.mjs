// Writes docs/findings.md anew from the table of findings; a test says when that is needed.
import { writeFileSync } from 'node:fs';
import { findingsPage } from '../test/support/findings-page.ts';

writeFileSync(new URL('../docs/findings.md', import.meta.url), findingsPage());
