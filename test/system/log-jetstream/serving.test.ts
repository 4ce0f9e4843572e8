/** Two directories over one stream: one orders, and both serve nodes. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { getText, putValue } from "@meridian/harness";
import {
  FIVE_PLACES,
  LinkProxy,
  placeArguments,
  type Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";
import { encodeMessage, type Cursor } from "@meridian/protocol";
import { helloOf } from "@meridian/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

import { freePort } from "../../support/free-port.ts";
import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";
import { start } from "../../support/spawned.ts";

/** The URL of a line to a directory on which everything takes so many milliseconds in each direction. */
async function farAway(url: string, ms: number): Promise<string> {
  const ends = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    ends.add(from);
    from.on("data", (data) => setTimeout(() => to.write(data), ms));
    from.on("close", () => to.destroy());
    from.on("error", () => {});
  };
  const line = createServer((near) => {
    const far = connect(Number(new URL(url).port), "127.0.0.1");
    pass(near, far);
    pass(far, near);
  });
  await new Promise<void>((resolve) => line.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const end of ends) end.destroy();
    line.close();
  });
  return `http://127.0.0.1:${(line.address() as AddressInfo).port}`;
}

/** Two directories, of which the first writes, and one region at each. */
class Pair {
  readonly folder: string = mkdtempSync(join(tmpdir(), "meridian-serving-"));
  readonly servers: NatsServers = new NatsServers();
  readonly directories: Program[] = [];
  readonly regions: Program[] = [];
  #ports: readonly number[] = [];

  /** Where the second directory finds NATS; undefined for where the first does. */
  readonly #line: LinkProxy | undefined;

  constructor(line?: LinkProxy) {
    this.#line = line;
  }

  static async start(line?: LinkProxy): Promise<Pair> {
    const pair = new Pair(line);
    onTestFinished(async () => {
      await pair.servers.stop();
      rmSync(pair.folder, { recursive: true, force: true });
    });
    await pair.servers.start();
    if (line !== undefined) line.target = pair.servers.url.replace("nats:", "http:");
    pair.#ports = [await freePort(), await freePort()];
    await pair.startDirectory(0);
    await pair.directories[0]?.listens();
    await pair.startDirectory(1);
    await until("the second directory serves", () => pair.says(1, "serves nodes beside"));
    const [first = "", second = ""] = pair.urls;
    await pair.startRegion(0, [first, second]);
    await pair.startRegion(1, [second, first]);
    return pair;
  }

