/** Bits that fill bytes from the lowest one, as DEFLATE and zstd have them. */
export type Bits = {
  /** `count` bits, at most 24. */
  put(value: number, count: number): void;
  /** Fills up the last byte. */
  flush(): void;
};

export const createBits = (byte: (value: number) => void): Bits => {
  let held = 0;
  let count = 0;
  return {
    put(value, more) {
      held |= value << count;
      for (count += more; count >= 8; count -= 8) {
        byte(held & 0xff);
        held >>>= 8;
      }
    },
    flush() {
      if (count > 0) byte(held & 0xff);
      held = 0;
      count = 0;
    },
  };
};
