import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { parseJson } from '../json/parse.ts';
import { readZipDirectory, type ZipDirectory } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { looksLikeZip } from '../zip/recognise.ts';
import { checkSchema } from './schema.ts';

/** Bytes of the schema: forests have some megabytes. */
const SCHEMA = 64 * MIB;
const NAME = 'schema.json';

/** Whatever else the archive may be: who has skops load it does not ask. */
const schemaIn = (head: Uint8Array, source: RandomAccess): boolean => {
  if (!looksLikeZip(head, source)) return false;
  try {
    return readZipDirectory(source).members.some(({ name }) => name === NAME);
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
};

/** skops files: a tree of nodes that say which class each object has, and arrays beside it. */
export const skops: Format = {
  name: 'skops',
  title: 'skops model',
  recognisedBy: 'a zip with a member `schema.json`',
  checks:
    'every node: its loader is one of skops, its class on the allow-list for pickles, its file a member; the indices of trees lead on; methods and operators are refused; members are inspected as in any zip',
  references: [
    'https://skops.readthedocs.io/en/stable/persistence.html',
    'CVE-2025-54412',
    'CVE-2025-54413',
    'CVE-2025-54886',
  ],
  recognise: (head, source) => schemaIn(head, source),
  inspect(source, context): Inspection {
    const directory = readZipDirectory(source);
    const text = schemaText(directory, context);
    context.budget.spend('steps', text.length);
    const { value, duplicates, end } = parseJson(text, { depth: 512, python: true });
    if (duplicates.length > 0 || text.slice(end).trim() !== '')
      throw new WeighbridgeError('FORMAT_INVALID', 'skops: the schema is not one document with distinct keys', {
        offset: end,
      });
    const byName = new Map(directory.members.map((member) => [member.name, member]));
    const members = {
      has: (name: string) => byName.has(name),
      open: (name: string) => {
        const member = byName.get(name);
        const opened = member && openMember(directory, member, context, 'skops');
        return opened === undefined || 'unreadable' in opened ? undefined : opened.bytes;
      },
    };
    const inside = context.inside?.(NAME) ?? context;
    return { format: 'skops', content: checkSchema(value, members, inside), coverage: complete(source.size) };
  },
};

const schemaText = (directory: ZipDirectory, context: Parameters<Format['inspect']>[1]): string => {
  const member = directory.members.find(({ name }) => name === NAME);
  const opened = member && openMember(directory, member, context, 'skops');
  if (opened === undefined || 'unreadable' in opened)
    throw new WeighbridgeError('FORMAT_INVALID', 'skops: the schema cannot be read', { offset: member?.entry ?? 0 });
  within('skops schema bytes', opened.bytes.size, SCHEMA);
  return decodeUtf8(opened.bytes.read(0, opened.bytes.size));
};
