import { complete, type Format, type Inspection } from './format.ts';

/** Magic numbers of CPython: 2.x and 3.x (importlib/_bootstrap_external.py); each is followed by CR LF. */
const isMagic = (number: number): boolean =>
  (number >= 3000 && number <= 3999) || (number >= 62011 && number <= 62218) || (number >= 50428 && number <= 60717);

/** Where the code object begins: after 8 bytes of header (2.x), 12 (3.3 to 3.6) or 16 (PEP 552). */
const STARTS = [8, 12, 16];
/** The marshal type of code objects, without and with the reference flag. */
const CODE = [0x63, 0xe3];

/** Compiled Python: code that no one can read as source. */
export const pythonBytecode: Format = {
  name: 'python-bytecode',
  title: 'compiled Python',
  recognisedBy: 'a magic number of CPython, CR LF, and a marshalled code object behind the header',
  checks: 'nothing more: bytecode is active',
  references: ['https://peps.python.org/pep-0552/', 'CWE-506'],
  recognise: (head) =>
    head[2] === 0x0d &&
    head[3] === 0x0a &&
    isMagic((head[0] ?? 0) + (head[1] ?? 0) * 0x100) &&
    STARTS.some((at) => CODE.includes(head[at] ?? 0)),
  inspect(source, context): Inspection {
    const message = 'compiled Python: what it does cannot be read from source';
    const refs = ['CWE-506', 'AML.T0010', 'LLM03:2025'];
    context.report({ rule: 'python-bytecode.code', severity: 'high', message, offset: 0, refs });
    return { format: 'python-bytecode', content: 'active', coverage: complete(source.size) };
  },
};
