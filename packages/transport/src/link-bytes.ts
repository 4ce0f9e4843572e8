/**
 * Counts the bytes that a listener holds for all of its links together: bytes that have arrived and were not handed on (mostly parts of
 * messages), and bytes that were sent and have not left. The first bytes of a link do not tell whether its peer means well. So when the
 * sum exceeds the bound, the listener cuts the link whose peer moves the smallest share of what is held for it.
 *
 * A frame that goes to a thousand links is one piece of memory: each link is charged a thousandth of it.
 */
import { MeridianError } from "@meridian/protocol";
import { HeldBytes, type Clock, type Holder, type Metrics } from "@meridian/runtime";

/** Default: enough for three messages of the largest size. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;

/** A smaller message is charged whole to each link that it is sent on. In bytes. */
const SHARED_BYTES_MIN = 16 * 1024;

/** The counters of a link. */
export interface CountedLink {
  /** Bytes that were sent and have not left. */
  readonly bufferedBytes: number;
  /** Bytes of whole messages that were not handed on yet. */
  readonly waitingBytes: number;
  cut(error: MeridianError): void;
}

/** A message that may be on its way to several peers. */
interface Shared {
  readonly bytes: number;
  links: number;
}

/** Bounds what is held for links. */
export class LinkBytes {
  readonly #held: HeldBytes<MeridianError>;
  readonly #shared = new WeakMap<Uint8Array, Shared>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics, max: number = HELD_BYTES_MAX) {
    this.#held = new HeldBytes<MeridianError>({
      name: "heldLinkBytes",
      what: "messages on links",
      max,
      clock,
      metrics,
      overloaded: (said, details) => new MeridianError("OVERLOADED", said, { details }),
    });
  }

  follow(link: CountedLink): LinkAccount {
    return new LinkAccount(this.#held, this.#shared, link);
  }
}

/** Counts what is held for one link in each direction. */
export class LinkAccount {
  readonly #held: HeldBytes<MeridianError>;
  readonly #shared: WeakMap<Uint8Array, Shared>;
  readonly #arriving: Arriving;
  readonly #leaving: Leaving;

  constructor(
    held: HeldBytes<MeridianError>,
    shared: WeakMap<Uint8Array, Shared>,
    link: CountedLink,
  ) {
    this.#held = held;
    this.#shared = shared;
    this.#arriving = new Arriving(link);
    this.#leaving = new Leaving(link);
    held.add(this.#arriving);
    held.add(this.#leaving);
  }

  /** Bytes have arrived. */
  arrived(bytes: number): void {
    this.#arriving.movedBytes += bytes;
    this.#arriving.begunBytes += bytes;
    this.#held.take(bytes, this.#arriving);
  }

  /** Bytes that `arrived` has counted belonged to a ping or pong, of which nothing is kept. */
  passed(bytes: number): void {
    this.#arriving.begunBytes = Math.max(0, this.#arriving.begunBytes - bytes);
  }

  /** A message has arrived whole. */
  completed(): void {
    this.#arriving.begunBytes = 0;
  }

  /** A message is about to be sent. Returns the function to call once the message has left, or undefined if none is needed. */
  sends(message: string | Uint8Array): (() => void) | undefined {
    if (message.length < SHARED_BYTES_MIN || typeof message === "string") return undefined;
    return this.#leaving.charge(this.#sharedOf(message));
  }

  /** The bytes that wait to leave have grown by `bytes`. */
  sent(bytes: number): void {
    this.#leaving.sentBytes += bytes;
    this.#held.take(bytes, this.#leaving);
  }

  /** The link is gone. */
  end(): void {
    this.#held.remove(this.#arriving);
    this.#held.remove(this.#leaving);
    this.#leaving.release();
  }

  #sharedOf(message: Uint8Array): Shared {
    const known = this.#shared.get(message);
    if (known !== undefined) return known;
    const shared = { bytes: message.byteLength, links: 0 };
    this.#shared.set(message, shared);
    return shared;
  }
}

/** The bytes that have arrived on a link and were not handed on. */
class Arriving implements Holder<MeridianError> {
  readonly #link: CountedLink;
  /** Bytes that have arrived since the last whole message. */
  begunBytes = 0;
  movedBytes = 0;

  constructor(link: CountedLink) {
    this.#link = link;
  }

  get heldBytes(): number {
    return this.begunBytes + this.#link.waitingBytes;
  }

  cut(error: MeridianError): void {
    this.#link.cut(error);
  }
}

/** The bytes that were sent on a link and have not left. */
class Leaving implements Holder<MeridianError> {
  readonly #link: CountedLink;
  sentBytes = 0;
  /** The unsent messages that may be on their way to other links, too. */
  readonly #shared = new Set<Shared>();

  constructor(link: CountedLink) {
    this.#link = link;
  }

  get heldBytes(): number {
    let bytes = this.#link.bufferedBytes;
    for (const shared of this.#shared) bytes -= shared.bytes - shared.bytes / shared.links;
    return Math.max(0, Math.round(bytes));
  }

  get movedBytes(): number {
    return this.sentBytes - this.#link.bufferedBytes;
  }

  /** Charges the link with its part of a message. Returns the function that ends the charge. */
  charge(shared: Shared): () => void {
    if (this.#shared.has(shared)) return () => {};
    this.#shared.add(shared);
    shared.links += 1;
    return () => {
      if (this.#shared.delete(shared)) shared.links -= 1;
    };
  }

  /** Ends every charge. */
  release(): void {
    for (const shared of this.#shared) shared.links -= 1;
    this.#shared.clear();
  }

  cut(error: MeridianError): void {
    this.release();
    this.#link.cut(error);
  }
}
