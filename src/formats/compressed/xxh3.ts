/** Multipliers of the specification, of 64 and of 32 bits. */
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const [Q1, Q2, Q3] = [0x9e3779b1, 0x85ebca77n, 0xc2b2ae3dn] as const;
const [MX1, MX2] = [0x165667919e3779f9n, 0x9fb21c651e98df25n] as const;

/** The secret that is taken when no other is given (`kSecret`). */
const HEX =
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
  'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
  'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
  '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e';
const SECRET = new DataView(
  Uint8Array.from({ length: HEX.length / 2 }, (_, at) => Number.parseInt(HEX.slice(2 * at, 2 * at + 2), 16)).buffer,
);

/** Bytes of a stripe, lanes of it, and stripes until the lanes are scrambled. */
const [STRIPE, LANES, STRIPES] = [64, 8, 16];
/** Where the secret begins for the last stripe, for scrambling, for merging, and in texts of middle length. */
const [LAST, SCRAMBLE, MERGE, MIDDLE, MIDDLE_END] = [121, 128, 11, 3, 119];
/** The longest inputs that are hashed at once, in pairs, in rounds. */
const [SHORT, PAIRS, ROUNDS] = [16, 128, 240];

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, by: bigint): bigint => wrap(value << by) | (value >> (64n - by));
const secret = (at: number): bigint => SECRET.getBigUint64(at, true);
const fold = (a: bigint, b: bigint): bigint => {
  const product = a * b;
  return wrap(product) ^ (product >> 64n);
};
const avalanche = (value: bigint): bigint => {
  const mixed = wrap((value ^ (value >> 37n)) * MX1);
  return mixed ^ (mixed >> 32n);
};
const avalanche64 = (value: bigint): bigint => {
  let mixed = wrap((value ^ (value >> 33n)) * P2);
  mixed = wrap((mixed ^ (mixed >> 29n)) * P3);
  return mixed ^ (mixed >> 32n);
};

/** XXH3 of 64 bits with seed 0 (the specification of xxHash, `XXH3 Algorithm Overview`). */
export const xxh3 = (bytes: Uint8Array): bigint => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length <= SHORT) return ofShort(view);
  if (bytes.length <= PAIRS) return ofPairs(view);
  return bytes.length <= ROUNDS ? ofRounds(view) : ofLong(view);
};

const ofShort = (view: DataView): bigint => {
  const length = view.byteLength;
  if (length === 0) return avalanche64(secret(56) ^ secret(64));
  if (length < 4) {
    const [first, middle, last] = [view.getUint8(0), view.getUint8(length >> 1), view.getUint8(length - 1)];
    const joined = ((first << 16) | (middle << 24) | last | (length << 8)) >>> 0;
    return avalanche64(BigInt((joined ^ SECRET.getUint32(0, true) ^ SECRET.getUint32(4, true)) >>> 0));
  }
  if (length <= 8) {
    const joined = (BigInt(view.getUint32(0, true)) << 32n) + BigInt(view.getUint32(length - 4, true));
    let mixed = joined ^ secret(8) ^ secret(16);
    mixed = wrap((mixed ^ rotate(mixed, 49n) ^ rotate(mixed, 24n)) * MX2);
    mixed = wrap((mixed ^ ((mixed >> 35n) + BigInt(length))) * MX2);
    return mixed ^ (mixed >> 28n);
  }
  const low = view.getBigUint64(0, true) ^ secret(24) ^ secret(32);
  const high = view.getBigUint64(length - 8, true) ^ secret(40) ^ secret(48);
  const swapped = new DataView(new ArrayBuffer(8));
  swapped.setBigUint64(0, low);
  return avalanche(wrap(BigInt(length) + swapped.getBigUint64(0, true) + high + fold(low, high)));
};

const mix = (view: DataView, at: number, key: number): bigint =>
  fold(view.getBigUint64(at, true) ^ secret(key), view.getBigUint64(at + 8, true) ^ secret(key + 8));

