/** Histories of a client that keeps values, behind a bad network; what it returns is compared with a model. */
import { seededRandom } from "@meridian/runtime";
import fc from "fast-check";

import { connectBy } from "../src/connect.ts";
import type { ConnectOptions, MeridianClient } from "../src/index.ts";
// Loaded before time stands still.
import "../src/socket/open-socket.ts";
import { TestClock } from "../src/testing/index.ts";
import { NearWorld, type NearNode, type Written } from "./near-world.ts";

export const LEASE_MS = 3_000;
const KEYS = ["a", "b", "c"];

export interface Scene {
  readonly clock: TestClock;
  readonly world: NearWorld;
  readonly client: MeridianClient;
  readonly first: NearNode;
  readonly second: NearNode;
}

export async function open(options: Partial<ConnectOptions> = {}, seed = 1): Promise<Scene> {
  const clock = new TestClock();
  const random = seededRandom(seed);
  const world = new NearWorld(clock, () => random.next());
  const [first, second] = world.nodes;
  if (first === undefined || second === undefined) throw new Error("unreachable");
  const given: ConnectOptions = {
    nodes: world.nodes.map(({ url }) => url),
    fetch: world.fetch,
    clock,
    random: seededRandom(seed + 1),
    near: { maxEntries: 100, leaseMs: LEASE_MS },
    failbackMs: 0,
    attemptMs: 500,
    ...options,
  };
  const client = await connectBy(given, world.dial);
  return { clock, world, client, first, second };
}

/** The outcome of `work`, time moving on until there is one. */
export async function settled<T>(clock: TestClock, work: Promise<T>): Promise<T> {
  const outcome = { isThere: false };
  void work.catch(() => {}).then(() => (outcome.isThere = true));
  for (let time = 0; time < 400 && !outcome.isThere; time += 1) await clock.advance(50);
  return work;
}

export async function live({ clock, client }: Scene): Promise<void> {
  for (let step = 0; step < 400; step += 1) {
    if (client.status().near?.live === true) return;
    await clock.advance(50);
    await settled(clock, client.get("none"));
  }
  throw new Error("The near cache is never live");
}

/** What a client must not go back behind, by key. */
class Floor {
  readonly #writes: readonly Written[];
  readonly #versions = new Map<string, number>();

  constructor(writes: readonly Written[]) {
    this.#writes = writes;
  }

  /** A write was seen, and with it everything that was written before it at the same node. */
  saw(version: number): void {
    const seen = this.#writes.find((write) => write.version === version);
    if (seen === undefined) throw new Error(`Nobody has written ${version}`);
    for (const { key, origin, place, version: earlier } of this.#writes) {
      if (origin !== seen.origin || place > seen.place) continue;
      this.#versions.set(key, Math.max(this.#versions.get(key) ?? 0, earlier));
    }
  }

  of(key: string): number {
    return this.#versions.get(key) ?? 0;
  }
}

/** What is done, and how often in proportion. */
const ACTS: Readonly<Record<string, number>> = {
  get: 30,
  many: 3,
  own: 3,
  set: 6,
  delete: 1,
  expiring: 2,
  replicate: 6,
  "catch up": 2,
  cut: 2,
  restart: 1,
  hold: 2,
  "let go": 3,
  down: 1,
  up: 3,
  slow: 1,
  fast: 4,
  lossy: 1,
  sound: 3,
  wait: 6,
  long: 4,
};

interface Step {
  readonly act: string;
  readonly key: string;
  readonly node: number;
  readonly ms: number;
}

export const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(
    ...Object.entries(ACTS).flatMap(([act, share]) => Array.from({ length: share }, () => act)),
  ),
  key: fc.constantFrom(...KEYS),
  node: fc.nat({ max: 1 }),
  ms: fc.integer({ min: 1, max: 60 }),
});

/** What a client does, and what is wrong with what it returns. */
class History {
  readonly #scene: Scene;
  readonly #writes: Written[] = [];
  readonly #floor = new Floor(this.#writes);
  readonly wrong: string[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    for (const node of scene.world.nodes) node.onWrite = (written) => this.#writes.push(written);
  }

  get hits(): number {
    return this.#scene.client.status().near?.hits ?? 0;
  }

