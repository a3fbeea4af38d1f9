import { gzipSync } from 'node:zlib';
import t from 'tap';
import {
  chars,
  doubles,
  int,
  integers,
  list,
  NIL,
  pairlist,
  rdsFile,
  reference,
  strings,
  symbol,
  typed,
} from '../support/r-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';

const frame = list(
  [integers(1, 2, -3), doubles(3), strings('a', 'b', 'system')],
  [
    ['names', strings('x', 'y', 'z')],
    ['class', strings('data.frame')],
    ['row.names', integers(1, 2, 3)],
  ],
);
const alternative = (name: string): Uint8Array =>
  typed(238, typed(2, symbol(name), typed(2, symbol('base'), typed(2, integers(13), NIL))), doubles(3), NIL);

t.test('vectors, lists, factors and workspaces pass, plain and compressed', async (t) => {
  const honest = {
    frame: rdsFile(frame),
    'old version': rdsFile(frame, { version: 2 }),
    workspace: rdsFile(pairlist([['x', frame]]), { prefix: 'RDX3\n' }),
    range: rdsFile(list([alternative('compact_intseq'), alternative('wrap_real')], [])),
    raw: rdsFile(typed(24, int(3), bytes('abc'))),
    'S4 object': rdsFile(typed(25 | (1 << 9), pairlist([['slot', integers(1)]]))),
    'an environment that is a constant': rdsFile(list([int(253), int(242)], [])),
    'the same symbol again': rdsFile(list([symbol('a'), reference(1)], [])),
    text: bytes('A\n3\n262657\n197888\n5\nUTF-8\n19\n2\n13\n2\n1\nNA\n16\n1\n262153\n5\nna\\040es\n'),
  };
  for (const [name, content] of Object.entries(honest)) {
    const report = reportOf(content);
    t.equal(report.format, 'rds', name);
    t.ok(passes(report), `${name}: ${JSON.stringify(report.findings)}`);
  }
  t.ok(passes(reportOf(gzipSync(rdsFile(frame)))), 'compressed');
});

const ACTIVE: Readonly<Record<string, readonly [string, Uint8Array]>> = {
  promise: ['rds.promise', typed(5, int(251), typed(6, symbol('system'), typed(2, strings('id'), NIL)))],
  'promise in an attribute': ['rds.promise', list([], [['names', typed(5, int(251), int(251), NIL)]])],
  'promise behind a list': ['rds.promise', bytes(int(2), integers(1), int(5), int(251), NIL)],
  call: ['rds.call', typed(6, symbol('system'), typed(2, strings('id'), NIL))],
  closure: ['rds.closure', typed(3 | (1 << 10), int(253), NIL, symbol('x'))],
  environment: ['rds.environment', typed(4, int(0), int(253), NIL, NIL, NIL)],
  expression: ['rds.expression', typed(20, int(0))],
  'byte code': ['rds.byte-code', typed(21, int(1))],
  pointer: ['rds.pointer', typed(22, NIL, NIL)],
  builtin: ['rds.builtin', typed(8, int(6), bytes('system'))],
  'mapped file': ['rds.alternative', alternative('mmap_real')],
};

t.test('what evaluates is refused, wherever it stands', async (t) => {
  for (const [name, [rule, value]] of Object.entries(ACTIVE)) {
    for (const content of [rdsFile(value), gzipSync(rdsFile(list([frame, value], [])))]) {
      const report = reportOf(content);
      t.ok(rules(report).includes(rule), `${name}: ${rules(report)}`);
      t.equal(worst(report), 'high', name);
    }
  }
});

const DOUBTED: Readonly<Record<string, Uint8Array>> = {
  'a namespace': rdsFile(typed(249, int(0), int(1), chars('evil'))),
  'an alternative that is not known': rdsFile(alternative('surprise')),
  'a type that is not known': rdsFile(int(200)),
  'a reference to nothing': rdsFile(reference(7)),
  'a vector beyond the file': rdsFile(typed(13, int(0x7fffffff))),
  'a long vector beyond the file': rdsFile(typed(13, int(-1), int(1), int(0))),
  'a negative length': rdsFile(typed(13, int(-5))),
  'bytes behind': bytes(rdsFile(frame), 'x'),
  'too deep': rdsFile(bytes(...Array.from({ length: 3000 }, () => bytes(int(19), int(1))), NIL)),
  'the encoding of one machine': bytes('RDB3\nB\n', new Uint8Array(40)),
};

t.test('what is not known or not well-formed does not pass', async (t) => {
  for (const [name, content] of Object.entries(DOUBTED)) {
    const report = reportOf(content);
    t.equal(report.format, 'rds', name);
    t.notOk(passes(report), name);
  }
});

t.test('cut and turned files end in a report', async (t) => {
  const whole = rdsFile(frame);
  for (const part of truncations(whole)) if (part.length > 6) t.notOk(passes(reportOf(part)), `${part.length} bytes`);
  for (const turned of bitFlips(whole, 500, 13)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
});
