/** Where chance comes from. Injected everywhere, so that a simulation can repeat itself from a seed. */
export interface Random {
  /** A number in [0, 1), evenly distributed. */
  next(): number;
}

/** A random whole number in [1, 2^48). For identities: 48 bits stay exact in a double and on the wire. */
export function randomIdentity(random: Random): number {
  return 1 + Math.floor(random.next() * (2 ** 48 - 1));
}