  /** Begins what a step says; its end is not waited for. */
  begin({ act, key, node: index, ms }: Step): void {
    const { world } = this.#scene;
    const node = world.nodes[index];
    if (node === undefined) throw new Error("unreachable");
    const acts: Readonly<Record<string, () => unknown>> = {
      get: () => this.get(key).catch(() => {}),
      many: () => this.#many().catch(() => {}),
      own: () => this.#own(key).catch(() => {}),
      set: () => node.write(key, true),
      delete: () => node.write(key, false),
      expiring: () => node.write(key, true, ms * 20),
      replicate: () => world.replicate(),
      "catch up": () => world.replicate(node),
      cut: () => node.cut(),
      restart: () => node.restart(),
      down: () => node.stop(),
      up: () => (node.isDown = false),
      hold: () => (world.hold = true),
      "let go": () => (world.hold = false),
      slow: () => (world.delayMs = ms * 20),
      fast: () => (world.delayMs = 4),
      lossy: () => (world.loss = 0.3),
      sound: () => (world.loss = 0),
    };
    acts[act]?.();
  }

  async get(key: string): Promise<void> {
    const { client, clock, world } = this.#scene;
    const least = this.#floor.of(key);
    const before = this.hits;
    const reading = client.get<number>(key);
    if (this.hits > before) {
      const nowMs = clock.elapsedMs();
      const version = Number(await reading);
      const replacedMs = world.watched?.replacedAtMs.get(version) ?? Infinity;
      if (nowMs - replacedMs >= LEASE_MS) this.wrong.push(`${key}: ${version} is stale`);
      const { expiresAtMs } = this.#writes.find((write) => write.version === version) ?? {};
      if ((expiresAtMs ?? Infinity) <= clock.nowMs()) this.wrong.push(`${key}: ${version} is over`);
    }
    this.#check(key, least, await reading);
  }

  async #many(): Promise<void> {
    const least = new Map(KEYS.map((key) => [key, this.#floor.of(key)]));
    const values = await this.#scene.client.getMany<number>(KEYS);
    for (const key of KEYS) this.#check(key, least.get(key) ?? 0, values.get(key));
  }

  async #own(key: string): Promise<void> {
    const { etag } = await this.#scene.client.set(key, 0);
    const written = this.#writes.find((write) => write.etag === `"${etag}"`);
    if (written !== undefined) this.#floor.saw(written.version);
  }

  #check(key: string, least: number, version: number | undefined): void {
    if (version === undefined) {
      const isLegal = this.#writes.some(
        (w) => w.key === key && w.version >= least && (!w.isSet || w.expiresAtMs !== null),
      );
      if (least > 0 && !isLegal) this.wrong.push(`${key}: nothing although ${least} was seen`);
      return;
    }
    if (version < least) this.wrong.push(`${key}: ${version} although ${least} was seen`);
    this.#floor.saw(version);
  }

  /** With a good network, each key is as it was written last, and is kept. */
  async end(): Promise<void> {
    const { world, clock, client } = this.#scene;
    Object.assign(world, { delayMs: 4, loss: 0, hold: false });
    for (const node of world.nodes) node.isDown = false;
    // Until the last request that is on its way has arrived.
    for (let time = 0; time < 70; time += 1) await clock.advance(100);
    world.replicate();
    await live(this.#scene);
    for (const key of KEYS) {
      for (let time = 0; time < 2; time += 1) await settled(clock, this.get(key));
      const newest = this.#writes.filter((write) => write.key === key).at(-1);
      if (newest?.isSet !== true || newest.expiresAtMs !== null) continue;
      const value = await settled(clock, client.get(key));
      if (value !== newest.version) this.wrong.push(`${key}: ${String(value)} in the end`);
    }
  }
}

/** Does as the steps say. Returns what was wrong, and how many values came from the process itself. */
export async function play(
  steps: readonly Step[],
  seed: number,
  options: Partial<ConnectOptions> = {},
): Promise<{ readonly wrong: readonly string[]; readonly hits: number }> {
  const scene = await open(options, seed);
  const history = new History(scene);
  await live(scene);
  for (const each of steps) {
    history.begin(each);
    const { act, ms } = each;
    await scene.clock.advance(act === "long" ? 50 * ms : act === "wait" ? ms : ms % 12);
  }
  await history.end();
  const { wrong, hits } = history;
  scene.client.close();
  return { wrong, hits };
}