  async startDirectory(index: number): Promise<void> {
    const name = `directory-${index}`;
    const place = placeArguments("127.0.0.1", this.#ports[index] ?? 0, join(this.folder, name));
    const line = index === 1 ? this.#line?.url.replace("http:", "nats:") : undefined;
    const log = `--log=${line ?? this.servers.url}`;
    this.directories[index] = await start("directory", name, [...place, log]);
  }

  says(index: number, text: string): boolean {
    return this.directories[index]?.lines.some((line) => line.includes(text)) === true;
  }

  url(index: number): string {
    return this.regions[index]?.url ?? "";
  }

  /** Where the directories answer, in their order. */
  get urls(): readonly string[] {
    return this.#ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** The ids of the nodes that have their links with a directory; the writer has those that are passed on to it, too. */
  async nodesOf(index: number): Promise<readonly string[]> {
    const answer = await fetch(`${this.urls[index]}/nodes`).catch(() => undefined);
    const { nodes = [] } = ((await answer?.json()) ?? {}) as {
      readonly nodes?: readonly { id: string; status: string; peer: string | null }[];
    };
    return nodes
      .filter(({ status, peer }) => status === "ready" && peer === null)
      .map(({ id }) => id);
  }

  /** Resolves once the region of a directory that only serves has its link there, and the writer has both. */
  async spread(serving: 0 | 1): Promise<void> {
    const id = FIVE_PLACES[serving]?.id ?? "";
    const isAt = async (): Promise<boolean> => (await this.nodesOf(serving)).includes(id);
    await until(`directory ${serving} has ${id}`, isAt, 60_000);
    const hasBoth = async (): Promise<boolean> => (await this.nodesOf(1 - serving)).length === 2;
    await until(`directory ${1 - serving} knows both`, hasBoth, 60_000);
  }

  async digests(): Promise<ReadonlySet<string>> {
    const urls = [...this.urls, ...this.regions.map(({ url }) => url)];
    const all = urls.map(async (url) => {
      const { count, fingerprint } = (await (await fetch(`${url}/digest`)).json()) as {
        readonly count: number;
        readonly fingerprint: string;
      };
      return `${count} ${fingerprint}`;
    });
    return new Set(await Promise.all(all));
  }

  /** What all programs have printed about comparisons. */
  get comparisons(): readonly string[] {
    return [...this.directories, ...this.regions]
      .flatMap(({ lines }) => lines)
      .filter((line) => /node reconciles|reconciles=true/.test(line));
  }

  async startRegion(index: number, urls: readonly string[]): Promise<Program> {
    const place = FIVE_PLACES[index];
    if (place === undefined) throw new Error("Expected a place");
    const region = await start("region", place.id, [
      ...placeArguments("127.0.0.1", 0, join(this.folder, place.id)),
      ...regionArguments(place, urls),
    ]);
    await region.listens();
    this.regions[index] = region;
    return region;
  }
}

/** Has a node of another log greet a directory, and resolves once it is gone again. */
async function greetFrom(url: string, home: Cursor): Promise<void> {
  const link = new WebSocket(`${url.replace("http", "ws")}/replicate`);
  const greeted = new Promise((resolve) => link.addEventListener("message", resolve));
  link.addEventListener("open", () => {
    const node = {
      nodeId: "stranger",
      incarnation: 5,
      cluster: "meridian",
      url: "http://stranger:1",
    };
    const hello = helloOf({ ...node, nowMs: Date.now(), cursors: [home], home });
    link.send(encodeMessage(hello));
  });
  await greeted;
  const closed = new Promise((resolve) => link.addEventListener("close", resolve));
  link.close();
  await closed;
}

/** Sets one key after the other at a region, and knows which of them the log has. */
class Writing {
  readonly acknowledged: string[] = [];
  readonly #done: Promise<void>;
  #isOver = false;

  constructor(url: string, prefix: string) {
    this.#done = this.#write(url, prefix);
  }

  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await until(`${wanted} writes`, () => this.acknowledged.length >= wanted, 90_000);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #write(url: string, prefix: string): Promise<void> {
    for (let each = 0; !this.#isOver; each += 1) {
      const key = `${prefix}/${each}`;
      // What is not acknowledged in time counts as not acknowledged.
      const put = putValue(url, key, key, { ack: "directory" });
      if (await put.then(Boolean, () => false)) this.acknowledged.push(key);
    }
  }
}

describe.skipIf(!HAS_NATS)(
  `directories over nats-server ${NATS_VERSION} (needs nats-server)`,
  () => {
    it("serve nodes beside the one that orders: a set at one is read at the other, one of two conditions holds, and each knows all nodes", async () => {
      const pair = await Pair.start();
      await pair.spread(1);
      expect(pair.directories[1]?.url).toBe(pair.urls[1]);
      const all = { ack: "all", timeout: "30s" };
      await putValue(pair.url(1), "at-the-second", "two", all);
      await putValue(pair.url(0), "at-the-first", "one", all);
      expect(await getText(pair.url(0), "at-the-second")).toBe("two");
      expect(await getText(pair.url(1), "at-the-first")).toBe("one");
      expect(await pair.digests()).toHaveLength(1);
      for (const url of pair.urls) {
        const answer = await fetch(`${url}/nearest?lat=0&lon=0`);
        expect(((await answer.json()) as { nodes: unknown[] }).nodes).toHaveLength(2);
        expect((await fetch(`${url}/readyz`)).status).toBe(200);
      }
      expect(pair.comparisons).toEqual([]);
    });

    it("lose nothing that was acknowledged, and compare nothing, when each of them is killed in turn", async () => {
      const pair = await Pair.start();
      await pair.spread(1);
      const writing = [0, 1].map((index) => new Writing(pair.url(index), `from-${index}`));
      onTestFinished(() => Promise.all(writing.map((each) => each.stop())).then(() => {}));
      const goesOn = async (): Promise<void> => {
        await Promise.all(writing.map((each) => each.more(20)));
      };
      await goesOn();

      await pair.directories[1]?.kill();
      await goesOn();
      await pair.startDirectory(1);
      await until("the second directory serves again", () => pair.says(1, "serves nodes beside"));
      await pair.spread(1);
      await goesOn();

      await pair.directories[0]?.kill();
      await until("the second directory writes", () => pair.says(1, "listening on"), 60_000);
      await goesOn();
      await pair.startDirectory(0);
      await until("the first directory serves", () => pair.says(0, "serves nodes beside"));
      await pair.spread(0);
      await goesOn();

      await Promise.all(writing.map((each) => each.stop()));
      await until("equal digests", async () => (await pair.digests()).size === 1, 60_000);
      for (const { acknowledged } of writing) {
        for (const key of acknowledged) {
          for (const index of [0, 1]) expect(await getText(pair.url(index), key)).toBe(key);
        }
      }
      expect(pair.comparisons).toEqual([]);
    });
  },
);

describe.skipIf(!HAS_NATS)(`a directory beside the one that orders (needs nats-server)`, () => {
  it("sends nodes elsewhere when it is cut off from NATS", async () => {
    const line = await LinkProxy.listen();
    onTestFinished(() => line.close());
    const pair = await Pair.start(line);
    await pair.spread(1);
    const id = FIVE_PLACES[1]?.id ?? "";
    line.cut();
    await until("the second directory is not ready", async () => {
      return (await fetch(`${pair.urls[1]}/readyz`)).status === 503;
    });
    await until(
      "its region is at the first",
      async () => {
        const { nodes } = (await (await fetch(`${pair.urls[0]}/nodes`)).json()) as {
          readonly nodes: readonly { id: string; status: string }[];
        };
        return nodes.some((node) => node.id === id && node.status === "ready");
      },
      60_000,
    );
    expect(await putValue(pair.url(1), "elsewhere", "x", { ack: "all" })).toBeDefined();

    line.heal();
    await pair.spread(1);
    await putValue(pair.url(1), "again", "x", { ack: "all" });
    expect(pair.comparisons).toEqual([]);
  });

  it("takes over at once when that one is stopped in order, and keeps its region", async () => {
    const pair = await Pair.start();
    await pair.spread(1);
    await pair.directories[0]?.stop();
    await until("the second directory writes", () => pair.says(1, "listening on"), 4_000);
    await until("it has both regions", async () => (await pair.nodesOf(1)).length === 2);
    const { lines = [] } = pair.regions[1] ?? {};
    expect(lines.filter((line) => line.includes("taken in by"))).toHaveLength(2);
    expect(lines.join("\n")).not.toMatch(/GOING_AWAY/);
    await putValue(pair.url(1), "key", "x", { ack: "all" });
    expect(pair.comparisons).toEqual([]);
  });

  it("is chosen by a region that it is nearer to, whatever the order of its directories", async () => {
    const pair = await Pair.start();
    const far = await farAway(pair.urls[0] ?? "", 40);
    const region = await pair.startRegion(2, [far, pair.urls[1] ?? ""]);
    const id = FIVE_PLACES[2]?.id ?? "";
    await until("the region is at the first", async () => (await pair.nodesOf(0)).includes(id));
    await until("it is at the second", async () => (await pair.nodesOf(1)).includes(id), 90_000);
    expect(region.lines.join("\n")).toMatch(/another directory is nearer directory=1/);
    await putValue(region.url, "near", "x", { ack: "all" });
    expect(pair.comparisons).toEqual([]);
  });
});

describe.skipIf(!HAS_NATS)(
  `an operator of two directories over one stream (needs nats-server)`,
  () => {
    it("may ask either: it knows that the log may have lost something, and what it is asked, the writer does", async () => {
      const pair = await Pair.start();
      await pair.spread(1);
      const [writer = "", serving = ""] = pair.urls;
      const ask = async (url: string, method = "GET"): Promise<unknown> =>
        await (await fetch(url, { method })).json();
      const decided = async (): Promise<readonly boolean[]> => {
        const all = pair.urls.map(async (url) => {
          const { conditions } = (await ask(`${url}/status`)) as {
            readonly conditions: { readonly decides: boolean };
          };
          return conditions.decides;
        });
        return Promise.all(all);
      };
      const reaches = (expected: boolean): Promise<unknown> =>
        until(`decided: ${expected}`, async () =>
          (await decided()).every((each) => each === expected),
        );
      await reaches(true);
      await greetFrom(writer, { logId: 5, epoch: 1, sequence: 1 });
      await reaches(false);
      expect(await ask(`${serving}/conditions/doubt`, "DELETE")).toMatchObject({
        ended: { why: expect.stringContaining("another log") as string },
      });
      await reaches(true);
      expect(await ask(`${serving}/conditions/doubt`, "DELETE")).toEqual({ ended: null });
      expect(await ask(`${serving}/nodes/stranger`, "DELETE")).toMatchObject({ status: "gone" });
      expect(await ask(`${writer}/nodes/stranger`)).toMatchObject({ code: "NODE_NOT_FOUND" });

      await greetFrom(writer, { logId: 5, epoch: 1, sequence: 1 });
      await reaches(false);
      await pair.directories[0]?.kill();
      await until("the second directory writes", () => pair.says(1, "listening on"), 60_000);
      expect(await ask(`${serving}/status`)).toMatchObject({ conditions: { decides: false } });
    });
  },
);
