import { MeridianError, parseTtlMs } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until `advance`. It begins on 2030-01-01. */
export class TestClock implements Clock {
  readonly #startMs = Date.UTC(2030, 0, 1);
  #elapsedMs = 0;
  #timers = new Set<Timer>();

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    // As of a platform's timers: no delay is too small for time to pass.
    const timer = { atMs: this.#elapsedMs + Math.max(1, Math.ceil(delayMs)), callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /**
   * Advances the clock by text with a unit, such as `61s`, or milliseconds. Each timer that is due runs at its time and in order,
   * with the promises that it resolves, before the clock goes on. Throws `INVALID_TTL`.
   */
  async advance(span: string | number): Promise<void> {
    const spanMs = typeof span === "number" ? span : parseTtlMs(span);
    if (!(spanMs >= 0)) {
      throw new MeridianError("INVALID_TTL", `Expected a time to pass, got \`${String(span)}\``);
    }
    const endMs = this.#elapsedMs + spanMs;
    await settled();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.callback();
      await settled();
    }
    this.#elapsedMs = endMs;
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.atMs < first.atMs) first = timer;
    }
    return first;
  }
}

/** Resolves when what can happen without time has happened: a few turns of the event loop later. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      Object.assign(port1, {
        onmessage: () => {
          port1.close();
          port2.close();
          resolve();
        },
      });
      port2.postMessage(0);
    });
  }
}
