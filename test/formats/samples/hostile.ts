import { callForms, pickled, text } from '../../support/pickle-assembler.ts';
import { writeZip } from '../../support/zip-writer.ts';

/** A pickle that would call `os.system` with a harmless word; built from opcodes, never loaded. */
export const hostilePickle = pickled(4, callForms['reduce']?.('os', 'system', [text('true')]) ?? '');

/** The same inside a zip, which readers find from the end of a file. */
export const hostileZip = new Uint8Array(writeZip([{ name: 'data.pkl', data: hostilePickle }]));

export const rows = 'epoch,loss\n1,0.5\n2,0.25\n';
