import type { ReplicaStore } from "@meridian/ports";
import assert from "node:assert/strict";
import { burial, tombstone, type Entry, type Stamp, type ReplicaRecord } from "@meridian/protocol";
import fc from "fast-check";

import { ReplicaModel, viewOf } from "./replica-model.ts";
import { append, attributed, entry, local, remote } from "./replica-records.ts";
import type { StoreHarness } from "./store-harness.ts";

type Write = Extract<Step, { readonly picks: readonly number[] } | { readonly pick: number }>;

/** One step of a history. */
export type Step =
  | { readonly do: "local" | "remote" | "restamp"; readonly picks: readonly number[] }
  | {
      readonly do: "acknowledge" | "cursor" | "adopt" | "horizon" | "quarantine" | "release";
      readonly pick: number;
    }
  | { readonly do: "await" | "idle" | "reopen" | "crash" };

const KEYS = ["a", "b", "c", "d/e", "é", "😀"];

/** Generates any step. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom("local" as const, "remote" as const, "restamp" as const),
      picks: fc.array(fc.nat(5_999), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("acknowledge" as const, "cursor" as const, "adopt" as const),
      pick: fc.nat(999),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("horizon" as const, "quarantine" as const, "release" as const),
      pick: fc.nat(999),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("await" as const, "idle" as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("reopen" as const, "crash" as const) }) },
);

/** Applies the same steps to a store and to the model. */
export class ReplicaHistory<S extends ReplicaStore> {
  readonly #harness: StoreHarness<S>;
  readonly #name: string;
  #store: S | undefined;
  /** The model of all records that are known to be durable. */
  #model = new ReplicaModel(0);
  /** The records appended since, oldest first. */
  #pending: { readonly record: ReplicaRecord; readonly written: Promise<void> }[] = [];
  #durable = 0;
  #origins = 0;
  #floor = 0;

  constructor(harness: StoreHarness<S>, name: string) {
    this.#harness = harness;
    this.#name = name;
  }

  async start(): Promise<void> {
    this.#store = await this.#harness.open(this.#name);
    this.#model = new ReplicaModel(this.#store.incarnation);
  }

  async end(): Promise<void> {
    if (this.#store !== undefined) await this.#harness.close(this.#store);
  }

  async take(next: Step): Promise<void> {
    const store = this.#store;
    if (store === undefined) throw new Error("The history has not been started");
    switch (next.do) {
      case "await":
        return this.#settle(store);
      case "idle":
        await this.#settle(store);
        await this.#harness.idle(store);
        return this.#compare(store);
      case "reopen":
        await this.#settle(store);
        this.#store = undefined;
        await this.#harness.close(store);
        this.#store = await this.#harness.open(this.#name);
        return this.#compare(this.#store);
      case "crash":
        return this.#crash(store);
      case "local":
      case "remote":
      case "restamp":
      case "acknowledge":
      case "cursor":
      case "adopt":
      case "horizon":
      case "quarantine":
      case "release": {
        const record = this.#recordOf(next, this.#expected());
        if (record === undefined) return;
        const written = append(store, record).then(() => void (this.#durable += 1));
        this.#pending.push({ record, written });
      }
    }
  }

  #compare(store: S): void {
    assert.deepEqual(viewOf(store), this.#model.view());
  }

  async #settle(store: S): Promise<void> {
    for (const { record, written } of this.#pending.splice(0)) {
      await written;
      this.#model.apply(record);
    }
    this.#durable = 0;
    this.#compare(store);
  }

  async #crash(store: S): Promise<void> {
    this.#store = undefined;
    await this.#harness.crash(store);
    const reopened = await this.#harness.open(this.#name);
    this.#store = reopened;
    const durable = this.#durable;
    const records = this.#pending.splice(0).map(({ record }) => record);
    this.#durable = 0;
    const found = JSON.stringify(viewOf(reopened));
    const candidates: string[] = [];
    for (const [index, record] of [undefined, ...records].entries()) {
      if (record !== undefined) this.#model.apply(record);
      const view = JSON.stringify(this.#model.view());
      if (index >= durable && view === found) return;
      if (index >= durable) candidates.push(view);
    }
    assert.ok(
      candidates.includes(found),
      `Expected one of\n${candidates.join("\n")}\ngot ${found}`,
    );
  }

  /** The model once everything that was appended is durable. */
  #expected(): ReplicaModel {
    const model = this.#model.copy();
    for (const { record } of this.#pending) model.apply(record);
    return model;
  }

  #recordOf(next: Write, model: ReplicaModel): ReplicaRecord | undefined {
    // A directory ensures that entries after a horizon have higher stamps.
    this.#floor = model.horizon;
    switch (next.do) {
      case "local":
        return local(
          model.outboxThrough + 1,
          next.picks.map((pick) => this.#entryOf(pick)),
        );
      case "remote": {
        const cursor = { logId: 7, epoch: 1, sequence: next.picks[0] ?? 0 };
        const entries = next.picks.map((pick) => this.#entryOf(pick));
        return remote(entries, next.picks.length % 2 === 0 ? cursor : undefined);
      }
      case "restamp": {
        const frames = [...model.outbox.values()];
        const chosen = frames[(next.picks[0] ?? 0) % Math.max(1, frames.length)];
        if (chosen === undefined) return undefined;
        const { frame, entries: old } = chosen;
        // A node gives the entries of a frame ascending stamps, also when it re-stamps them.
        const entries = old.map((each, index) => ({
          ...each,
          stamp: this.#stampOf(((next.picks[0] ?? 0) % 90) + index),
        }));
        const replaced = old.map((each) => each.stamp);
        const restamp = { kind: "restamp", replaced, takenBack: replaced.slice(0, 1) } as const;
        return { ...local(frame.position, entries), ...restamp };
      }
      case "acknowledge": {
        const { outboxThrough, outboxAcknowledged } = model;
        const through = outboxAcknowledged + (next.pick % (outboxThrough - outboxAcknowledged + 1));
        return { kind: "progress", outboxThrough: through };
      }
      case "cursor": {
        const cursor = { logId: 7, epoch: 2, sequence: next.pick };
        if (next.pick % 3 > 0) return { kind: "progress", cursor };
        const others = [9, 8].slice(next.pick % 2).map((logId) => ({ ...cursor, logId }));
        return { kind: "progress", others };
      }
      case "adopt":
        return { kind: "adopt", incarnation: 1 + next.pick };
      case "horizon":
        return { kind: "progress", horizon: model.horizon + (next.pick % 80) };
      case "quarantine": {
        const held = [...model.entries.values()][next.pick % Math.max(1, model.entries.size)];
        if (held === undefined) return undefined;
        const quarantined = { entries: [held], atMs: next.pick };
        return { ...remote([burial(held.key, held.stamp.time)]), quarantined };
      }
      case "release": {
        const ids = [1 + (next.pick % 5), 3];
        return next.pick % 2 === 0
          ? { kind: "release", ids }
          : { ...local(model.outboxThrough + 1, [this.#entryOf(next.pick)]), released: ids };
      }
    }
  }

  #entryOf(pick: number): Entry {
    const key = KEYS[pick % KEYS.length] ?? "a";
    const at = this.#stampOf(pick);
    const plain = pick % 7 === 0 ? tombstone(key, at) : { ...entry(key, 1), stamp: at };
    return pick % 3 === 0 ? attributed(plain) : plain;
  }

  #stampOf(pick: number): Stamp {
    this.#origins += 1;
    return { time: this.#floor + 1 + (pick % 100), origin: this.#origins };
  }
}
