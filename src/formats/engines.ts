import { type Format, type Inspection, incomplete } from './format.ts';

/** A compiled or closed format that has a mark: where it stands and what it is. */
type Engine = readonly [title: string, at: number, mark: string, why: string];

const COMPILED = 'compiled code for a device: nothing can be said about what it does';
const CLOSED = 'a binary format that is not read yet';
const ENGINES: readonly Engine[] = [
  ['TensorRT engine', 0, 'ptrt', COMPILED],
  ['TensorRT engine', 0, 'ftrt', COMPILED],
  ['RKNN model', 0, 'RKNN', COMPILED],
  ['RKNN model', 0, 'CYPTRKNN', COMPILED],
  ['Hailo executable', 0, '\x01HEF', COMPILED],
  ['Edge TPU package', 4, 'DWN1', COMPILED],
  ['CNTK model', 0, 'B\0C\0N\0', CLOSED],
  ['TVM parameters', 0, '\xb7\x9c\x04\x05O\x8d\xe5\xf7', CLOSED],
  ['DuckDB database', 8, 'DUCK', CLOSED],
  ['Kaldi model', 0, '\0B<Nnet', CLOSED],
  ['Torch7 object (text)', 0, '4\n1\n3\nV 1\n', CLOSED],
];

/** Binary marks are letters too: text that begins with them has no NUL among its first bytes. */
const isBinary = (head: Uint8Array): boolean => head.subarray(0, 256).includes(0);

const engineOf = (head: Uint8Array): Engine | undefined =>
  ENGINES.find(([title, at, mark]) => {
    for (let index = 0; index < mark.length; index++) if (head[at + index] !== mark.charCodeAt(index)) return false;
    if (title.startsWith('Torch7')) return true;
    return isBinary(head);
  });

/** Compiled engines and closed formats: named, and left to the policy. */
export const engines: Format = {
  name: 'engine',
  title: 'compiled engine or closed format (TensorRT, RKNN, CNTK and others)',
  recognisedBy: 'their magic numbers',
  checks: 'nothing: what they do cannot be read from them, so the report is opaque and says what they are',
  references: ['CWE-829', 'LLM03:2025'],
  recognise: (head) => engineOf(head) !== undefined,
  inspect(source): Inspection {
    const [kind, , , why] = engineOf(source.read(0, Math.min(64, source.size))) ?? ['', 0, '', ''];
    return {
      format: 'engine',
      content: 'unknown',
      coverage: incomplete('opaque', 0, source.size, `${kind}: ${why}`),
      details: { kind },
    };
  },
};
