import type { DirectoryLog } from "@meridian/ports";
import assert from "node:assert/strict";
import {
  compareKeys,
  decodeBlock,
  highestTimeOf,
  isPurgeable,
  replaces,
  summaryOf,
  tombstone,
  type Entry,
} from "@meridian/protocol";
import fc from "fast-check";

import { append, frame, saveHorizon, settle } from "./log-records.ts";
import { attributed, entry } from "./replica-records.ts";
import type { StoreHarness } from "./store-harness.ts";

const KEYS = ["a", "b", "c", "d/e", "é", "😀", "g", "h", "i", "j"];

/** One step of a history of a log. */
export type LogStep =
  | { readonly do: "append"; readonly picks: readonly number[] }
  | { readonly do: "read"; readonly after: number; readonly bytes: number }
  | { readonly do: "purge"; readonly raise: number; readonly through: number }
  | { readonly do: "await" | "idle" | "reopen" | "crash" };

/** Generates any step. */
export const anyLogStep: fc.Arbitrary<LogStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      picks: fc.array(fc.nat(9_999), { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      after: fc.nat(999),
      bytes: fc.nat(600),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("purge" as const),
      raise: fc.nat(60),
      through: fc.nat(999),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("await" as const, "idle" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("reopen" as const, "crash" as const) }) },
);

/** Applies the same steps to a log and to a model: the list of all entries by sequence. */
export class LogHistory<L extends DirectoryLog> {
  readonly #harness: StoreHarness<L>;
  readonly #name: string;
  #log: L | undefined;
  #entries: Entry[] = [];
  #ends: number[] = [0];
  #pending: Promise<void>[] = [];
  #epochs: [number, number][] = [];
  /** The last horizon that the log has got. */
  #horizon = 0;

  constructor(harness: StoreHarness<L>, name: string) {
    this.#harness = harness;
    this.#name = name;
  }

  async start(): Promise<void> {
    this.#log = await this.#harness.open(this.#name);
    this.#epochs.push([this.#log.epoch, this.#log.committedThrough]);
    assert.deepEqual(this.#log.epochs, this.#epochs);
  }

  async end(): Promise<void> {
    if (this.#log !== undefined) await this.#harness.close(this.#log);
  }

  async take(next: LogStep): Promise<void> {
    const log = this.#log;
    if (log === undefined) throw new Error("The history has not been started");
    switch (next.do) {
      case "append":
        return this.#append(log, next.picks);
      case "purge":
        return this.#purge(log, next.raise, next.through);
      case "read":
        return this.#read(log, next.after % (log.committedThrough + 1), next.bytes);
      case "await":
        await Promise.all(this.#pending.splice(0));
        return assert.equal(log.committedThrough, this.#entries.length);
      case "idle":
        await Promise.all(this.#pending.splice(0));
        await settle(log);
        await this.#harness.idle(log);
        return this.#compare(log);
      case "reopen":
        this.#log = undefined;
        await Promise.all(this.#pending.splice(0));
        await this.#harness.close(log);
        await this.start();
        return this.take({ do: "idle" });
      case "crash": {
        const durable = log.committedThrough;
        this.#log = undefined;
        this.#pending = [];
        await this.#harness.crash(log);
        await this.start();
        return this.#cut(durable);
      }
    }
  }

  #append(log: L, picks: readonly number[]): void {
    const after = this.#entries.length;
    const entries = picks.map((pick, index) => {
      const key = KEYS[pick % KEYS.length] ?? "a";
      // The directory ensures that entries after a horizon have higher stamps.
      const at = { time: this.#horizon + 1 + (pick % 50), origin: after + index + 1 };
      const plain = pick % 7 === 0 ? tombstone(key, at) : { ...entry(key, 1), stamp: at };
      return pick % 3 === 0 ? attributed(plain) : plain;
    });
    this.#entries.push(...entries);
    this.#ends.push(this.#entries.length);
    this.#pending.push(append(log, frame(after, entries, 7, this.#ends.length)));
  }

  #purge(log: L, raise: number, through: number): void {
    this.#horizon += raise;
    const horizon = this.#horizon;
    const state = { horizon, frozenUntilMs: raise, marks: [[raise, through]] as const };
    this.#pending.push(
      saveHorizon(log, state).then(() => {
        assert.ok(log.horizonState.horizon >= horizon);
        log.purge(horizon, through % (log.committedThrough + 1));
      }),
    );
  }

  /** Cuts the model after a crash. Each appended frame that was not durable may be in the log as a whole, or not at all. */
  #cut(durable: number): void {
    const through = this.#log?.committedThrough ?? 0;
    assert.ok(through >= durable, `Expected all through ${durable}, got ${through}`);
    assert.ok(this.#ends.includes(through), `Expected a whole frame, got ${through}`);
    this.#entries.length = through;
    this.#ends = this.#ends.filter((end) => end <= through);
  }

  /** Reads to the end while entries are appended, beginning with the state of a reader at `after`. */
  #read(log: L, after: number, bytes: number): void {
    // A reader before `purgedThrough` would miss purged tombstones, and is not fed.
    if (after < log.purgedThrough) return;
    const held = merged(this.#entries.slice(0, after));
    let reached = after;
    for (let rounds = 0; reached < log.committedThrough; rounds += 1) {
      assert.ok(rounds < 1_000, "Expected reads that go on");
      const frames = log.read(reached, bytes);
      assert.ok(frames.length > 0, `Expected a frame after ${reached}, got none`);
      for (const each of frames) {
        assert.equal(each.after, reached);
        assert.ok(each.through >= each.after + each.count);
        const entries = decodeBlock(each.block, each.count);
        assert.equal(each.highestTime, highestTimeOf(entries));
        merge(held, entries);
        reached = each.through;
      }
    }
    assert.equal(reached, log.committedThrough);
    const { horizon } = log.horizonState;
    const expected = merged(this.#entries.slice(0, reached));
    // An entry that was appended meanwhile may already have replaced an older one. The reader gets it later, after `reached`.
    for (const { key } of this.#entries.slice(reached))
      for (const map of [held, expected]) map.delete(key);
    assert.deepEqual(viewOf(held, horizon), viewOf(expected, horizon));
  }

  #compare(log: L): void {
    const held = new Map<string, Entry>();
    for (const summary of log.summariesAfter(null, 1_000)) {
      const found = log.get(summary.key);
      assert.deepEqual(found && summaryOf(found), summary);
      if (found !== undefined) held.set(summary.key, found);
    }
    assert.deepEqual(viewOf(held, 0), viewOf(merged(this.#entries), log.horizonState.horizon));
    const everything = log.summariesAfter(null, 1_000, Number.MAX_SAFE_INTEGER);
    assert.ok(everything.every(({ key }) => held.get(key)?.deleted === false));
  }
}

function merged(entries: readonly Entry[]): Map<string, Entry> {
  const held = new Map<string, Entry>();
  merge(held, entries);
  return held;
}

function merge(held: Map<string, Entry>, entries: readonly Entry[]): void {
  for (const each of entries) if (replaces(each, held.get(each.key))) held.set(each.key, each);
}

function viewOf(held: ReadonlyMap<string, Entry>, horizon: number): unknown {
  return [...held.values()]
    .filter((each) => !isPurgeable(each, horizon))
    .toSorted((a, b) => compareKeys(a.key, b.key))
    .map((each) => ({ ...each, value: [...each.value] }));
}
