/**
 * TextDecoder (utf-8, utf-16le), TextEncoder and atob for a bare isolate, after the Encoding and HTML standards:
 * packages expect them, and a parser decides on what they say, so fatal decoding is exact. Nothing else is provided.
 */

/** UTF-16 units that become a string at once; bounds the arguments of one call. */
const UNITS = 8192;

const REPLACEMENT = 0xfffd;

/** Collects UTF-16 units into a string. */
const createText = () => {
  const units = new Uint16Array(UNITS);
  let used = 0;
  let text = '';
  const flush = (): void => {
    text += Reflect.apply(String.fromCharCode, null, units.subarray(0, used));
    used = 0;
  };
  return {
    unit(value: number): void {
      if (used === UNITS) flush();
      units[used++] = value;
    },
    point(value: number): void {
      if (value < 0x10000) this.unit(value);
      else {
        this.unit(0xd800 + ((value - 0x10000) >> 10));
        this.unit(0xdc00 + ((value - 0x10000) & 0x3ff));
      }
    },
    finish(): string {
      flush();
      return text;
    },
  };
};

/** The "UTF-8 decoder" of the Encoding standard; a wrong sequence is reported once per maximal subpart. */
const decodeUtf8 = (bytes: Uint8Array, wrong: () => number): string => {
  const text = createText();
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at++] ?? 0;
    if (lead < 0x80) {
      text.unit(lead);
      continue;
    }
    const needed =
      lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    let lower = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    let upper = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let point = lead & (0x3f >> needed);
    let seen = 0;
    while (seen < needed) {
      const next = bytes[at] ?? 0;
      if (at >= bytes.length || next < lower || next > upper) break;
      point = (point << 6) | (next & 0x3f);
      lower = 0x80;
      upper = 0xbf;
      at += 1;
      seen += 1;
    }
    text.point(needed > 0 && seen === needed ? point : wrong());
  }
  return text.finish();
};

/** The "shared UTF-16 decoder" of the Encoding standard, little endian. */
const decodeUtf16 = (bytes: Uint8Array, wrong: () => number): string => {
  const text = createText();
  const unitAt = (at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  let at = 0;
  while (at + 1 < bytes.length) {
    const unit = unitAt(at);
    at += 2;
    const next = at + 1 < bytes.length ? unitAt(at) : 0;
    if (unit < 0xd800 || unit > 0xdfff) text.unit(unit);
    else if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
      text.unit(unit);
      text.unit(next);
      at += 2;
    } else {
      // A high surrogate and half a unit at the end are one error together.
      if (unit <= 0xdbff && bytes.length - at === 1) at += 1;
      text.unit(wrong());
    }
  }
  if (at < bytes.length) text.unit(wrong());
  return text.finish();
};

const LABELS: Readonly<Record<string, 'utf-8' | 'utf-16le'>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  'utf-16le': 'utf-16le',
  'utf-16': 'utf-16le',
  'ucs-2': 'utf-16le',
};

const bytesOf = (input: ArrayBuffer | ArrayBufferView | undefined): Uint8Array => {
  if (input === undefined) return new Uint8Array(0);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  if (input instanceof ArrayBuffer) return new Uint8Array(input);
  throw new TypeError('expected an ArrayBuffer or a view of one');
};

class Decoder {
  readonly encoding: 'utf-8' | 'utf-16le';
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;

  constructor(label = 'utf-8', options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    const encoding = LABELS[String(label).trim().toLowerCase()];
    if (encoding === undefined) throw new RangeError(`the encoding ${label} is not provided`);
    this.encoding = encoding;
    this.fatal = options.fatal === true;
    this.ignoreBOM = options.ignoreBOM === true;
  }

  decode(input?: ArrayBuffer | ArrayBufferView, options: { stream?: boolean } = {}): string {
    if (options.stream === true) throw new TypeError('streaming is not provided');
    const wrong = (): number => {
      if (this.fatal) throw new TypeError(`The encoded data was not valid for encoding ${this.encoding}`);
      return REPLACEMENT;
    };
    const bytes = bytesOf(input);
    const text = this.encoding === 'utf-8' ? decodeUtf8(bytes, wrong) : decodeUtf16(bytes, wrong);
    return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
}

class Encoder {
  readonly encoding = 'utf-8';

  encode(input = ''): Uint8Array {
    const text = String(input).toWellFormed();
    const bytes = new Uint8Array(text.length * 3);
    let used = 0;
    for (const character of text) {
      const point = character.codePointAt(0) ?? 0;
      if (point < 0x80) bytes[used++] = point;
      else {
        const following = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
        bytes[used++] = ((0xf00 >> (following + 1)) & 0xff) | (point >> (6 * following));
        for (let left = following - 1; left >= 0; left--) bytes[used++] = 0x80 | ((point >> (6 * left)) & 0x3f);
      }
    }
    return bytes.slice(0, used);
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** "Forgiving-base64 decode" of the Infra standard. */
const decodeBase64 = (input: string): string => {
  const stripped = String(input).replace(/[\t\n\f\r ]/g, '');
  const text = stripped.length % 4 === 0 ? stripped.replace(/={1,2}$/, '') : stripped;
  if (text.length % 4 === 1) throw new RangeError('not base64');
  const out = createText();
  let bits = 0;
  let held = 0;
  for (const character of text) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) throw new RangeError('not base64');
    held = ((held << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.unit((held >> bits) & 0xff);
    }
  }
  return out.finish();
};

Object.assign(globalThis, { TextDecoder: Decoder, TextEncoder: Encoder, atob: decodeBase64 });
