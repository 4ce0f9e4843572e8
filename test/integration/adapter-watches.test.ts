/** The watches of the adapters, at a node whose answers the test decides: a passing error ends none of them, and a lasting one leaves nobody waiting. */
import { MeridianBus } from "@meridian/bentocache";
import { connect, type MeridianClient } from "@meridian/client";
import { TestCluster } from "@meridian/client/testing";
import { meridianDriver } from "@meridian/unstorage";
import { describe, expect, it, onTestFinished, vi } from "vitest";

const ETAG = '"1893456000000.0.a"';

/** A node with one key, whose streams of changes the test writes. */
class WatchedNode {
  /** What listings are answered; undefined to list the key. */
  trouble: Response | undefined;
  /** How many listings have got `trouble`. */
  refused = 0;
  /** What streams are answered; undefined to open one. */
  refusal: Response | undefined;
  #key = "";
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  async connect(): Promise<MeridianClient> {
    const client = await connect({
      nodes: ["http://node.test"],
      lazy: true,
      deadlineMs: 300,
      fetch: async (url, init) => {
        await new Promise((resolve) => setImmediate(resolve));
        const answer = this.#answer(new URL(url), init.signal);
        answer.headers.set("meridian-node", "node");
        return answer;
      },
    });
    onTestFinished(() => client.close());
    return client;
  }

  holds(key: string): void {
    this.#key = key;
  }

  tell(text: string): void {
    this.#stream?.enqueue(new TextEncoder().encode(`${text}\n\n`));
  }

  #answer({ pathname, searchParams }: URL, signal: unknown): Response {
    if (pathname === "/watch") return this.refusal?.clone() ?? this.#open(signal as AbortSignal);
    if (pathname !== "/keys") return Response.json({});
    const isLook = searchParams.get("limit") === "1";
    if (isLook || this.#key === "") return Response.json({ keys: [], next: null });
    if (this.trouble !== undefined) {
      this.refused += 1;
      return this.trouble.clone();
    }
    const terms = { bytes: 1, contentType: "application/json", etag: ETAG, expiresAtMs: null };
    const value = searchParams.has("values") ? { value: "1" } : {};
    return Response.json({ keys: [{ key: this.#key, ...terms, ...value }], next: null });
  }

  #open(signal: AbortSignal): Response {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#stream = controller;
        signal.addEventListener("abort", () => (this.#stream = undefined));
      },
    });
    this.tell("id: 1");
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}

const problem = (status: number, code: string): Response =>
  Response.json({ code, title: code, status }, { status });

const until = (what: () => boolean): Promise<unknown> =>
  vi.waitUntil(what, { timeout: 30_000, interval: 5 });

interface Watcher {
  /** Begins to watch; resolves once the watch is live or has failed, and gives what ends it. */
  readonly begin: (
    client: MeridianClient,
    seen: string[],
    errors: unknown[],
  ) => Promise<() => unknown>;
  /** The key of which a listing tells, and what is seen of it. */
  readonly key: string;
  readonly sight: string;
}

const WATCHERS: Readonly<Record<string, Watcher>> = {
  "a bus of Bentocache": {
    key: "bus:a:two:1",
    sight: "1",
    begin: async (client, seen, errors) => {
      const bus = new MeridianBus({ client, onError: (error) => errors.push(error) }).setId("one");
      await bus.subscribe("a", (message) => void seen.push(String(message)));
      return () => bus.disconnect();
    },
  },
  "a watch of unstorage": {
    key: "s:k",
    sight: "update k",
    begin: (client, seen, errors) =>
      meridianDriver({ client, base: "s", onWatchError: (error) => errors.push(error) }).watch(
        (event, key) => seen.push(`${event} ${key}`),
      ),
  },
};

describe.each(Object.entries(WATCHERS))("%s", (_, { begin, key, sight }) => {
  it("reads anew until it can", async () => {
    const node = new WatchedNode();
    const [seen, errors]: [string[], unknown[]] = [[], []];
    const end = await begin(await node.connect(), seen, errors);
    node.holds(key);
    node.trouble = problem(503, "NODE_SYNCING");
    node.tell("event: reload\ndata: {}");
    // One call tries fewer times by its deadline: this is several calls.
    await until(() => errors.length > 0 || node.refused >= 10);
    expect([seen, errors]).toEqual([[], []]);
    node.trouble = undefined;
    await until(() => seen.length > 0);
    expect(seen).toEqual([sight]);
    expect(errors).toEqual([]);
    await end();
  });

  it("ends with a lasting error, of which somebody is told", async () => {
    const node = new WatchedNode();
    const [seen, errors]: [string[], unknown[]] = [[], []];
    const end = await begin(await node.connect(), seen, errors);
    node.holds(key);
    node.trouble = problem(403, "FORBIDDEN");
    node.tell("event: reload\ndata: {}");
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ code: "FORBIDDEN" }]);
    await end();
  });
});

describe("a subscription of a bus that never becomes live", () => {
  it("settles when the node refuses it for good", async () => {
    const node = new WatchedNode();
    node.refusal = problem(403, "FORBIDDEN");
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    await new MeridianBus({ client: await node.connect(), onError }).subscribe("a", () => {});
    expect(errors).toMatchObject([{ code: "FORBIDDEN" }]);
  });

  it.each<readonly [string, (bus: MeridianBus) => Promise<void>]>([
    ["unsubscribed", (bus) => bus.unsubscribe("a")],
    ["disconnected", (bus) => bus.disconnect()],
  ])("settles when it is %s", async (_, end) => {
    const node = new WatchedNode();
    node.refusal = problem(503, "NODE_SYNCING");
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const bus = new MeridianBus({ client: await node.connect(), onError });
    const subscribed = bus.subscribe("a", () => {});
    await end(bus);
    await subscribed;
    expect(errors).toEqual([]);
  });
});

it("a value of unstorage with a time to live of 0 lives for ever", async () => {
  const cluster = new TestCluster();
  onTestFinished(() => cluster.close());
  const client = await cluster.connect();
  const driver = meridianDriver({ client, base: "s", ttl: 60 });
  await driver.setItem("a", "1", { ttl: 0 });
  await driver.setItems([{ key: "b", value: "1", options: { ttl: 0 } }]);
  await driver.setItem("c", "1");
  const forEver = meridianDriver({ client, base: "s", ttl: 0 });
  await forEver.setItem("d", "1");
  const ttls = await Promise.all(["a", "b", "c", "d"].map((key) => client.ttl(`s:${key}`)));
  expect(ttls).toEqual([Infinity, Infinity, 60_000, Infinity]);
});
