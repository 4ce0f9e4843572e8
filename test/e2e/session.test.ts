/** Sessions of real clients while the nodes change their directory, and while a client changes its node. */
import { inspect } from "node:util";

import { connect, type MeridianClient } from "@meridian/client";
import { expect, it, onTestFinished } from "vitest";
import {
  LinkProxy,
  type Cluster,
  getJson,
  type Region,
  request,
  startCluster,
  until,
} from "@meridian/harness";

/** How many turns each session makes in each state of the cluster. */
const TURNS = 8;
/** They take a second, and far longer on a machine that does much else: each turn is half a dozen calls, which wait for positions. */
const TURNS_MS = 90_000;
/** Between two turns of a session. While the cluster recovers, sessions make many more turns than are asked for. */
const TURN_PAUSE_MS = 40;
const BATCH_KEYS = 1_000;

/** Writes numbers to keys of its own, reads them back, and reads what the others write. */
class ObservedSession {
  readonly name: string;
  /** What was acknowledged, by key. */
  readonly acknowledged = new Map<string, number>();
  readonly violations: string[] = [];
  /** How many turns went without a failure, and how many had one. */
  turns = 0;
  failures = 0;
  /** What it asked for last, and what came of the last turn that failed: for whoever wonders why it stands still. */
  #doing = "nothing yet";
  #failed = "no failure";
  readonly #client: MeridianClient;
  readonly #others: readonly string[];
  readonly #seen = new Map<string, number>();
  #attempted = 0;
  #stopped = false;
  #isHeld = false;
  #isInTurn = false;

  constructor(name: string, client: MeridianClient, others: readonly string[]) {
    this.name = name;
    this.#client = client;
    this.#others = others;
  }

  /** The node that it talks to. */
  get node(): string | undefined {
    return this.#client.nodes[0]?.id;
  }

  /** Where it stands. */
  describe(): string {
    return `${this.name}: ${this.turns} turns, ${this.failures} failed; ${this.#doing}; ${this.#failed}`;
  }

