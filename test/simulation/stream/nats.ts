import type { World } from "../world.ts";
import { StoredStream } from "./stored-stream.ts";

/** The name of the servers in the network. */
export const NATS = "nats";

/** What the lines to the servers, and the servers, do to messages. */
export interface NatsFaults {
  readonly delayMs: readonly [number, number];
  /** How much later a message comes to who follows a stream, at most. */
  readonly lagMs: number;
  /** Probability that a published message does not arrive, that it arrives twice, and that its acknowledgement is lost. */
  readonly loss: number;
  readonly duplication: number;
  readonly deafness: number;
  /** Probability that a message to the servers holds up all behind it for `STALL_MS` at most. */
  readonly stalls: number;
}

/** The longest that a line to the servers stands still without being cut, in milliseconds. */
const STALL_MS = 5_000;

/** Draws what the servers of one simulation do. */
export function drawNats(world: World): NatsFaults {
  const isBad = world.chance(0.5);
  return {
    delayMs: [world.between(0, 2), world.between(2, 60)],
    lagMs: world.pick([0, 20, 500]),
    loss: isBad ? world.between(0, 0.05) : 0,
    duplication: isBad ? world.between(0, 0.1) : 0,
    deafness: isBad ? world.between(0, 0.1) : 0,
    stalls: isBad ? world.between(0, 0.005) : 0,
  };
}

/** How long the next message to the servers takes. */
export function delayOf({ delayMs, stalls }: NatsFaults, world: World): number {
  const stallMs = world.chance(stalls) ? world.between(0, STALL_MS) : 0;
  return stallMs + world.between(...delayMs);
}

/** One who hears what is said to a subject that no stream keeps. */
export interface Listener<Said> {
  hear(said: Said, from: string): void;
}

/** The servers of NATS: two streams, and subjects that nothing keeps. */
export class Nats {
  readonly world: World;
  faults: NatsFaults;
  readonly log: StoredStream;
  readonly snapshots: StoredStream;
  /** Who answers that it writes. */
  readonly writers = new Set<Listener<(epoch: number) => void>>();
  /** Who hears that a writer is gone. */
  readonly mourners = new Set<Listener<number>>();
  /** Who takes in the packets to an address. */
  readonly addresses = new Map<string, Set<Listener<Uint8Array>>>();

  constructor(world: World, faults: NatsFaults) {
    this.world = world;
    this.faults = faults;
    this.log = new StoredStream(world);
    this.snapshots = new StoredStream(world);
  }
}