const ofPairs = (view: DataView): bigint => {
  const length = view.byteLength;
  let sum = BigInt(length) * P1;
  for (let pair = (length - 1) >> 5; pair >= 0; pair--)
    sum += mix(view, 16 * pair, 32 * pair) + mix(view, length - 16 * (pair + 1), 32 * pair + 16);
  return avalanche(wrap(sum));
};

const ofRounds = (view: DataView): bigint => {
  const length = view.byteLength;
  let sum = BigInt(length) * P1;
  for (let round = 0; round < 8; round++) sum += mix(view, 16 * round, 16 * round);
  sum = avalanche(wrap(sum));
  for (let round = 8; round < length >> 4; round++) sum += mix(view, 16 * round, 16 * (round - 8) + MIDDLE);
  return avalanche(wrap(sum + mix(view, length - 16, MIDDLE_END)));
};

const ofLong = (view: DataView): bigint => {
  const start = [Q3, P1, P2, P3, P4, Q2, P5, BigInt(Q1)];
  // Numbers of 32 bits, low and high in turn: BigInt would be some twenty times slower here.
  const lanes = Uint32Array.from(start.flatMap((lane) => [Number(lane & 0xffffffffn), Number(lane >> 32n)]));
  const stripes = Math.floor((view.byteLength - 1) / STRIPE);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const place = stripe % STRIPES;
    if (place === 0 && stripe > 0) scramble(lanes);
    accumulate(lanes, view, stripe * STRIPE, place * 8);
  }
  // A last block that is full is scrambled too: the last stripe never counts as one of it.
  if (stripes > 0 && stripes % STRIPES === 0) scramble(lanes);
  accumulate(lanes, view, view.byteLength - STRIPE, LAST);
  let sum = wrap(BigInt(view.byteLength) * P1);
  for (let lane = 0; lane < LANES; lane += 2)
    sum += fold(wide(lanes, lane) ^ secret(MERGE + 8 * lane), wide(lanes, lane + 1) ^ secret(MERGE + 8 * lane + 8));
  return avalanche(wrap(sum));
};

const wide = (lanes: Uint32Array, lane: number): bigint =>
  (BigInt(lanes[2 * lane + 1] ?? 0) << 32n) | BigInt(lanes[2 * lane] ?? 0);

/** The upper half of a product of two numbers of 32 bits, whose lower half is known: the rounding of doubles is far below it. */
const upper = (a: number, b: number, lower: number): number => Math.round((a * b - lower) / 2 ** 32);

/** Adds a number of 64 bits, in halves, to a lane. */
const add = (lanes: Uint32Array, lane: number, low: number, high: number): void => {
  const sum = (lanes[2 * lane] ?? 0) + low;
  lanes[2 * lane] = sum;
  lanes[2 * lane + 1] = (lanes[2 * lane + 1] ?? 0) + high + (sum >= 2 ** 32 ? 1 : 0);
};

const accumulate = (lanes: Uint32Array, view: DataView, at: number, key: number): void => {
  for (let lane = 0; lane < LANES; lane++) {
    const [low, high] = [view.getUint32(at + 8 * lane, true), view.getUint32(at + 8 * lane + 4, true)];
    add(lanes, lane ^ 1, low, high);
    const a = (low ^ SECRET.getUint32(key + 8 * lane, true)) >>> 0;
    const b = (high ^ SECRET.getUint32(key + 8 * lane + 4, true)) >>> 0;
    const lower = Math.imul(a, b) >>> 0;
    add(lanes, lane, lower, upper(a, b, lower));
  }
};

const scramble = (lanes: Uint32Array): void => {
  for (let lane = 0; lane < LANES; lane++) {
    const [low, high] = [lanes[2 * lane] ?? 0, lanes[2 * lane + 1] ?? 0];
    const mixed = (low ^ (high >>> 15) ^ SECRET.getUint32(SCRAMBLE + 8 * lane, true)) >>> 0;
    const over = (high ^ SECRET.getUint32(SCRAMBLE + 8 * lane + 4, true)) >>> 0;
    const lower = Math.imul(mixed, Q1) >>> 0;
    lanes[2 * lane] = lower;
    lanes[2 * lane + 1] = upper(mixed, Q1, lower) + Math.imul(over, Q1);
  }
};
