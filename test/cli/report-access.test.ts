import t from 'tap';
import { account } from '../../src/cli/account.ts';
import { report } from '../../src/cli/report.ts';
import { token } from '../../src/cli/token.ts';
import { runCommand } from '../support/command-io.ts';
import { startWorld, type World } from '../support/world.ts';

const PASSWORD = 'correct horse battery';
const MINUTE = 60_000;
const odd = Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919 + 5) >> 3));
type Headers = Record<string, string>;

const run = (input: string, ...args: string[]) => runCommand(account.run, args, input);

const signedIn = async (world: World, name: string): Promise<Headers> => {
  const answer = await fetch(`${world.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password: PASSWORD }),
  });
  const { csrf } = (await answer.json()) as { csrf: string };
  return { cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? '', 'x-weighbridge-csrf': csrf };
};

const post = async (world: World, headers: Headers, path: string, body: object) => {
  const answer = await fetch(`${world.url}/api/v1/${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: read as a page would
  return { status: answer.status, json: (await answer.json()) as any };
};

t.test('what one person asks for another releases, and the report says who held which role when', async (t) => {
  const repo = { name: 'acme/odd', files: { 'odd.bin': odd } };
  const world = await startWorld(t, [repo], { settings: { AUTH_REQUIRED: 'true' } });
  const here = ['--data', world.data];
  let pipeline = '';
  await world.restart(async () => {
    for (const [name, role] of [
      ['ann', 'approver'],
      ['bob', 'approver'],
      ['carl', 'viewer'],
    ] as const)
      await run(`${PASSWORD}\n`, 'add', name, '--role', role, ...here);
    pipeline = (await runCommand(token.run, ['create', '--team', 'speech', ...here])).stdout.trim();
  });
  const refused = await world.fetch('acme/odd/resolve/main/odd.bin', {
    headers: { authorization: `Bearer ${pipeline}` },
  });
  t.equal(refused.status, 403);
  await refused.arrayBuffer();
  const [ann, bob] = [await signedIn(world, 'ann'), await signedIn(world, 'bob')];
  const request = refused.headers.get('x-request-id');
  const asked = await post(world, ann, 'quarantine', { request, reason: 'looked at by hand' });
  t.equal(asked.status, 201, JSON.stringify(asked.json));
  const approve = (who: Headers) => post(world, who, `quarantine/${asked.json.id}/approve`, {});
  t.match(await approve(ann), { status: 403 }, 'not by the one who asked');
  t.match(await approve(bob), { status: 200 });

  await world.restart(() => run('', 'disable', 'carl', ...here));
  const told = async (...args: string[]) => {
    const { stdout } = await runCommand(report.run, ['access', '--json', '--data', world.data, ...args]);
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  const rows = await told();
  const people = rows.filter(({ kind }) => kind === 'account');
  t.match(people, [
    { kind: 'account', name: 'ann', role: 'approver', signIns: 1, lastSignIn: /Z$/ },
    { kind: 'account', name: 'bob', role: 'approver', signIns: 1 },
    { kind: 'account', name: 'carl', role: 'viewer', until: /Z$/, endedBy: /^p_/ },
  ]);
  t.equal(people.length, 3);
  t.match(
    rows.find(({ kind }) => kind === 'token'),
    { role: 'pipeline', team: 'speech', name: /^t-/, until: /Z$/ },
  );
  t.notOk('until' in (people[0] ?? {}));
  t.same(await told('--to', '1h'), [], 'nobody held one before');
  const later = new Date(Date.now() + MINUTE).toISOString();
  const still = await told('--from', later, '--to', new Date(Date.now() + 2 * MINUTE).toISOString());
  t.same(
    still.filter(({ kind }) => kind === 'account').map(({ name, signIns }) => [name, signIns]),
    [
      ['ann', 0],
      ['bob', 0],
    ],
  );
  const { stdout } = await runCommand(report.run, ['access', '--data', world.data]);
  t.match(stdout, /account {3}viewer {4}carl .* p_/);
});
