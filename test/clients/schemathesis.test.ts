import t from 'tap';
import { startApiWorld, tokenOf } from '../support/api-world.ts';
import { runCommand } from '../support/clients.ts';
import { jsonOf } from '../support/world.ts';

/** One phase over http, one over https: both ways are asked, in the time of one. */
const PHASES = [
  { phase: 'coverage', secure: false, least: 1000 },
  { phase: 'fuzzing', secure: true, least: 500 },
];
/** Cases of each operation in the second phase; the first has a fixed number. */
const EXAMPLES = '20';
const SEED = '5';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
].join(',');

// Password hashes make it long on a busy machine: it must not meet the runner's own limit first.
t.setTimeout(250_000);

t.test('schemathesis finds no 5xx and no answer that the document does not describe', async (t) => {
  for (const { phase, secure, least } of PHASES)
    await t.test(`${phase} over ${secure ? 'https' : 'http'}`, async (t) => {
      const { ask, world } = await startApiWorld(t, { secure });
      const document = await jsonOf(await ask('admin', 'GET', '/openapi.json'));
      const operations = Object.values(document['paths'] as object).flatMap((methods) => Object.keys(methods)).length;
      const { code, stdout, stderr } = await runCommand('api', 'schemathesis', {
        args: [
          ...['run', `${world.url}/openapi.json`, '--header', `Authorization: Bearer ${tokenOf('admin')}`],
          ...['--checks', CHECKS, '--phases', phase, '--max-examples', EXAMPLES, '--seed', SEED],
          ...['--continue-on-failure', '--generation-database', 'none', '--suppress-health-check', 'all'],
          ...['--warnings', 'off', '--request-timeout', '20'],
        ],
        env: world.trust,
        timeout: 120_000,
      });
      t.equal(code, 0, `${stdout}\n${stderr}`.slice(-6000));
      // The document itself is where the client read all this: it leaves that one out.
      t.match(stdout, `Tested: ${operations - 1}`, 'every operation was asked');
      const cases = Number(/([\d,]+) generated/.exec(stdout)?.[1]?.replace(',', ''));
      t.ok(cases > least, `${cases} cases`);
    });
});
