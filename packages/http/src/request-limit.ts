import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { MeridianError } from "@meridian/protocol";
import type { Gauge } from "@meridian/runtime";

const REQUESTS_MAX = 10_000;

/** Requests under way on one connection: the others have as good a right to be answered. */
const PIPELINED_MAX = 256;

/** Counts and bounds the requests under way, so that a server that stops can let them finish. */
export class RequestLimit {
  readonly #max: number;
  #active = 0;
  readonly #pipelined = new WeakMap<Socket, number>();
  readonly #onIdle: (() => void)[] = [];

  constructor(max: number = REQUESTS_MAX) {
    this.#max = max;
  }

  /** Requests that have not been answered yet. */
  get active(): number {
    return this.#active;
  }

  gauge(): Gauge {
    return { name: "httpRequests", now: this.#active, max: this.#max };
  }

  /** Counts a request until its answer has left or its connection is gone. Throws `OVERLOADED`, and counts nothing. */
  track(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming;
    const pipelined = 1 + (this.#pipelined.get(socket) ?? 0);
    check("requests under way", this.#active + 1, this.#max);
    check("requests under way on one connection", pipelined, PIPELINED_MAX);
    this.#active += 1;
    this.#pipelined.set(socket, pipelined);
    outgoing.once("close", () => {
      this.#active -= 1;
      this.#pipelined.set(socket, (this.#pipelined.get(socket) ?? 1) - 1);
      if (this.#active === 0) for (const callback of this.#onIdle.splice(0)) callback();
    });
  }

  /** Calls back once no request is under way. */
  onIdle(callback: () => void): void {
    if (this.#active === 0) callback();
    else this.#onIdle.push(callback);
  }
}

function check(what: string, now: number, max: number): void {
  if (now <= max) return;
  const said = `Expected at most ${max} ${what}, got ${now}`;
  throw new MeridianError("OVERLOADED", said, { details: { now, max } });
}
