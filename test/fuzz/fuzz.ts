/** Gives a target inputs, keeps those that are taken in a way that none before was, and tells of those that are a fault. */
import { seededRandom } from "@meridian/runtime";

import { mutate } from "./mutate.ts";
import type { Target } from "./targets.ts";

/** How a target fared. */
export interface FuzzReport {
  readonly inputs: number;
  /** In how many ways inputs were taken. */
  readonly outcomes: number;
  /** Inputs that were the first to be taken in their way. */
  readonly found: readonly Uint8Array[];
  readonly faults: readonly { readonly input: Uint8Array; readonly why: string }[];
  /** The longest that one input took, in milliseconds. */
  readonly slowestMs: number;
}

/** How a target is tried. */
export interface FuzzOptions {
  readonly seed: number;
  readonly inputs: number;
  /** Inputs that were found before. They are tried first. */
  readonly corpus: readonly Uint8Array[];
}

const FAULTS_MAX = 10;
const FOUND_MAX = 500;
/** Inputs that are taken side by side. */
const TOGETHER = 16;

/** Tries a target. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const random = seededRandom(options.seed);
  const pool: Uint8Array[] = [...target.seeds, ...options.corpus];
  const outcomes = new Set<string>();
  const found: Uint8Array[] = [];
  const faults: { input: Uint8Array; why: string }[] = [];
  let slowestMs = 0;
  const attempt = async (input: Buffer, isNew: boolean): Promise<void> => {
    const startedMs = performance.now();
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
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  };
  for (const input of pool) await attempt(Buffer.from(input), false);
  for (let done = 0; done < options.inputs && faults.length < FAULTS_MAX; done += TOGETHER) {
    const inputs = Array.from({ length: TOGETHER }, () => mutate(random, pool));
    await Promise.all(inputs.map((input) => attempt(input, true)));
    if (done % 4_096 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { inputs: options.inputs, outcomes: outcomes.size, found, faults, slowestMs };
}
