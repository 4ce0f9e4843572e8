/** Runs a target with random inputs, keeps each input with a new outcome, and reports faults. */
import { seededRandom } from "@meridian/runtime";

import { mutate } from "./mutate.ts";
import type { Target } from "./targets.ts";

/** The result of fuzzing a target. */
export interface FuzzReport {
  readonly inputs: number;
  /** How many different outcomes there were. */
  readonly outcomes: number;
  /** The first input of each outcome. */
  readonly found: readonly Uint8Array[];
  readonly faults: readonly { readonly input: Uint8Array; readonly why: string }[];
  /** The most processor time that this process took from one input to the next, in milliseconds: on a busy machine, others take much of the time. */
  readonly slowestMs: number;
}

/** How a target is fuzzed. */
export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  /** After how many milliseconds no further inputs are made. Default: never. */
  readonly durationMs?: number;
  /** Inputs that were found before. They run first. */
  readonly corpus: readonly Uint8Array[];
}

const FAULTS_MAX = 10;
const FOUND_MAX = 500;
/** Inputs that are taken side by side. */
const TOGETHER = 16;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Tries a target. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const random = seededRandom(options.seed);
  const pool: Uint8Array[] = [...target.seeds, ...options.corpus];
  const outcomes = new Set<string>();
  const found: Uint8Array[] = [];
  const faults: { input: Uint8Array; why: string }[] = [];
  let slowestMs = 0;
  const attempt = async (input: Buffer, isNew: boolean): Promise<void> => {
    const startedMs = cpuMs();
    try {
      const taken = target.take(input);
      const outcome = typeof taken === "string" ? taken : await taken;
      if (isNew && !outcomes.has(outcome) && found.length < FOUND_MAX) {
        found.push(input);
        pool.push(input);
      }
      outcomes.add(outcome);
    } catch (cause) {
      faults.push({
        input,
        why: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
      });
    }
    slowestMs = Math.max(slowestMs, cpuMs() - startedMs);
  };
  for (const input of pool) await attempt(Buffer.from(input), false);
  const endMs = performance.now() + (options.durationMs ?? Infinity);
  const goesOn = (): boolean => faults.length < FAULTS_MAX && performance.now() < endMs;
  let done = 0;
  for (; done < options.inputs && goesOn(); done += TOGETHER) {
    const inputs = Array.from({ length: TOGETHER }, () => mutate(random, pool));
    await Promise.all(inputs.map((input) => attempt(input, true)));
    if (done % 4_096 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { inputs: done, outcomes: outcomes.size, found, faults, slowestMs };
}
