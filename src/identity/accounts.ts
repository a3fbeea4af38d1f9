import { sha256Hex } from '../bytes/sha256.ts';
import { WeighbridgeError } from '../errors.ts';
import { COMMON_DIGITS, COMMON_PASSWORDS } from './common-passwords.ts';
import { PERSON_ROLES, type PersonRole } from './roles.ts';

/** Letters, digits and what stands in mail addresses, in lower case: one person is not written in two ways. */
const NAME = /^[a-z][a-z0-9._@+-]{0,63}$/;
/** What ids of tokens look like: nobody is called so. */
const TOKEN_ID = /^t-[0-9a-f]{16}$/;
/** Characters of a password: long enough to be guessed slowly, short enough to be hashed at once. */
const SHORTEST = 12;
const LONGEST = 256;

/** What whoever guesses here begins with; the name of the account as well. */
const EXPECTED = ['weighbridge', 'gateway', 'password', 'artefact', 'huggingface', ...PERSON_ROLES];
const common = new Set(COMMON_PASSWORDS.replaceAll('\n', '').match(new RegExp(`.{${COMMON_DIGITS}}`, 'g')));

const isPersonRole = (text: string): text is PersonRole => PERSON_ROLES.some((role) => role === text);

/** Checks whom an account is for. Throws REQUEST_INVALID that says what was expected. */
export const checkAccount = (name: string, role: string): { readonly name: string; readonly role: PersonRole } => {
  if (!NAME.test(name) || TOKEN_ID.test(name))
    throw invalid('name', 'up to 64 lower case letters, digits, dots, dashes, @, + and underscores, a letter first');
  return { name, role: checkRole(role) };
};

/** Checks a role for a person. Throws REQUEST_INVALID that says what was expected. */
export const checkRole = (role: string): PersonRole => {
  if (isPersonRole(role)) return role;
  throw invalid('role', PERSON_ROLES.join(', '));
};

/** Checks a password for the account `name`. Throws REQUEST_INVALID, which never repeats it. */
export const checkPassword = (password: string, name: string): void => {
  const length = [...password].length;
  if (length < SHORTEST || length > LONGEST) throw invalid('password', `${SHORTEST} to ${LONGEST} characters`);
  const lower = password.normalize('NFC').toLowerCase();
  const rest = [name, ...EXPECTED].reduce((left, word) => left.replaceAll(word, ''), lower);
  if ([...rest].length < SHORTEST && rest !== lower)
    throw invalid('password', `${SHORTEST} characters beside the name of the account and words such as ${EXPECTED[0]}`);
  if (common.has(sha256Hex(new TextEncoder().encode(lower)).slice(0, COMMON_DIGITS)))
    throw invalid('password', 'one that is not among those that are guessed first');
};

const invalid = (field: string, expected: string): WeighbridgeError =>
  new WeighbridgeError('REQUEST_INVALID', `${field}: expected ${expected}`);
