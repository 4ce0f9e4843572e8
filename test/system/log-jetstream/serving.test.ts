/** Two directories over one stream: one orders, and both serve nodes. */
import { getText, putValue } from "@meridian/harness";
import { FIVE_PLACES, LinkProxy, until } from "@meridian/local-cluster";
import { encodeMessage, type Cursor } from "@meridian/protocol";
import { helloOf } from "@meridian/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

import { farLine } from "../../support/far-line.ts";
import { HAS_NATS, NATS_VERSION } from "../../support/nats-servers.ts";
import { Pair } from "./pair.ts";

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
    const far = await farLine(pair.urls[0] ?? "", 40);
    onTestFinished(() => far.close());
    const region = await pair.startRegion(2, [far.url, pair.urls[1] ?? ""]);
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
