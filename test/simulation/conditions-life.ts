/**
 * A life in which clients of all nodes write a few keys only by conditions for the whole cluster, and read them so, while nodes and directories are killed and
 * answers are lost. What they were told of each key must be the history of one register.
 */
import { formatStamp, MeridianError, NO_BYTES, type Stamp } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import { wrongOrder, type RegisterOperation } from "@meridian/testkit";

import { write } from "./clients.ts";
import { SimulatedCluster, type SimulatedNode } from "./cluster.ts";
import { machineFaults, scheduleFaults, slowDisks } from "./faults.ts";
import { checkConverged, heal } from "./healing.ts";
import { drawNetwork } from "./network.ts";
import type { ClusterParts } from "./parts.ts";
import type { Outcome } from "./scenario.ts";
import { drawNats } from "./stream/nats.ts";
import { STREAM_FAULT_EVERY_MS, streamFaults } from "./stream/stream-faults.ts";
import { scheduleWork } from "./work.ts";
import { STREAM_REACTIONS, World } from "./world.ts";

const LIFE_MS = 12_000;

/** How long a client waits for an answer. */
const PATIENCE_MS = 3_000;

const CLIENTS = 8;
const KEYS = 3;

/** A key that is written plainly at first, and never when it has nothing. */
const MIXED = "mixed";

/** A version as a client has seen it: its stamp, and its value, which no other version has; null for nothing. */
type Seen = { readonly stamp: Stamp; readonly value: string } | null;

/** One key as its clients know it. */
interface Register {
  readonly key: string;
  readonly history: RegisterOperation[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Runs the life of `seed`. The log is in a stream if there are `sharing` directories over one. */
export async function liveByConditions(
  seed: number,
  parts: ClusterParts,
  sharing?: number,
): Promise<Outcome> {
  const world = new World(seed);
  // Between a barrier and the read behind it no event comes: a disk that refuses what it has taken just then would take the node back.
  world.reactions = sharing === undefined ? 12 : STREAM_REACTIONS;
  const isLossy = world.chance(0.3);
  const nodes = 3 + world.below(2);
  const nats = sharing === undefined ? {} : { nats: drawNats(world) };
  const size = { nodes, directories: sharing ?? 1, ...nats };
  const cluster = new SimulatedCluster(world, size, drawNetwork(world, isLossy, 20_000), parts);
  slowDisks(cluster, seed);
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of cluster.nodes) {
    // Stamps of one node are above those of another for as long as their clocks differ.
    node.machine.skewMs = world.between(-4_000, 4_000);
    cluster.startNode(node);
  }
  scheduleWork(cluster, { untilMs: LIFE_MS, size: 5, ends: 0.2 });
  const clients = new Clients(cluster);
  clients.start();
  const { over } = cluster;
  // What a stream loses when it is set back, conditions may rest on.
  const faults = [
    ...machineFaults(cluster),
    ...(over === undefined ? [] : streamFaults(cluster, over)),
  ];
  scheduleFaults(cluster, LIFE_MS, faults, over && STREAM_FAULT_EVERY_MS);
  await world.run(LIFE_MS);
  await heal(cluster);
  const violations = [
    ...cluster.auditor.violations,
    ...checkConverged(cluster),
    ...clients.violations(),
  ];
  const { asked, reached } = cluster.auditor;
  const { acknowledged } = clients;
  return { violations, acknowledged, asked, reached, quarantined: 0, events: world.events };
}

/** Clients that each do one thing after the other, at one node after the other. */
class Clients {
  readonly #cluster: SimulatedCluster;
  readonly #registers: readonly Register[];
  readonly #mixed: Register = { key: MIXED, history: [] };
  /** By value: the ETag that a client was told of a change whose outcome is unknown. */
  readonly #etags = new Map<string, string>();
  readonly #wrongEtags: string[] = [];
  #values = 0;
  /** How many changes were answered as done. */
  acknowledged = 0;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    this.#registers = Array.from({ length: KEYS }, (_, index) => ({
      key: `register-${index}`,
      history: [],
    }));
  }

  start(): void {
    const { world, nodes } = this.#cluster;
    // Some of these are still on their way when the first condition on one of them is asked for.
    for (const node of nodes) {
      for (let count = 0; count < 3; count += 1) {
        const value = `plain ${node.id} ${count}`;
        world.schedule(world.between(0, 3_000), () =>
          write(this.#cluster, node, [{ key: MIXED, value, ttlMs: 0 }]),
        );
      }
    }
    for (let client = 0; client < CLIENTS; client += 1) {
      world.schedule(world.between(0, 500), () => this.#live(`client ${client}`, undefined));
    }
  }

  /** What is wrong with what the clients were told. */
  violations(): string[] {
    const registers = this.#registers.flatMap(({ key, history }) => wrongIn(key, history));
    return [...registers, ...wrongAfterFirst(this.#mixed), ...this.#wrongEtags];
  }

  /** Does the next thing. `known` is what the client has seen last. */
  #live(by: string, known: { readonly register: Register; readonly seen: Seen } | undefined): void {
    const { world, nodes } = this.#cluster;
    if (world.nowMs > LIFE_MS) return;
    const node = world.pick(nodes);
    const drawn = world.chance(0.2) ? this.#mixed : world.pick(this.#registers);
    const register = known !== undefined && world.chance(0.6) ? known.register : drawn;
    const seen = known?.register === register ? known.seen : undefined;
    const isBlind = register !== this.#mixed && world.chance(0.2);
    const over = seen ?? (isBlind ? null : undefined);
    const done =
      over !== undefined && world.chance(0.8)
        ? this.#change(by, node, register, over)
        : this.#read(by, node, register);
    void done.then((now) => {
      const next = now === undefined ? undefined : { register, seen: now };
      world.schedule(world.between(1, 150), () => this.#live(by, next));
    });
  }

  /** Resolves to what was read; to undefined without an answer. */
  async #read(by: string, node: SimulatedNode, register: Register): Promise<Seen | undefined> {
    const { world } = this.#cluster;
    const replica = node.process?.replica;
    if (replica === undefined) return undefined;
    const beganAt = world.nowMs;
    const reading = replica.proposals.barrier(PATIENCE_MS).then(
      () => seenAt(replica, register.key),
      () => undefined,
    );
    const seen = await this.#unlessDead(node, reading);
    if (seen === undefined) return undefined;
    const version = seen && seen.value;
    register.history.push({ kind: "read", version, beganAt, endedAt: world.nowMs, by });
    const etag = seen && this.#etags.get(seen.value);
    if (seen && etag !== undefined && etag !== null && etag !== formatStamp(seen.stamp)) {
      this.#wrongEtags.push(
        `${seen.value} was said to get ${etag}, got ${formatStamp(seen.stamp)}`,
      );
    }
    return seen;
  }

  /** Resolves to what the key has now; to undefined if that is not known. */
  async #change(
    by: string,
    node: SimulatedNode,
    { key, history }: Register,
    seen: Seen,
  ): Promise<Seen | undefined> {
    const { world } = this.#cluster;
    const replica = node.process?.replica;
    if (replica === undefined) return undefined;
    const deleted = seen !== null && world.chance(0.3);
    this.#values += 1;
    const value = `value ${this.#values}`;
    const content = deleted
      ? { value: NO_BYTES, contentType: "", ttlMs: 0, deleted }
      : { value: encoder.encode(value), contentType: "a/b", ttlMs: 0, deleted };
    const write = { key, ...content, ifStamp: seen && seen.stamp };
    const beganAt = world.nowMs;
    const writing = replica.proposals
      .propose(write, PATIENCE_MS)
      .then(({ stamp }): Answer => ({ isDone: true, stamp }), answerOf);
    const answer = (await this.#unlessDead(node, writing)) ?? { isDone: undefined };
    if (answer === "nothing") return undefined;
    const { isDone, etag, stamp } = answer;
    if (etag !== undefined && !deleted) this.#etags.set(value, etag);
    const endedAt = isDone === undefined ? Infinity : world.nowMs;
    const [over, version] = [seen && seen.value, deleted ? null : value];
    history.push({ kind: "change", over, version, isDone, beganAt, endedAt, by });
    if (isDone !== true || stamp === undefined) return undefined;
    this.acknowledged += 1;
    return deleted ? null : { stamp, value };
  }

  /** What `answer` resolves to; undefined once the node's process has died. */
  #unlessDead<T>(node: SimulatedNode, answer: Promise<T>): Promise<T | undefined> {
    const { world } = this.#cluster;
    const { process } = node;
    let isOver = false;
    return new Promise((resolve) => {
      const look = (): void => {
        if (isOver) return;
        if (node.process !== process) resolve(undefined);
        else world.schedule(50, look);
      };
      void answer.then((value) => {
        isOver = true;
        resolve(value);
      });
      world.schedule(50, look);
    });
  }
}

