/** How full something is that has a bound, for an operator. */
export interface Gauge {
  /** Which queue or resource it is, camelCase; bytes end in `Bytes`. */
  readonly name: string;
  readonly now: number;
  /** The bound. Beyond it, what comes is refused or waits where it comes from. */
  readonly max: number;
}
