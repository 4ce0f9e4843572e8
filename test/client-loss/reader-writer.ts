/**
 * A program that uses one client at a constant rate, whatever happens to its node, and checks what it is told: it never reads an older value of a
 * key than it has read or written, and each write that was acknowledged is still there in the end.
 */
import type { MeridianClient } from "@meridian/client";

/** What came of a load. */
export interface Told {
  readonly answered: number;
  /** Calls that were rejected, by code. */
  readonly failures: Readonly<Record<string, number>>;
  /** The longest time in which no call was answered, in milliseconds. */
  readonly gapMs: number;
  /** Broken promises, in words. */
  readonly wrong: readonly string[];
}

const KEYS = 200;
const DEADLINE_MS = 5_000;

interface Key {
  readonly name: string;
  /** The last number whose write was begun. */
  begun: number;
  /** The highest number that was read, or whose write was acknowledged. */
  seen: number;
  acknowledged: number;
  isBusy: boolean;
}

/** Reads and writes numbers that only grow. */
export class ReaderWriter {
  readonly #client: MeridianClient;
  readonly #keys: readonly Key[];
  readonly #failures = new Map<string, number>();
  readonly #wrong: string[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #answered = 0;
  #lastMs = 0;
  #gapMs = 0;

  constructor(client: MeridianClient, prefix: string) {
    this.#client = client;
    this.#keys = Array.from({ length: KEYS }, (_, index) => ({
      name: `${prefix}-${index}`,
      begun: 0,
      seen: 0,
      acknowledged: 0,
      isBusy: false,
    }));
  }

  /** Calls the client `rate` times a second until `over` resolves, and then waits for all answers. */
  async run(rate: number, over: Promise<unknown>): Promise<Told> {
    let isOver = false;
    void over.finally(() => (isOver = true));
    const beganMs = performance.now();
    this.#lastMs = beganMs;
    for (let call = 0; !isOver; call += 1) {
      this.#begin(call);
      const waitMs = beganMs + ((call + 1) * 1_000) / rate - performance.now();
      if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
    }
    await Promise.all(this.#underWay);
    return {
      answered: this.#answered,
      failures: Object.fromEntries(this.#failures),
      gapMs: this.#gapMs,
      wrong: this.#wrong,
    };
  }

  /** What `read` does not find of what was acknowledged. */
  async missing(read: (key: string) => Promise<unknown>): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const { name, acknowledged, begun } of this.#keys) {
      const value = acknowledged === 0 ? 0 : Number(await read(name));
      if (value >= acknowledged && value <= begun) continue;
      missing.push(`${name} is ${value}, although ${acknowledged} was acknowledged`);
    }
    return missing;
  }

  #begin(call: number): void {
    // Each third call writes; the keys take turns.
    const key = this.#keys[(call * 7) % KEYS];
    if (key === undefined) return;
    const writes = call % 3 === 0 && !key.isBusy;
    const done = (writes ? this.#write(key) : this.#read(key))
      .then(() => this.#note())
      .catch((cause: unknown) => {
        const { code = String(cause) } = cause as { readonly code?: string };
        this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
      });
    this.#underWay.add(done);
    void done.finally(() => this.#underWay.delete(done));
  }

  async #write(key: Key): Promise<void> {
    key.isBusy = true;
    key.begun += 1;
    const value = key.begun;
    try {
      await this.#client.set(key.name, value, { deadlineMs: DEADLINE_MS });
      key.acknowledged = value;
      key.seen = Math.max(key.seen, value);
    } finally {
      key.isBusy = false;
    }
  }

  async #read(key: Key): Promise<void> {
    const { seen } = key;
    const value = Number((await this.#client.get(key.name, { deadlineMs: DEADLINE_MS })) ?? 0);
    if (value < seen) this.#wrong.push(`${key.name} was ${value}, after ${seen} had been seen`);
    if (value > key.begun) this.#wrong.push(`${key.name} was ${value}, which nobody has written`);
    key.seen = Math.max(key.seen, value);
  }

  #note(): void {
    const nowMs = performance.now();
    this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#answered += 1;
  }
}
