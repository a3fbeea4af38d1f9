import t from 'tap';
import { flat, graph, inverted, mapped } from '../support/faiss-writer.ts';
import { bitFlips, bytes, passes, reportOf, truncations } from '../support/reports.ts';

const HONEST = {
  flat: flat(3, 2),
  ids: mapped(flat(2, 2), 2, 7, 9),
  graph: graph(),
  'a graph with nobody beside': graph([-1, -1]),
  lists: inverted(),
  'lists with gaps': inverted('sprs', [1, 3]),
};

t.test('indexes that are read pass', async (t) => {
  for (const [name, content] of Object.entries(HONEST)) {
    const report = reportOf(content);
    t.equal(report.format, 'faiss', name);
    t.same(report.findings, [], name);
    t.ok(passes(report), name);
  }
});

t.test('counts, places and sizes that lie are refused, other kinds are opaque', async (t) => {
  const wrong = {
    'fewer values than vectors': flat(3, 2, 5),
    'a giant number of vectors': flat(3, 2 ** 51, 6),
    'not as many ids': mapped(flat(2, 2), 2, 7),
    'another number of vectors inside': mapped(flat(2, 2), 3, 7, 8, 9),
    'a neighbour that does not exist': graph([70_000, 0]),
    'a negative neighbour': graph([-9, 0]),
    'offsets that go back': graph([1, 0], [0, 2, 1]),
    'offsets beyond the neighbours': graph([1, 0], [0, 1, 900]),
    'lists of another size': inverted('full', [1, 70_000]),
    'a list that does not exist': inverted('sprs', [9, 3]),
    'bytes behind': bytes(flat(3, 2), 'x'),
    'too deep': bytes(...Array.from({ length: 50 }, () => mapped(new Uint8Array(), 2).subarray(0, 41)), flat(2, 2)),
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'faiss', name);
    t.notOk(passes(report), name);
  }
  t.match(reportOf(bytes('IwPQ', new Uint8Array(60))).coverage, { state: 'opaque', reason: /IwPQ/ });
  t.ok(passes(reportOf('Ixodes are ticks, and this is text about them\n')));
});

t.test('cut and turned indexes end in a report', async (t) => {
  for (const [name, whole] of Object.entries(HONEST)) {
    for (const part of truncations(whole))
      if (part.length > 4) t.notOk(passes(reportOf(part)), `${name} ${part.length}`);
    for (const turned of bitFlips(whole, 100, 41)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
  }
});
