import { MeridianError, type NodeMessage } from "@meridian/protocol";

/** The messages that a peer may repeat after its greeting. */
type Repeated = Exclude<NodeMessage["type"], "hello" | "follow" | "probe" | "goodbye">;

/** How often a message may come: so many in each `heartbeatMs`, and so many more at once, for example after the directory was at a standstill. */
interface Bound {
  readonly times: number;
  readonly burst: number;
}

/** A node sends it once in that time, and when its status changes. */
const LIVING: Bound = { times: 20, burst: 256 };

/** More than one node's thread can do in that time for all of its writers, readers and comparisons. */
const WORKING: Bound = { times: 10_000, burst: 20_000 };

/** A node sends it about once a second. */
const SOMETIMES: Bound = { times: 2, burst: 32 };

/** A node sends it once on each link. */
const RECONCILING: Bound = { times: 1, burst: 64 };

/** The bounds, which PROTOCOL.md lists under "What is possible". No correct peer reaches them. */
const BOUNDS: Readonly<Record<Repeated, Bound>> = {
  heartbeat: LIVING,
  applied: WORKING,
  locate: WORKING,
  compare: WORKING,
  offer: WORKING,
  propose: WORKING,
  barrier: WORKING,
  heat: SOMETIMES,
  reconcile: RECONCILING,
  reconciled: RECONCILING,
};

/** What is left of a bound. */
interface Left {
  count: number;
  atMs: number;
}

/** Counts the messages of one peer by type. */
export class Pace {
  readonly #heartbeatMs: number;
  readonly #left = new Map<Repeated, Left>();

  constructor(heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
  }

  /** Counts a heartbeat. Throws `MALFORMED_MESSAGE` if it is one too many. */
  take(type: Repeated, nowMs: number): void {
    const { times, burst } = BOUNDS[type];
    const left = this.#leftOf(type, burst, nowMs);
    const earned = ((nowMs - left.atMs) * times) / this.#heartbeatMs;
    left.count = Math.min(burst, left.count + earned);
    left.atMs = nowMs;
    if (left.count < 1) {
      const perSecond = (times * 1_000) / this.#heartbeatMs;
      const said = `Expected at most ${perSecond} \`${type}\` a second, and ${burst} at once, got one more`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    left.count -= 1;
  }

  #leftOf(type: Repeated, burst: number, nowMs: number): Left {
    const known = this.#left.get(type);
    if (known !== undefined) return known;
    const left = { count: burst, atMs: nowMs };
    this.#left.set(type, left);
    return left;
  }
}
