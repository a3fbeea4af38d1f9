import { KIB, MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { cutSequence, decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes of one document: boosted trees as PMML reach 100 MB. */
const DOCUMENT = 128 * MIB;
/** Bytes before the root element that are looked at to find its name. */
const PROLOG = 256 * KIB;
/** UTF-16 units that become a string at once; bounds the arguments of one call. */
const UNITS = 4096;

type Family = { readonly name: 'bytes' | 'utf-16le' | 'utf-16be'; readonly mark: number };

/** How the characters are stored, by mark or by the first `<` (XML 1.0, appendix F). */
const familyOf = (head: Uint8Array): Family => {
  const [a, b, c, d] = head;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { name: 'bytes', mark: 3 };
  if (a === 0xff && b === 0xfe) return { name: 'utf-16le', mark: 2 };
  if (a === 0xfe && b === 0xff) return { name: 'utf-16be', mark: 2 };
  if (a === 0x3c && b === 0 && c !== 0 && d === 0) return { name: 'utf-16le', mark: 0 };
  if (a === 0 && b === 0x3c && c === 0 && d !== 0) return { name: 'utf-16be', mark: 0 };
  return { name: 'bytes', mark: 0 };
};

const fromUnits = (units: Uint16Array): string => {
  const parts: string[] = [];
  for (let at = 0; at < units.length; at += UNITS)
    parts.push(Reflect.apply(String.fromCharCode, null, units.subarray(at, at + UNITS)));
  return parts.join('');
};

const decodeUnits = (bytes: Uint8Array, family: Family): string => {
  const units = new Uint16Array(bytes.length >> 1);
  const [low, high] = family.name === 'utf-16le' ? [0, 1] : [1, 0];
  for (let at = 0; at < units.length; at++) units[at] = (bytes[2 * at + low] ?? 0) | ((bytes[2 * at + high] ?? 0) << 8);
  return fromUnits(units);
};

/** The encoding that a document declares, in lower case; empty without one. */
const declared = (start: string): string =>
  (/^<\?xml\s[^>]{0,200}?encoding\s{0,8}=\s{0,8}["']([A-Za-z0-9._-]{1,40})["']/.exec(start)?.[1] ?? '').toLowerCase();

const SINGLE_BYTE = ['iso-8859-1', 'latin1', 'us-ascii', 'ascii', 'windows-1252', 'iso-8859-15'];

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `XML: ${message}`, { offset: 0 });
};

/**
 * The text of a document and whether a position in it is an offset in UTF-8. UTF-8, UTF-16 and the Latin encodings are
 * read; in any other the bytes could mean something else to each reader, and are refused.
 */
export const xmlText = (source: RandomAccess): string => {
  within('XML document bytes', source.size, DOCUMENT);
  const bytes = source.read(0, source.size);
  const family = familyOf(bytes);
  const body = bytes.subarray(family.mark);
  if (family.name !== 'bytes') {
    if (body.length % 2 !== 0) invalid('half a UTF-16 unit at the end');
    const text = decodeUnits(body, family);
    const name = declared(text.slice(0, 300));
    if (name !== '' && !name.startsWith('utf-16')) invalid('declares another encoding than it has');
    return text;
  }
  const name = declared(fromUnits(Uint16Array.from(body.subarray(0, 300))));
  if (name === '' || name === 'utf-8' || name === 'utf8') return decodeUtf8(body, family.mark);
  if (family.mark > 0 || !SINGLE_BYTE.includes(name)) invalid('its encoding is not read');
  return fromUnits(Uint16Array.from(body));
};

/** The first characters of a file that may be a document, whatever its encoding; empty when it cannot be one. */
export const xmlStart = (source: RandomAccess): string => {
  const bytes = source.read(0, Math.min(source.size, PROLOG));
  const family = familyOf(bytes);
  const body = bytes.subarray(family.mark);
  if (family.name !== 'bytes') return decodeUnits(body, family);
  const whole = body.subarray(0, body.length - cutSequence(body));
  return whole.includes(0) ? '' : fromUnits(Uint16Array.from(whole));
};
