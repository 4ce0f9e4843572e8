/** Every method of the client over each transport, at real regions: the same answers, the same errors, and one session. */
import { connect, isMeridianError, type MeridianClient } from "@meridian/client";
import { until } from "@meridian/harness";
import { describe, expect, it, onTestFinished } from "vitest";

import {
  startTwoRegions,
  TRANSPORTS,
  type LinedRegion,
  type TestedTransport,
} from "../support/two-regions.ts";

const { oslo, rome } = await startTwoRegions();

/** Every call over a WebSocket is one that no `fetch` has sent. */
async function open(
  transport: TestedTransport,
  ...nodes: readonly LinedRegion[]
): Promise<{ readonly client: MeridianClient; readonly fetched: readonly string[] }> {
  const fetched: string[] = [];
  const client = await connect({
    nodes: nodes.map(({ line }) => line.url),
    failbackMs: 0,
    transport,
    fetch: (url, init) => {
      fetched.push(`${init.method ?? "GET"} ${new URL(url).pathname}`);
      return fetch(url, init);
    },
  });
  onTestFinished(() => client.close());
  return { client, fetched };
}

type Method = Exclude<
  keyof MeridianClient,
  | typeof Symbol.asyncDispose
  | "close"
  | "directory"
  | "forgetPosition"
  | "namespace"
  | "nodes"
  | "on"
  | "status"
>;

/** What a method does, to keys that no other one uses; the outcome is compared over all transports. */
const CALLS: Readonly<Record<Method, (client: MeridianClient) => Promise<unknown>>> = {
  get: async (client) => [await client.get("get:none"), await client.get("get:1")],
  getRaw: async (client) => [await client.getRaw("get:1"), await client.getRaw("get:bytes")],
  getMany: (client) => client.getMany(["get:1", "get:bytes", "get:none"]),
  has: async (client) => [await client.has("get:1"), await client.has("get:none")],
  hasMany: (client) => client.hasMany(["get:1", "get:none"]),
  ttl: async (client) => [await client.ttl("get:1"), await client.ttl("get:none")],
  keys: (client) => all(client.keys({ prefix: "get:", pageSize: 1 })),
  entries: async (client) => [
    await all(client.entries({ prefix: "get:", pageSize: 2 })),
    await all(client.entries({ prefix: "get:", values: false })),
    await all(client.entries({ prefix: "none:" })),
  ],
  rawEntries: (client) => all(client.rawEntries({ prefix: "get:", after: "get:1" })),
  set: async (client) => [
    written(await client.set("set:1", { n: 1 }, { ttl: "1h", ack: "local" })),
    await client.get("set:1"),
  ],
  setMany: async (client) => {
    const { entries } = await client.setMany([
      { key: "many:1", value: 1 },
      { key: "many:2", value: Uint8Array.of(0, 255), ttl: "1h" },
    ]);
    return [entries.map(written), await client.getMany(["many:1", "many:2"])];
  },
  delete: async (client) => {
    await client.set("delete:1", 1);
    const first = await client.delete("delete:1");
    const second = await client.delete("delete:1");
    return [first.deleted, second.deleted, await client.get("delete:1")];
  },
  deleteMany: async (client) => {
    await client.set("doomed:1", 1);
    return (await client.deleteMany(["doomed:1", "doomed:2"])).deleted;
  },
  touch: async (client) => {
    await client.set("touch:1", 1);
    const touched = await client.touch("touch:1", { ttl: "1h" });
    return [touched, await client.touch("none", { ttl: "1h" }), span(await client.ttl("touch:1"))];
  },
  expireAt: async (client) => {
    await client.set("expire:1", 1, { ttl: "1h" });
    const isThere = await client.expireAt("expire:1", undefined);
    return [isThere, await client.ttl("expire:1"), await client.expireAt("none", undefined)];
  },
  pull: async (client) => {
    await client.set("pull:1", [1]);
    return [await client.pull("pull:1"), await client.pull("pull:1")];
  },
  update: async (client) => {
    await client.set("count", 1);
    const add = (count: unknown): number => Number(count) + 1;
    await Promise.all(Array.from({ length: 5 }, () => client.update("count", add)));
    return client.get("count");
  },
  getOrSet: async (client) => {
    await client.delete("load:1");
    const load = (): Promise<number> => Promise.resolve(7);
    const options = { ttl: "1h", lock: "region" } as const;
    const loaded = await Promise.all([
      client.getOrSet("load:1", load, options),
      client.getOrSet("load:1", load, options),
    ]);
    return [loaded, await client.get("load:1")];
  },
  wrap: async (client) => {
    await client.delete("double:4");
    const double = client.wrap("double", (n: number) => 2 * n, { key: (n) => `double:${n}` });
    return [await double(4), await client.get("double:4")];
  },
  watch: async (client) => {
    const events = client.watch({ key: "watch:1", values: true });
    const first = events.next();
    for (let n = 0, isHeard = false; !isHeard; n += 1) {
      await client.set("watch:1", n);
      isHeard = await Promise.race([
        first.then(() => true),
        client.has("watch:1").then(() => false),
      ]);
    }
    const { value } = await first;
    await events.return(undefined);
    return value?.event;
  },
};