/** What a client was told of a change: that nothing was written, or whether it was made; if nobody knows, with which ETag it may have been. */
type Answer =
  | "nothing"
  | { readonly isDone: boolean | undefined; readonly etag?: string; readonly stamp?: Stamp };

function answerOf(failure: unknown): Answer {
  if (!(failure instanceof MeridianError)) throw failure;
  if (failure.code === "PRECONDITION_FAILED") return { isDone: false };
  if (failure.code !== "OUTCOME_UNKNOWN") return "nothing";
  return { isDone: undefined, etag: String(failure.details?.["etag"]).slice(1, -1) };
}

function seenAt(replica: Replica, key: string): Seen {
  const entry = replica.get(key);
  if (entry === undefined || entry.deleted) return null;
  return { stamp: entry.stamp, value: decoder.decode(entry.value).trim() };
}

function wrongIn(
  key: string,
  history: readonly RegisterOperation[],
  first?: string | null,
): string[] {
  const wrong = wrongOrder(history, first);
  return wrong === undefined ? [] : [`${key}: ${wrong}`];
}

/** Of a key that was written plainly, too, the history begins with the first change over one of its versions that was made. */
function wrongAfterFirst({ key, history }: Register): string[] {
  const changes = history.filter((each) => each.kind === "change");
  const [first] = changes
    .filter(({ isDone }) => isDone === true)
    .toSorted((a, b) => a.endedAt - b.endedAt);
  if (first === undefined) return [];
  const rest = history.filter(({ kind, beganAt, endedAt }) =>
    kind === "read" ? beganAt > first.endedAt : endedAt >= first.beganAt,
  );
  return wrongIn(`${key}, after a condition`, rest, first.over);
}
