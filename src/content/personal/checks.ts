/*
 * Check digits of numbers that belong to persons. Each takes the number as it is written, without separators; without
 * its check digit no number counts, so that a serial number is rarely taken for a person's.
 */

const digitsOf = (written: string): readonly number[] => [...written].map((digit) => digit.charCodeAt(0) - 0x30);
const weighed = (digits: readonly number[], weights: readonly number[]): number =>
  weights.reduce((sum, weight, index) => sum + weight * (digits[index] ?? 0), 0);

/** All digits the same: a placeholder, which most check digits accept. */
const isUniform = (written: string): boolean => /^(\d)\1+$/.test(written);

/** ISO/IEC 7812-1, annex B: every second digit from the right doubled. */
export const passesLuhn = (written: string): boolean =>
  digitsOf(written)
    .toReversed()
    .reduce((sum, digit, index) => sum + (index % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2), 0) %
    10 ===
  0;

/** The remainder of a number of any length, given as digits. */
const remainder = (written: string, divisor: number): number =>
  digitsOf(written).reduce((rest, digit) => (rest * 10 + digit) % divisor, 0);

/** Payment cards: numbers of the large issuers, with their lengths, and Luhn. */
export const isCard = (written: string): boolean =>
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17})$/.test(
    written,
  ) &&
  !isUniform(written) &&
  passesLuhn(written);

/** Letters of the countries in the IBAN registry that most accounts are of, with the length of theirs. */
const IBAN_LENGTHS =
  'AD24 AE23 AL28 AT20 BA20 BE16 BG22 BR29 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GE22 GI23 GR27 HR21 HU28 IE22 IL23 IS26 IT27 KZ20 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MT31 NL18 NO15 PK24 PL28 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TR26 UA29 XK20';
const LENGTH_OF: ReadonlyMap<string, number> = new Map(
  IBAN_LENGTHS.split(' ').map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** ISO 13616: the country and its check digits moved to the end, letters as numbers from 10, modulo 97. */
export const isIban = (written: string): boolean =>
  LENGTH_OF.get(written.slice(0, 2)) === written.length &&
  remainder(
    (written.slice(4) + written.slice(0, 4)).replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55)),
    97,
  ) === 1;

const isDate = (month: number, day: number): boolean => month >= 1 && month <= 12 && day >= 1 && day <= 31;

/** China, GB 11643-1999: place, date of birth, sequence, ISO 7064 modulo 11-2. */
export const isChineseId = (written: string): boolean =>
  /^[1-9]\d{5}(?:19|20)\d{9}[\dX]$/.test(written) &&
  isDate(Number(written.slice(10, 12)), Number(written.slice(12, 14))) &&
  '10X98765432'.charAt(weighed(digitsOf(written), [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11) ===
    written.charAt(17);

/** Brazil, CPF: two digits modulo 11. */
export const isCpf = (written: string): boolean => {
  const digits = digitsOf(written);
  const check = (length: number): number => {
    const weights = Array.from({ length }, (_, index) => length + 1 - index);
    return ((weighed(digits, weights) * 10) % 11) % 10;
  };
  return written.length === 11 && !isUniform(written) && check(9) === digits[9] && check(10) === digits[10];
};

/** Spain, DNI and NIE: the letter is the remainder modulo 23. */
export const isSpanishId = (written: string): boolean =>
  /^[XYZ\d]\d{7}[A-Z]$/.test(written) &&
  'TRWAGMYFPDXBNJZSQVHLCKE'.charAt(
    Number(written.slice(0, 8).replace(/[XYZ]/, (letter) => String('XYZ'.indexOf(letter)))) % 23,
  ) === written.charAt(8);

/** France, NIR: 97 less the remainder of the first thirteen. */
export const isFrenchId = (written: string): boolean =>
  /^[12]\d{2}(?:0[1-9]|1[0-2]|[2-4]\d)\d{10}$/.test(written) &&
  97 - remainder(written.slice(0, 13), 97) === Number(written.slice(13));

/** Poland, PESEL: date of birth with the century in the month, weights 1, 3, 7, 9. */
export const isPesel = (written: string): boolean =>
  /^\d{11}$/.test(written) &&
  isDate(Number(written.slice(2, 4)) % 20, Number(written.slice(4, 6))) &&
  weighed(digitsOf(written), [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0;

const ODD_PLACES = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/** Italy, codice fiscale: a letter modulo 26, digits counted as the letters from A. */
export const isItalianId = (written: string): boolean => {
  if (!/^[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]$/.test(written)) return false;
  const placeOf = (letter: string): number => letter.charCodeAt(0) - (letter <= '9' ? 0x30 : 0x41);
  const sum = [...written.slice(0, 15)].reduce(
    (total, letter, index) => total + (index % 2 === 0 ? (ODD_PLACES[placeOf(letter)] ?? 0) : placeOf(letter)),
    0,
  );
  return String.fromCharCode(0x41 + (sum % 26)) === written.charAt(15);
};

/** Finland, henkilötunnus: date of birth and sequence modulo 31. */
export const isFinnishId = (written: string): boolean =>
  /^\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]$/.test(written) &&
  isDate(Number(written.slice(2, 4)), Number(written.slice(0, 2))) &&
  '0123456789ABCDEFHJKLMNPRSTUVWXY'.charAt(Number(written.slice(0, 6) + written.slice(7, 10)) % 31) ===
    written.charAt(10);

/** Sweden, personnummer: date of birth with its separator, Luhn. */
export const isSwedishId = (written: string): boolean =>
  /^\d{6}[-+]\d{4}$/.test(written) &&
  isDate(Number(written.slice(2, 4)), Number(written.slice(4, 6))) &&
  passesLuhn(written.replace(/[-+]/, ''));

/** United States, social security number: no check digit, so only as it is written with hyphens, without unused ranges. */
export const isSocialSecurity = (written: string): boolean =>
  /^(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}$/.test(written) &&
  !/^(?:078-05-1120|219-09-9999|123-45-6789)$/.test(written);
