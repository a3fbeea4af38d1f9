import { complete, type Format, type Inspection } from '../format.ts';

const starts = (head: Uint8Array, text: string, at = 0): boolean => {
  for (let index = 0; index < text.length; index++) if (head[at + index] !== text.charCodeAt(index)) return false;
  return true;
};

const kindOf = (head: Uint8Array): string | undefined => {
  if (starts(head, 'fLaC')) return 'FLAC';
  if (starts(head, 'OggS') && head[4] === 0) return 'Ogg';
  if (starts(head, 'ID3') && (head[3] ?? 255) < 5) return 'MP3';
  // An MPEG audio frame: eleven set bits, layer III, a bit rate and a sampling rate that exist.
  const rate = (head[2] ?? 0) >> 4;
  if (head[0] === 0xff && (head[1] ?? 0) >= 0xf2 && ((head[1] ?? 0) & 0xe6) === 0xe2 && rate > 0 && rate < 15)
    return 'MP3';
  return starts(head, 'ftyp', 4) && head[0] === 0 && head[1] === 0 ? 'MP4' : undefined;
};

/** Compressed sound and film: decoded by codecs, executed by none. */
export const audio: Format = {
  name: 'audio',
  title: 'FLAC, Ogg, MP3 or MP4',
  recognisedBy: '`fLaC`, `OggS`, `ID3` or an MPEG layer III frame, `ftyp`',
  checks: 'nothing more: other readings of the same bytes are found by their own formats',
  references: ['RFC 9639', 'RFC 3533', 'ISO/IEC 11172-3', 'ISO/IEC 14496-12'],
  recognise: (head) => kindOf(head) !== undefined,
  inspect(source): Inspection {
    const kind = kindOf(source.read(0, Math.min(16, source.size))) ?? '';
    return { format: 'audio', content: 'inert', coverage: complete(source.size), details: { kind } };
  },
};
