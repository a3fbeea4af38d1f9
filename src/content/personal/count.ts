import {
  isCard,
  isChineseId,
  isCpf,
  isFinnishId,
  isFrenchId,
  isIban,
  isItalianId,
  isPesel,
  isSocialSecurity,
  isSpanishId,
  isSwedishId,
} from './checks.ts';

/** What is counted. */
export const KINDS = ['email', 'phone', 'card', 'iban', 'nationalId'] as const;
export type Kind = (typeof KINDS)[number];
export type Counts = { readonly [kind in Kind]: number };

export const NOTHING: Counts = { email: 0, phone: 0, card: 0, iban: 0, nationalId: 0 };

/** Characters of one text that are looked at; a book has no more kinds than its first chapters. */
const LOOKED = 1024 * 1024;

/** RFC 5321, as people write addresses; what stands in documentation (RFC 2606) is nobody's. */
const EMAIL =
  /(?<![\w.+-])[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,6}[A-Za-z]{2,24}(?![\w-])/g;
const NOBODYS =
  /@(?:[\w-]{1,63}\.){0,6}(?:example(?:\.(?:com|org|net))?|test|invalid|localhost)$|\.(?:png|jpe?g|gif|svg)$/i;
/** ITU-T E.164 with its plus, or a number in groups as North America writes it. */
const PHONE =
  /(?<![\w.+-])(?:\+[1-9]\d{0,2}(?:[ .\-/]{0,2}\(?\d{1,4}\)?){2,6}|(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4})(?![\w-]|\.\d)/g;
/** Digits of a whole telephone number. */
const [PHONE_LEAST, PHONE_MOST] = [9, 15];
/** Groups of digits of a card: 4-4-4-4, 4-6-5, or in one. */
const CARD =
  /(?<![\w.,+-])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{4,5})(?![\w-]|[.,]\d)/g;
const IBAN =
  /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,27}|(?: [A-Z0-9]{4}){2,6}(?: [A-Z0-9]{1,4})?)(?![A-Za-z0-9])/g;
/** Whatever may be a national number: digits with few separators, or letters with digits of a fixed form. */
const NATIONAL =
  /(?<![\w.,/+-])(?:\d{3}-\d{2}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]|\d{11}|[12](?: ?\d){14}|\d{17}[\dXx]|[XYZ]?\d{7,8}-?[A-Z]|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z])(?![\w-]|[.,]\d)/g;

const isNational = (written: string): boolean => {
  const plain = written.replace(/[ .-]/g, '').toUpperCase();
  return (
    isSocialSecurity(written) ||
    isFinnishId(written) ||
    isSwedishId(written) ||
    isSpanishId(plain) ||
    isFrenchId(plain) ||
    isItalianId(plain) ||
    isChineseId(plain) ||
    // Of eleven digits one in a hundred passes: as a CPF only in its own writing, as a PESEL with a date in it.
    (written.includes('.') ? isCpf(plain) : isPesel(plain))
  );
};

const digits = (written: string): string => written.replace(/\D/g, '');
const isPhone = (written: string): boolean => {
  const { length } = digits(written);
  return length >= PHONE_LEAST && length <= PHONE_MOST && !/^\+?(\d)\1+$/.test(written.replace(/[^\d+]/g, ''));
};

const found = (text: string, form: RegExp, counts: (written: string) => boolean): number => {
  let count = 0;
  for (const [written] of text.matchAll(form)) if (counts(written)) count += 1;
  return count;
};

/**
 * How much personal data of which kind stands in `text`; the data itself is never returned. A card or an account is
 * none of the other kinds. Linear in the length of the text: every form is bounded.
 */
export const personalIn = (whole: string): Counts => {
  const text = whole.length > LOOKED ? whole.slice(0, LOOKED) : whole;
  const numbers = /\d{2}/.test(text);
  const email = text.includes('@') ? found(text, EMAIL, (written) => !NOBODYS.test(written)) : 0;
  if (!numbers) return email === 0 ? NOTHING : { ...NOTHING, email };
  return {
    email,
    phone: found(text, PHONE, isPhone),
    card: found(text, CARD, (written) => isCard(digits(written))),
    iban: found(text, IBAN, (written) => isIban(written.replaceAll(' ', ''))),
    nationalId: found(text, NATIONAL, isNational),
  };
};
