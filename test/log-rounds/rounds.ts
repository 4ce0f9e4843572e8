/**
 * Rounds of `kill -9` under load: of servers of the stream, of the directory that writes, of the one that serves beside it, and of a region. Every write asks for
 * `ack=directory`. After the rounds all directories and regions are killed and others started on empty disks, so what they have comes from the
 * stream alone; and every write that was acknowledged must be there, or a later one of its key. Meanwhile clients increment counters by conditions for the
 * whole cluster.
 */
import type { Random } from "@meridian/runtime";

import { Counters } from "../support/counters.ts";
import { Fleet, type Victim } from "./fleet.ts";
import { lostOf, Writers } from "./writers.ts";

/** How many rounds there are, and of what. */
export interface RoundsOptions {
  readonly rounds: number;
  readonly victims: readonly Victim[];
  /** How many clients write, each one key after the other. */
  readonly writers: number;
  /** How many keys a second are set beside that, whatever is answered. */
  readonly rate: number;
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
  /** How long the median of the acknowledged requests took, and 99 of 100 of them at most, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
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

/** How many counters there are. */
const COUNTERS = 4;

/** How many writes have to be acknowledged before and behind a kill, where there is no rate, and for how many seconds' worth where there is one. */
const STEADY = 200;
const STEADY_SECONDS = 5;

/** Kills, checks, and reports. */
export async function killInRounds(options: RoundsOptions): Promise<RoundsReport> {
  const { rounds, victims, writers: clients, rate, counting, random, onRound = () => {} } = options;
  const fleet = new Fleet();
  const regions = (): readonly string[] => fleet.regions;
  const counters = new Counters(regions, COUNTERS);
  const writers = new Writers({ regions, clients, rate });
  const { progress } = writers;
  const steady = Math.max(STEADY, rate * STEADY_SECONDS);
  try {
    await fleet.start();
    const beganMs = performance.now();
    let gapsMs = 0;
    writers.start();
    counters.start(counting);
    for (let round = 1; round <= rounds; round += 1) {
      const victim = victims[(round - 1) % victims.length] ?? "serving directory";
      await progress.more(steady + Math.floor(random.next() * steady));
      const { acknowledged } = progress;
      progress.mark();
      const startAgain = await fleet.kill(victim, random);
      await progress.more(steady);
      gapsMs += progress.gapMs;
      onRound({ round, victim, acknowledged, gapMs: progress.gapMs });
      await startAgain();
      await fleet.whole();
    }
    await Promise.all([writers.stop(), counters.stop()]);
    const tookMs = performance.now() - beganMs;
    const before = await fleet.converged();
    const { messages = 0, first_seq: first = 0 } = (await fleet.streamState()) ?? {};
    const after = await fleet.replaceAll();
    const { acknowledged, unanswered } = progress;
    const wrong = await counters.violations();
    const { done, unknown, operations } = counters;
    return {
      acknowledged,
      unanswered,
      perSecond: acknowledged / (tookMs / 1_000),
      servingPerSecond: acknowledged / ((tookMs - gapsMs) / 1_000),
      p50Ms: quantileOf(writers.tookMs, 0.5),
      p99Ms: quantileOf(writers.tookMs, 0.99),
      messages,
      first,
      lost: [
        ...(await lostOf(writers.ledger, fleet.regions)),
        ...(before === after
          ? []
          : [`the digest was ${before}, and from the stream it is ${after}`]),
      ],
      counted: { done, unknown, operations, wrong },
    };
  } catch (cause) {
    throw new Error(fleet.report(), { cause });
  } finally {
    await Promise.all([writers.stop(), counters.stop(), fleet.dispose()]);
  }
}

function quantileOf(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;
}
