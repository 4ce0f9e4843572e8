import type { Duplex } from "node:stream";

import { MeridianError } from "@meridian/protocol";

/** What half-received messages may take on all links of a listener together, in bytes. */
const RECEIVE_BYTES_MAX = 256 * 1024 * 1024;

/** The receiving half of one link. */
export interface Receiving {
  /** A message has arrived whole. */
  onMessage(): void;
  /** The link is gone. */
  end(): void;
}

/**
 * Bounds what messages take that have begun and not yet arrived whole. Each may be large, and no link can be told from
 * its first bytes whether its peer means well: the one that goes beyond the bound is cut.
 */
export class ReceiveBudget {
  readonly max: number;
  #now = 0;

  constructor(max: number = RECEIVE_BYTES_MAX) {
    this.max = max;
  }

  /** Bytes of messages that have not arrived whole. */
  get now(): number {
    return this.#now;
  }

  /** Follows what arrives on a connection. `cut` is called once if that goes beyond the bound. */
  follow(wire: Duplex, cut: (error: MeridianError) => void): Receiving {
    let begun = 0;
    const take = (bytes: number): void => {
      begun += bytes;
      this.#now += bytes;
    };
    const onData = (chunk: Uint8Array): void => {
      take(chunk.byteLength);
      if (this.#now <= this.max) return;
      wire.off("data", onData);
      const said = `Expected at most ${this.max} bytes of messages that have not arrived whole`;
      cut(new MeridianError("OVERLOADED", `${said}, got ${this.#now}`));
    };
    wire.on("data", onData);
    return {
      onMessage: () => take(-begun),
      end: () => {
        wire.off("data", onData);
        take(-begun);
      },
    };
  }
}
