import t from 'tap';
import { array, compressed, doubles, fields, matFile, part, small } from '../support/mat-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';

const numbers = array(6, [2, 2], 'x', doubles(4));
const text = array(4, [1, 4], 't', part(4, bytes('t\0e\0x\0t\0')));
const cell = array(1, [1, 2], 'c', numbers, part(14, new Uint8Array()));
const structure = array(2, [1, 1], 's', fields('a', 'b'), numbers, text);
const sparse = array(5, [2, 2], 'p', part(5, new Uint8Array(4)), part(5, new Uint8Array(12)), doubles(1));
const packed = array(9, [1, 3], 'u', small(2, Uint8Array.of(1, 2, 3)));
const honest = matFile(numbers, text, cell, structure, sparse, packed);

t.test('numbers, text, cells, structures and sparse arrays pass, compressed and not', async (t) => {
  const report = reportOf(honest);
  t.match(report, { format: 'mat', content: 'inert', details: { variables: 6 } });
  t.same(report.findings, []);
  t.ok(passes(report));
  t.ok(passes(reportOf(matFile(compressed(structure), compressed(cell)))));
  t.ok(passes(reportOf(matFile())), 'no variable');
});

t.test('objects and functions are refused, wherever they stand', async (t) => {
  const active = {
    'mat.function': array(16, [1, 1], 'f', structure),
    'mat.object': array(3, [1, 1], 'o', part(1, bytes('evil')), fields('a'), numbers),
  };
  const opaque = part(14, bytes(part(6, bytes([17, 0, 0, 0], new Uint8Array(4))), part(1, bytes('MCOS'))));
  for (const [rule, variable] of [...Object.entries(active), ['mat.object', opaque] as const])
    for (const content of [variable, compressed(variable), array(1, [1, 1], 'c', variable)]) {
      const report = reportOf(matFile(numbers, content));
      t.ok(rules(report).includes(rule), `${rule}: ${rules(report)}`);
      t.equal(report.content, 'active');
      t.equal(worst(report), 'high');
    }
});

t.test('what does not fit is refused', async (t) => {
  const wrong = {
    'a variable beyond the file': matFile(bytes([14, 0, 0, 0, 255, 255, 255, 127])),
    'more elements than there are': matFile(array(6, [2, 3], 'x', doubles(4))),
    'a giant shape': matFile(array(6, [0x7fffffff, 0x7fffffff], 'x', doubles(4))),
    'a negative dimension': matFile(array(6, [0xffffffff, 1], 'x', doubles(4))),
    'a class that is not known': matFile(array(18, [1, 1], 'x', doubles(1))),
    'an element type that is not known': matFile(array(6, [1, 1], 'x', part(8, new Uint8Array(8)))),
    'half a number': matFile(array(6, [1, 1], 'x', part(9, new Uint8Array(7)))),
    'something else at the top': matFile(part(9, new Uint8Array(8))),
    'a stream that is none': matFile(bytes([15, 0, 0, 0, 8, 0, 0, 0], new Uint8Array(8))),
    'bytes behind an array': matFile(array(6, [1, 1], 'x', doubles(1), doubles(4))),
    'too deep': matFile(
      Array.from({ length: 200 }).reduce<Uint8Array>((inner) => array(1, [1, 1], '', inner), numbers),
    ),
    'a bomb': matFile(compressed(array(9, [1, 8_000_000], 'x', part(2, new Uint8Array(8_000_000))))),
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'mat', name);
    t.notOk(passes(report), name);
  }
});

t.test('cut and turned files end in a report', async (t) => {
  const whole = matFile(structure, compressed(cell));
  const between = 128 + structure.length;
  for (const part of truncations(whole))
    if (part.length > 128 && part.length !== between) t.notOk(passes(reportOf(part)), `${part.length} bytes`);
  for (const turned of bitFlips(whole, 400, 23)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
});
