import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, type Inspection, incomplete } from '../format.ts';
import type { Hdf5 } from './file.ts';
import { latin } from './file.ts';
import { findSuperblock, readSuperblock, type Superblock } from './superblock.ts';
import { checkExtension, reportDriver, walkObjects } from './walk.ts';

/** Of a remote file only places are looked at that are fetched anyway. */
const NEAR = 64 * 1024;
/** Bytes of a user block that are looked at to tell MATLAB's. */
const USER_TEXT = 116;

/**
 * HDF5 (HDF5 File Format Specification 3.0): a superblock at 0, 512, 1024, ... leads to a root group; groups are trees of
 * names, objects are headers of messages (shape, type, where the data are, attributes), long texts stand in heaps. The
 * format can point outside itself: links into other files, data in other files, datasets put together from others,
 * filters as plug-ins. Keras keeps the architecture of a model as JSON in the attribute `model_config`, and PyTables keeps
 * pickles. Before the superblock anything may stand, and behind the end too.
 */
export const hdf5: Format = {
  name: 'hdf5',
  title: 'HDF5 (Keras weights and models)',
  recognisedBy: 'the signature of the superblock at 0, 512 or a doubling of that',
  checks:
    'every object, header message, link, attribute and heap that can be reached; no link, data or dataset outside the file, no foreign filter; datasets inside the file; ' +
    'JSON of Keras held against its classes; pickles in attributes; nothing before or behind the file',
  references: [
    'HDF5 File Format Specification Version 3.0',
    'CVE-2024-3660',
    'CVE-2025-9905',
    'CVE-2025-1550',
    'CVE-2026-1669',
  ],
  recognise: (_head, source, provisional) => findSuperblock(source, provisional ? NEAR : undefined) !== undefined,
  inspect(source, context): Inspection {
    const place = findSuperblock(source) ?? 0;
    const superblock = readSuperblock(source, place);
    const file = open(source, context, place, superblock);
    checkEnds(file, source, place, superblock);
    if (superblock.driver !== undefined) reportDriver(file, place);
    if (superblock.extension !== undefined) checkExtension(file, superblock.extension);
    const { groups, datasets, rootAttributes } = walkObjects(file, superblock.root);
    const walked: Together = {
      content: 'inert',
      coverage:
        file.unread === '' ? complete(source.size) : incomplete('partial', source.size, source.size, file.unread),
    };
    const keras = rootAttributes.some(
      (name) => name === 'model_config' || name === 'keras_version' || name === 'layer_names',
    );
    return {
      format: 'hdf5',
      ...withUserBlock(walked, source, place, context),
      details: { groups, datasets, keras, superblock: superblock.version },
    };
  },
};

const open = (source: RandomAccess, context: Context, place: number, superblock: Superblock): Hdf5 => ({
  source: section(source, place, source.size),
  context,
  addressSize: superblock.addressSize,
  lengthSize: superblock.lengthSize,
  unread: '',
  report: (rule, severity, message, offset, evidence = '', refs = []) =>
    context.report({ rule: `hdf5.${rule}`, severity, message, offset: place + offset, evidence, refs }),
});

/** The file begins where its superblock is and ends where it says. */
const checkEnds = (file: Hdf5, source: RandomAccess, place: number, { base, end }: Superblock): void => {
  if (base !== place) {
    const message = 'the superblock says that the file begins elsewhere: readers differ';
    file.report('base', 'high', message, 0, String(base), ['CWE-436']);
  }
  const last = end >= base ? end : base + end;
  if (last > source.size) {
    throw new WeighbridgeError('FORMAT_TRUNCATED', `the file should end at ${last} and has ${source.size} bytes`, {
      offset: source.size,
    });
  }
  if (last < source.size)
    file.report('trailing', 'high', `${source.size - last} bytes stand behind the file`, last - place, '', ['CWE-436']);
};

/** What stands before the superblock: MATLAB writes 512 bytes of text there, everything else is another file. */
const withUserBlock = (walked: Together, source: RandomAccess, place: number, context: Context): Together => {
  if (place === 0) return walked;
  const text = latin(source.read(0, Math.min(USER_TEXT, place)));
  if (/^MATLAB 7\.3 MAT-file[\x20-\x7e]*\s*$/.test(text.replace(/\0+$/, ''))) return walked;
  const block = section(source, 0, place);
  if (isBlank(block)) return walked;
  const message = 'something stands before the file: other readers see another file';
  context.report({ rule: 'hdf5.user-block', severity: 'high', message, offset: 0, refs: ['CWE-436', 'CWE-434'] });
  return joinMember(walked, context.nested(block, 'user block'), 'user block', source.size);
};

const CHUNK = 64 * 1024;

const isBlank = (block: RandomAccess): boolean => {
  for (let at = 0; at < block.size; at += CHUNK) {
    if (!block.read(at, Math.min(CHUNK, block.size - at)).every((byte) => byte === 0)) return false;
  }
  return true;
};