const hostOf = ({ line }: LinedRegion): string => new URL(line.url).host;

async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What is the same in every answer to a write. */
function written({ key, expiresAtMs }: { key: string; expiresAtMs: number | undefined }): object {
  return { key, expires: expiresAtMs !== undefined };
}

function span(ms: number | undefined): boolean {
  return ms !== undefined && ms > 0 && ms <= 3_600_000;
}

/** The code and the message of the error that a call rejects with. */
async function failed(call: Promise<unknown>): Promise<unknown> {
  const error = await call.catch((cause: unknown) => cause);
  if (!isMeridianError(error)) throw new Error("Expected an error");
  const { code, message, retryable, details } = error;
  return {
    code,
    message: message.replaceAll(/"[^"]*"/g, "…"),
    retryable,
    keys: Object.keys(details ?? {}),
  };
}

const first = await connect({ nodes: [oslo.region.url] });
await first.set("get:1", { a: [1, "é"] });
await first.set("get:2", "text", { contentType: "text/plain" });
await first.set("get:bytes", Uint8Array.of(0, 128, 255));
first.close();

describe("over HTTP and over a WebSocket", () => {
  it.each(Object.keys(CALLS) as Method[])("`%s` has the same outcome", async (method) => {
    const [http, webSocket] = [await open("http", oslo), await open("websocket", oslo)];
    const expected = await CALLS[method](http.client);
    expect(await CALLS[method](webSocket.client)).toEqual(expected);
    expect(webSocket.fetched.filter((path) => !path.endsWith("z"))).toEqual([]);
    expect(http.fetched.length).toBeGreaterThan(0);
  });

  it("an error is the same", async () => {
    const outcomes: unknown[] = [];
    for (const transport of TRANSPORTS) {
      const { client } = await open(transport, oslo);
      const terms = { ack: 5, timeoutMs: 50 } as const;
      outcomes.push([
        await failed(client.set("get:1", 2, { ifAbsent: true })),
        await failed(client.set("get:1", 2, { ifMatch: "other" })),
        await failed(client.delete("get:1", { ifMatch: "other" })),
        await failed(client.set("fail:1", "v".repeat(100_001))),
        await failed(client.set("fail:1", 1, terms)),
        await failed(client.setMany([{ key: "fail:1", value: 1 }], terms)),
        await failed(client.deleteMany(["fail:1"], terms)),
        await failed(client.touch("get:1", { ...terms, ttl: "1h" })),
      ]);
    }
    expect(outcomes[1]).toEqual(outcomes[0]);
    const codes = (outcomes[0] as readonly { readonly code: string }[]).map(({ code }) => code);
    expect(new Set(codes)).toEqual(
      new Set(["PRECONDITION_FAILED", "VALUE_TOO_LARGE", "ACK_TIMEOUT"]),
    );
  });

  it.each(TRANSPORTS)(
    "a session sees at another region what it has written at one that is lost (%s)",
    async (transport) => {
      const { client } = await open(transport, oslo, rome);
      for (let n = 0; n < 3; n += 1) {
        oslo.line.heal();
        await until("oslo answers", async () => {
          await client.set("own", n);
          return client.status().node === hostOf(oslo);
        });
        oslo.line.cut();
        expect(await client.hasMany(["own", "none"])).toEqual(new Set(["own"]));
        const [entry] = await all(client.entries({ prefix: "own" }));
        expect([entry?.value, await client.get("own"), await client.pull("own")]).toEqual([
          n,
          n,
          n,
        ]);
        expect([await client.has("own"), client.status().node]).toEqual([false, hostOf(rome)]);
      }
      oslo.line.heal();
    },
  );
});
