/** Writes with `ack=directory`, which are all in one ledger: by clients that wait for each answer, and at a rate, whatever is answered. */
import { Ledger, type Attempt } from "@meridian/local-cluster";

import { Progress } from "./progress.ts";

/** A write without an answer for so long counts as not acknowledged. */
const PATIENCE_MS = 15_000;

/** How many keys each client has. */
const KEYS = 50;

/** How often a batch is sent to each region where there is a rate. */
const BATCH_MS = 40;

/** A key is written again after so long: when what was sent before has been given up. */
const AGAIN_MS = 2 * PATIENCE_MS;

const VALUE_BYTES = 100;

/** Who writes, and where. */
export interface WritersOptions {
  /** The URLs of the regions, which may change. */
  readonly regions: () => readonly string[];
  /** How many clients write one key after the other. */
  readonly clients: number;
  /** How many keys a second are set beside that, in batches; 0 for none. */
  readonly rate: number;
}

/** All that write. */
export class Writers {
  readonly ledger: Ledger = new Ledger("writer");
  readonly progress: Progress = new Progress();
  /** How many milliseconds each batch took that was acknowledged. */
  readonly tookMs: number[] = [];
  readonly #options: WritersOptions;
  #isOver = false;
  #running: Promise<void>[] = [];
  #timers: NodeJS.Timeout[] = [];

  constructor(options: WritersOptions) {
    this.#options = options;
  }

  start(): void {
    const { clients, rate, regions } = this.#options;
    const count = regions().length;
    for (let client = 0; client < clients; client += 1) {
      this.#running.push(this.#live(client % count, client));
    }
    if (rate === 0) return;
    for (let region = 0; region < count; region += 1) this.#open(region, rate / count);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
  }

  /** One client: it sets one key after the other. */
  async #live(region: number, client: number): Promise<void> {
    for (let each = 0; !this.#isOver; each += 1) {
      await this.#set(region, [`${client}/${each % KEYS}`]);
    }
  }

  /** Sends batches at a rate, whatever becomes of those before. */
  #open(region: number, rate: number): void {
    const keys = Math.ceil((rate * AGAIN_MS) / 1_000);
    const beganMs = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - beganMs) * rate) / 1_000);
      // What was late is sent later, in batches that regions take.
      const count = Math.min(due - sent, 1_000);
      const batch = Array.from(
        { length: count },
        (_, each) => `open/${region}/${(sent + each) % keys}`,
      );
      sent += count;
      if (count > 0) this.#running.push(this.#set(region, batch));
    }, BATCH_MS);
    this.#timers.push(timer);
  }

  async #set(region: number, keys: readonly string[]): Promise<void> {
    const { ledger, progress } = this;
    const attempts = keys.map((key) => ledger.attempt(key, "set", 0, Date.now()));
    const beganMs = performance.now();
    if (await post(this.#options.regions()[region] ?? "", attempts)) {
      this.tookMs.push(performance.now() - beganMs);
      for (const attempt of attempts) ledger.acknowledge(attempt, { expiresAtMs: 0 });
      progress.acknowledge(attempts.length);
      return;
    }
    for (const attempt of attempts) attempt.outcome = "unknown";
    progress.unanswered += attempts.length;
    // A region that is not there refuses at once.
    await new Promise((resolve) => setTimeout(resolve, BATCH_MS));
  }
}

interface WriteAnswer {
  readonly acknowledged?: { readonly reached: boolean };
}

/** Whether a batch was acknowledged. */
async function post(url: string, attempts: readonly Attempt[]): Promise<boolean> {
  const entries = attempts.map(({ key, number }) => ({
    key,
    value: String(number).padEnd(VALUE_BYTES),
  }));
  try {
    const answer = await fetch(`${url}/batch/set`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ entries, ack: "directory", timeout: `${PATIENCE_MS}ms` }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { acknowledged } = (await answer.json()) as WriteAnswer;
    return answer.ok && acknowledged?.reached === true;
  } catch {
    return false;
  }
}

const READ_KEYS = 500;

interface ReadAnswer {
  readonly entries: readonly {
    readonly key: string;
    readonly found: boolean;
    readonly value?: string;
  }[];
}

/** What regions lack of what was acknowledged, one sentence each. */
export async function lostOf(
  ledger: Ledger,
  regions: readonly string[],
): Promise<readonly string[]> {
  const lost: string[] = [];
  const all = ledger.keys;
  for (const url of regions) {
    for (let at = 0; at < all.length; at += READ_KEYS) {
      const keys = all.slice(at, at + READ_KEYS);
      const answer = await fetch(`${url}/batch/get`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ keys }),
      });
      const { entries } = (await answer.json()) as ReadAnswer;
      for (const { key, found, value = "" } of entries) {
        const got = found ? { number: Number.parseInt(value, 10) } : undefined;
        const broken = ledger.broken(key, got, ledger.floor(key), Date.now());
        if (broken !== undefined) lost.push(broken);
      }
    }
  }
  return lost;
}