  /** Makes turns until it is stopped. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      if (!this.#isHeld) await this.#tryTurn();
      await new Promise((resolve) => setTimeout(resolve, TURN_PAUSE_MS));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Makes no turn until `resume`. Resolves once none is under way. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    await until("the session is held", () => !this.#isInTurn, TURNS_MS);
  }

  resume(): void {
    this.#isHeld = false;
  }

  async #tryTurn(): Promise<void> {
    this.#isInTurn = true;
    try {
      await this.#turn();
      this.turns += 1;
    } catch (error) {
      this.failures += 1;
      this.#failed = `${this.#doing} at ${this.node}: ${inspect(error, { depth: 4 })}`;
    }
    this.#isInTurn = false;
  }

  async #turn(): Promise<void> {
    const own = `counter/${this.name}`;
    const number = ++this.#attempted;
    // Only this session writes these keys: anything else than the last is not what it wrote.
    await this.#expect(`log/${this.name}/${number - 1}`);
    await this.#set(own, number);
    await this.#set(`log/${this.name}/${number}`, number);
    await this.#expect(own);
    for (const other of this.#others) {
      const key = `counter/${other}`;
      const read = (await this.#get(key)) ?? 0;
      const seen = this.#seen.get(key) ?? 0;
      if (read < seen) this.violations.push(`${key}: read ${seen}, and then ${read}`);
      this.#seen.set(key, read);
    }
  }

  async #expect(key: string): Promise<void> {
    const written = this.acknowledged.get(key);
    if (written === undefined) return;
    const read = await this.#get(key);
    if (read !== written) this.violations.push(`${key}: wrote ${written}, read ${read}`);
  }

  #get(key: string): Promise<number | undefined> {
    this.#doing = `get ${key}`;
    return this.#client.get<number>(key);
  }

  async #set(key: string, value: number): Promise<void> {
    this.#doing = `set ${key}`;
    await this.#client.set(key, value);
    this.acknowledged.set(key, value);
  }
}

/** Lines to the directories for clients, who know them by URLs that do not change. */
async function linesTo(cluster: Cluster): Promise<readonly LinkProxy[]> {
  const lines = await Promise.all(cluster.directories.map(() => LinkProxy.listen()));
  onTestFinished(async () => void (await Promise.all(lines.map((line) => line.close()))));
  aim(lines, cluster);
  return lines;
}

function aim(lines: readonly LinkProxy[], cluster: Cluster): void {
  for (const [index, line] of lines.entries()) line.target = cluster.directories[index]?.url;
}

async function directoryOf({ url }: Region): Promise<number | undefined> {
  const { replica } = await getJson<{ replica: { connected: boolean; directory: number } }>(
    `${url}/status`,
  );
  return replica.connected ? replica.directory : undefined;
}

/** How many writes of a region its directory has not acknowledged. */
async function pendingAt({ url }: Region): Promise<number> {
  const { replica } = await getJson<{ replica: { outboxPending: number } }>(`${url}/status`);
  return replica.outboxPending;
}

async function areAt(cluster: Cluster, directory: number): Promise<boolean> {
  const found = await Promise.all(cluster.regions.map(directoryOf));
  return found.every((each) => each === directory);
}

/** What a region has of keys that hold numbers. */
async function valuesAt({ url }: Region, keys: readonly string[]): Promise<Map<string, number>> {
  const values = new Map<string, number>();
  for (let at = 0; at < keys.length; at += BATCH_KEYS) {
    const body = JSON.stringify({ keys: keys.slice(at, at + BATCH_KEYS) });
    const headers = { "content-type": "application/json" };
    const response = await request(`${url}/batch/get`, { method: "POST", headers, body });
    const { entries } = (await response.json()) as {
      readonly entries: readonly { readonly key: string; readonly value?: unknown }[];
    };
    for (const { key, value } of entries) values.set(key, Number(value));
  }
  return values;
}

/** Every region has what the sessions wrote, or something newer. */
async function expectWritten(
  cluster: Cluster,
  sessions: readonly ObservedSession[],
): Promise<void> {
  await until("equal digests everywhere", async () => {
    const digests = await Promise.all(
      cluster.urls.map((url) => getJson<{ fingerprint: string }>(`${url}/digest`)),
    );
    return new Set(digests.map(({ fingerprint }) => fingerprint)).size === 1;
  });
  const expected = new Map(sessions.flatMap(({ acknowledged }) => [...acknowledged]));
  for (const region of cluster.regions) {
    const values = await valuesAt(region, [...expected.keys()]);
    const lost = [...expected].filter(([key, value]) => !((values.get(key) ?? 0) >= value));
    expect({ region: region.name, lost }).toEqual({ region: region.name, lost: [] });
  }
}

it(
  "sessions read what they wrote, and nothing older than before, while the first directory dies under load and comes back",
  { timeout: 300_000 },
  async () => {
    const cluster = await startCluster(undefined, { directories: 2 });
    const lines = await linesTo(cluster);
    const names = cluster.regions.map(({ name }) => name);
    const sessions = await Promise.all(
      cluster.regions.map(async ({ name, place }) => {
        const { lat, lon } = place;
        const directory = lines.map(({ url }) => url);
        const client = await connect({ directory, location: { lat, lon } });
        onTestFinished(() => client.close());
        const others = names.filter((other) => other !== name);
        return new ObservedSession(name, client, others);
      }),
    );
    const running = sessions.map((session) => session.run());
    const stopAll = async (): Promise<void> => {
      for (const session of sessions) session.stop();
      await Promise.all(running);
    };
    onTestFinished(stopAll);
    const goOn = async (what: string, those = sessions): Promise<void> => {
      const before = those.map(({ turns }) => turns);
      await until(
        `every session goes on ${what}`,
        () => {
          const late = those.filter(({ turns }, index) => turns < (before[index] ?? 0) + TURNS);
          if (late.length > 0) throw new Error(late.map((each) => each.describe()).join("\n"));
          return true;
        },
        TURNS_MS,
      );
    };
    await goOn("at the first directory");

    await cluster.killDirectory(0);
    for (const line of lines.slice(0, 1)) line.target = undefined;
    await until("all regions are at the second", () => areAt(cluster, 1));
    await goOn("at the second directory");

    // What the first session writes now, only its own region and the directory have.
    const [victim, ...others] = cluster.regions;
    const [first] = sessions;
    if (victim === undefined || first === undefined) throw new Error("Expected regions");
    const cut = others.flatMap((region) => [...region.lines.values()]);
    for (const line of cut) line.blackHole();
    await goOn("while other regions are cut off", [first]);
    // A session that has seen what only the killed region has waits for that.
    await first.hold();
    await until("the directory has all", async () => (await pendingAt(victim)) === 0);
    await victim.program.kill();
    first.resume();
    await until("the session is at another region", () => first.node !== victim.id);
    for (const line of cut) line.heal();
    await goOn("while a region is gone");
    await victim.start();
    await goOn("with the region back");

    await cluster.startDirectory(0);
    aim(lines, cluster);
    await until("all regions are back at the first", () => areAt(cluster, 0), TURNS_MS);
    await goOn("back at the first directory");

    await stopAll();
    expect(sessions.flatMap(({ violations }) => violations)).toEqual([]);
    await expectWritten(cluster, sessions);
  },
);
