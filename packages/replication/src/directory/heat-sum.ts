/**
 * What the nodes of a directory have told of which keys their clients read, summed up: each node hears what the others use, once. A key counts with half of its
 * former reads when it is told again, and is forgotten some time after it was last told. No log and no store has any of this.
 */
import { HEAT_READS_MAX, hottest, type KeyHeat } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/** How long a key is remembered that no node tells any more, in milliseconds. A node that connects meanwhile hears of it. */
const REMEMBERED_MS = 60_000;

/** What all keys may take in memory, in bytes, about; and what one takes beside its letters. Beyond that, the key that was told the longest ago is forgotten. */
const BYTES_MAX = 1024 * 1024;
const KEY_BYTES = 120;

interface Told {
  readonly reads: number;
  /** The node that has told it; null for several. */
  readonly by: string | null;
  readonly atMs: number;
  /** One more than that of the key that was told before it. */
  readonly turn: number;
}

/** A node that hears what others use. */
export interface HeatListener {
  readonly id: string;
  /** Invariant: it has heard everything that was told up to this turn. */
  heatTurn: number;
}

/** Sums up which keys are used on the nodes of a directory. */
export class HeatSum {
  readonly #clock: Clock;
  /** Invariant: in the order of the turns. */
  readonly #told = new Map<string, Told>();
  #bytes = 0;
  #turn = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How much of what it may take the sum takes now. */
  get level(): { readonly now: number; readonly max: number } {
    return { now: this.#bytes, max: BYTES_MAX };
  }

  /** Takes in what clients read on a node. */
  add(node: string, keys: readonly KeyHeat[]): void {
    const atMs = this.#clock.elapsedMs();
    for (const [key, reads] of keys) {
      const before = this.#told.get(key);
      if (before !== undefined) this.#forget(key);
      this.#turn += 1;
      this.#bytes += bytesOf(key);
      this.#told.set(key, {
        reads: Math.min(HEAT_READS_MAX, reads + Math.floor((before?.reads ?? 0) / 2)),
        by: before === undefined || before.by === node ? node : null,
        atMs,
        turn: this.#turn,
      });
    }
    this.#trim(atMs);
  }

  /** The hottest keys, used on other nodes, of those that were told since the last call for this node. */
  newsFor(listener: HeatListener): KeyHeat[] {
    if (listener.heatTurn === this.#turn) return [];
    this.#trim(this.#clock.elapsedMs());
    const after = listener.heatTurn;
    listener.heatTurn = this.#turn;
    return hottest(this.#usedElsewhere(listener.id, after));
  }

  *#usedElsewhere(node: string, after: number): Generator<KeyHeat> {
    for (const [key, { reads, by, turn }] of this.#told) {
      if (turn > after && by !== node) yield [key, reads];
    }
  }

  #trim(nowMs: number): void {
    for (const [key, { atMs }] of this.#told) {
      if (this.#bytes <= BYTES_MAX && nowMs - atMs <= REMEMBERED_MS) return;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    this.#told.delete(key);
    this.#bytes -= bytesOf(key);
  }
}

function bytesOf(key: string): number {
  return KEY_BYTES + 2 * key.length;
}
