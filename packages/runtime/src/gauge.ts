/** How full a bounded queue or resource is, for an operator. */
export interface Gauge {
  /** Which queue or resource it is, camelCase; bytes end in `Bytes`. */
  readonly name: string;
  readonly now: number;
  /** The bound. What would exceed it is refused, or waits at its sender. */
  readonly max: number;
}
