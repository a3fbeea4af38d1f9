import t from 'tap';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { number, object, table, tensor, text, u32 } from '../support/torch7-writer.ts';

const linear = (...more: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array =>
  object(
    1,
    'nn.Linear',
    table(2, [text('weight'), tensor(3, 4)], [text('train'), u32(5, 1)], [number, u32(3, 2)], ...more),
  );

t.test('tensors, tables and networks pass', async (t) => {
  for (const content of [tensor(1, 4), table(1, [text('a'), tensor(2, 2)]), linear()]) {
    const report = reportOf(content);
    t.equal(report.format, 'torch7');
    t.same(report.findings, []);
    t.ok(passes(report));
  }
});

t.test('functions are refused, classes of nobody knows whom are held', async (t) => {
  for (const type of [6, 7, 8]) {
    const report = reportOf(linear([text('forward'), bytes(u32(type, 9, 4), 'LUAQ', u32(0))]));
    t.ok(rules(report).includes('torch7.function'));
    t.equal(worst(report), 'high');
  }
  const other = reportOf(object(1, 'evil.Class', table(2)));
  t.same(rules(other), ['torch7.class-unknown']);
  t.notOk(passes(other));
});

t.test('counts that lie, and what is cut or turned, end in a report', async (t) => {
  const wrong = [
    tensor(1, 0x7fffffff, 4),
    tensor(1, 4, 4, 2),
    tensor(1, 4, 4, 0x7fffffff),
    table(1, [text('a'), u32(99)]),
    bytes(u32(3, 1, 0x7fffffff), text('a')),
    bytes(tensor(1, 4), 'x'),
    bytes(...Array.from({ length: 600 }, (_, index) => bytes(u32(3, index + 1, 1), number))),
    object(1, 'torch.EvilStorage', new Uint8Array(8)),
  ];
  for (const content of wrong) t.notOk(passes(reportOf(content)));
  const whole = linear();
  for (const part of truncations(whole)) if (part.length > 16) t.notOk(passes(reportOf(part)), `${part.length} bytes`);
  for (const turned of bitFlips(whole, 400, 43)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
});
