import type { Random } from "./random.ts";

/** Chance from the platform's cryptographic generator: 53 random bits a call. */
export const systemRandom: Random = {
  next() {
    const words = crypto.getRandomValues(new Uint32Array(2));
    const [high = 0, low = 0] = words;
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
};
