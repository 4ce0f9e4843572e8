/**
 * Rounds of `kill -9` under load: of the leader of the stream, of the directory that writes, of the one that serves beside it. Every write asks for
 * `ack=directory`. After the rounds all directories and regions are killed and others started on empty disks, so what they have comes from the
 * stream alone; and every write that was acknowledged must be there, or a later one of its key. Meanwhile clients increment counters by conditions for the
 * whole cluster.
 */
import { Ledger, within } from "@meridian/local-cluster";
import type { Random } from "@meridian/runtime";

import { Counters } from "../support/counters.ts";
import { Fleet, type Victim } from "./fleet.ts";

/** How many rounds there are, and of what. */
export interface RoundsOptions {
  readonly rounds: number;
  readonly victims: readonly Victim[];
  /** How many writes are under way at once. */
  readonly writers: number;
  /** How many clients increment counters. */
  readonly counting: number;
  readonly random: Random;
  /** Told of each round. */
  readonly onRound?: (told: RoundReport) => void;
}

/** What came of a kill. */
interface RoundReport {
  readonly round: number;
  readonly victim: Victim;
  /** How many writes had been acknowledged before. */
  readonly acknowledged: number;
  /** For how long no write was acknowledged behind the kill, in milliseconds. */
  readonly gapMs: number;
}

/** What came of all. */
export interface RoundsReport {
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly perSecond: number;
  /** The same, without the times in which nothing was acknowledged behind a kill. */
  readonly servingPerSecond: number;
  /** How many messages the stream has kept, and how many it had. */
  readonly messages: number;
  readonly first: number;
  /** Acknowledged writes that are gone, one sentence each. */
  readonly lost: readonly string[];
  /** Increments that were answered as made, those that nobody knows of, and what is wrong with the counters. */
  readonly counted: {
    readonly done: number;
    readonly unknown: number;
    readonly operations: number;
    readonly wrong: readonly string[];
  };
}

/** A write without an answer for so long counts as not acknowledged. */
const PATIENCE_MS = 15_000;

/** Without enough acknowledged writes for so long, the cluster is stuck. */
const STUCK_MS = 90_000;

/** How many counters there are. */
const COUNTERS = 4;

/** How many keys each writer has. */
const KEYS = 50;

/** How many writes have to be acknowledged before and behind a kill. */
const STEADY = 200;

const VALUE_BYTES = 100;

class Writing {
  readonly ledger: Ledger = new Ledger("writer");
  acknowledged = 0;
  unanswered = 0;
  /** The longest time without an acknowledgement since `mark`. */
  gapMs = 0;
  #lastMs = performance.now();
  #isOver = false;
  #writers: readonly Promise<void>[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  start(regions: readonly string[], writers: number): void {
    this.#writers = Array.from({ length: writers }, (_, writer) =>
      this.#write(regions[writer % regions.length] ?? "", writer),
    );
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#writers);
  }

  mark(): void {
    this.gapMs = 0;
    this.#lastMs = performance.now();
  }

  /** Resolves once so many more writes have been acknowledged. */
  more(count: number): Promise<void> {
    const acknowledged = new Promise<void>((resolve) => {
      this.#waiting = { count: this.acknowledged + count, resolve };
    });
    return within(`${count} more writes`, acknowledged, STUCK_MS);
  }

  async #write(url: string, writer: number): Promise<void> {
    for (let each = 0; !this.#isOver; each += 1) {
      const key = `${writer}/${each % KEYS}`;
      const attempt = this.ledger.attempt(key, "set", 0, Date.now());
      if (await put(url, key, attempt.number)) {
        this.ledger.acknowledge(attempt, { expiresAtMs: 0 });
        this.#acknowledge();
      } else {
        attempt.outcome = "unknown";
        this.unanswered += 1;
      }
    }
  }

  #acknowledge(): void {
    this.acknowledged += 1;
    const nowMs = performance.now();
    this.gapMs = Math.max(this.gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#waiting === undefined || this.acknowledged < this.#waiting.count) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}

/** Kills, checks, and reports. */
export async function killInRounds(options: RoundsOptions): Promise<RoundsReport> {
  const { rounds, victims, writers, counting, random, onRound = () => {} } = options;
  const fleet = new Fleet();
  const counters = new Counters(() => fleet.regions, COUNTERS);
  const writing = new Writing();
  try {
    await fleet.start();
    const beganMs = performance.now();
    let gapsMs = 0;
    writing.start(fleet.regions, writers);
    counters.start(counting);
    for (let round = 1; round <= rounds; round += 1) {
      const victim = victims[(round - 1) % victims.length] ?? "serving directory";
      await writing.more(STEADY + Math.floor(random.next() * STEADY));
      const { acknowledged } = writing;
      writing.mark();
      const startAgain = await fleet.kill(victim);
      await writing.more(STEADY);
      gapsMs += writing.gapMs;
      onRound({ round, victim, acknowledged, gapMs: writing.gapMs });
      await startAgain();
      await fleet.whole();
    }
    await Promise.all([writing.stop(), counters.stop()]);
    const tookMs = performance.now() - beganMs;
    await fleet.converged();
    const { messages = 0, first_seq: first = 0 } = (await fleet.streamState()) ?? {};
    await fleet.replaceAll();
    const { ledger, acknowledged, unanswered } = writing;
    const wrong = await counters.violations();
    const { done, unknown, operations } = counters;
    const counted = { done, unknown, operations, wrong };
    const lost = await lostOf(ledger, fleet.regions);
    const perSecond = acknowledged / (tookMs / 1_000);
    const servingPerSecond = acknowledged / ((tookMs - gapsMs) / 1_000);
    return {
      acknowledged,
      unanswered,
      perSecond,
      servingPerSecond,
      messages,
      first,
      lost,
      counted,
    };
  } catch (cause) {
    throw new Error(fleet.report(), { cause });
  } finally {
    await Promise.all([writing.stop(), counters.stop(), fleet.dispose()]);
  }
}

/** What the regions lack of what was acknowledged. */
async function lostOf(ledger: Ledger, regions: readonly string[]): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const url of regions) {
    for (const key of ledger.keys) {
      const answer = await fetch(addressOf(url, key));
      const text = await answer.text();
      const got = answer.ok ? { number: Number.parseInt(text, 10) } : undefined;
      const broken = ledger.broken(key, got, ledger.floor(key), Date.now());
      if (broken !== undefined) lost.push(broken);
    }
  }
  return lost;
}

interface WriteAnswer {
  readonly acknowledged?: { readonly reached: boolean };
}

/** Whether a write was acknowledged. */
async function put(url: string, key: string, number: number): Promise<boolean> {
  const body = String(number).padEnd(VALUE_BYTES);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const answer = await fetch(`${addressOf(url, key)}?ack=directory`, {
      method: "PUT",
      body,
      signal,
    });
    const { acknowledged } = (await answer.json()) as WriteAnswer;
    return answer.ok && acknowledged?.reached === true;
  } catch {
    return false;
  }
}

function addressOf(url: string, key: string): string {
  return `${url}/cache/${encodeURIComponent(key)}`;
}
