import type { RandomAccess } from '../bytes/random-access.ts';
import { complete, type Format, type Inspection } from './format.ts';

/** Executables and libraries by their first bytes. */
const MAGICS: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['ELF', [0x7f, 0x45, 0x4c, 0x46]],
  ['Mach-O', [0xcf, 0xfa, 0xed, 0xfe]],
  ['Mach-O', [0xce, 0xfa, 0xed, 0xfe]],
  ['Mach-O', [0xfe, 0xed, 0xfa, 0xcf]],
  ['Mach-O', [0xfe, 0xed, 0xfa, 0xce]],
  ['universal Mach-O or Java class', [0xca, 0xfe, 0xba, 0xbe]],
  ['universal Mach-O', [0xca, 0xfe, 0xba, 0xbf]],
  ['WebAssembly', [0x00, 0x61, 0x73, 0x6d]],
  ['static library', [0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a]],
  ['Dalvik', [0x64, 0x65, 0x78, 0x0a, 0x30]],
  ['actually portable executable (llamafile)', [0x4d, 0x5a, 0x71, 0x46, 0x70, 0x44, 0x3d]],
];

/** Offset of the PE header's position in a DOS header (Microsoft PE format, 2.1). */
const PE_POSITION = 0x3c;

const isPortable = (head: Uint8Array, source: RandomAccess): boolean => {
  if (head[0] !== 0x4d || head[1] !== 0x5a || source.size < PE_POSITION + 4) return false;
  const field = source.read(PE_POSITION, 4);
  const at = (field[0] ?? 0) + (field[1] ?? 0) * 0x100 + (field[2] ?? 0) * 0x10000 + (field[3] ?? 0) * 0x1000000;
  if (at + 4 > source.size) return false;
  const [p, e, zero, nul] = source.read(at, 4);
  return p === 0x50 && e === 0x45 && zero === 0 && nul === 0;
};

const kindOf = (head: Uint8Array, source: RandomAccess): string | undefined =>
  MAGICS.find(([, bytes]) => bytes.every((byte, index) => head[index] === byte))?.[0] ??
  (isPortable(head, source) ? 'Windows executable' : undefined);

/** Programs and libraries: they run when they are loaded, and no model needs them. */
export const native: Format = {
  name: 'native',
  title: 'executable or native library',
  recognisedBy:
    'the magic numbers of ELF, PE, Mach-O, WebAssembly, Java and Dalvik classes, static libraries and llamafile',
  checks: 'nothing more: native code is active',
  references: ['CWE-506', 'AML.T0010'],
  recognise: (head, source) => kindOf(head, source) !== undefined,
  inspect(source, context): Inspection {
    const kind = kindOf(source.read(0, Math.min(64, source.size)), source) ?? 'native code';
    const refs = ['CWE-506', 'AML.T0010', 'LLM03:2025'];
    context.report({
      rule: 'native.code',
      severity: 'high',
      message: `${kind}: runs when it is loaded`,
      offset: 0,
      refs,
    });
    return { format: 'native', content: 'active', coverage: complete(source.size), details: { kind } };
  },
};
