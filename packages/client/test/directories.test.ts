/** Several directories in order of priority, each a real server. */
import { formatPosition } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test } from "vitest";

import { connect, type ConnectOptions, type MeridianClient } from "../src/index.ts";
import { Session } from "../src/session.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure, passUntil, timed } from "./scene.ts";
import { fetchOf, Listener, World, type FakeNode, type Reply } from "./world.ts";

/** A directory that answers for all nodes, or as it is told to. */
interface Directory {
  readonly server: Listener;
  readonly url: string;
  /** What it answers instead; `null` for nothing. */
  instead: Reply | null | undefined;
  asked: number;
}

interface Scene {
  readonly world: World;
  readonly first: Directory;
  readonly second: Directory;
  readonly near: FakeNode;
  readonly far: FakeNode;
  readonly nearServer: Listener;
  readonly clock: FakeClock;
  readonly open: (options?: Partial<ConnectOptions>) => Promise<MeridianClient>;
}

const SYNCING: Reply = {
  status: 503,
  headers: { "content-type": "application/problem+json", "retry-after": "1" },
  body: JSON.stringify({ code: "DIRECTORY_SYNCING", detail: "catching up", retryable: true }),
};
const EMPTY: Reply = {
  status: 503,
  headers: { "content-type": "application/problem+json" },
  body: JSON.stringify({ code: "NO_READY_NODE", detail: "none", retryable: true }),
};

async function serve(answer: Listener): Promise<string> {
  onTestFinished(() => answer.kill());
  return answer.start();
}

async function addDirectory(world: World): Promise<Directory> {
  const server = new Listener((call) => {
    directory.asked += 1;
    if (directory.instead === undefined) return world.answerDirectory(call);
    return directory.instead ?? undefined;
  });
  const url = await serve(server);
  const directory: Directory = { server, url, instead: undefined, asked: 0 };
  return directory;
}

async function build(): Promise<Scene> {
  const world = new World();
  const [near, far] = [world.addNode("near"), world.addNode("far")];
  const nearServer = new Listener((call) => near.answer(call));
  near.url = await serve(nearServer);
  far.url = await serve(new Listener((call) => far.answer(call)));
  const [first, second] = [await addDirectory(world), await addDirectory(world)];
  const clock = new FakeClock();
  const open: Scene["open"] = async (options = {}) => {
    const client = await connect({
      directory: [first.url, second.url],
      location: { lat: 0, lon: 0 },
      clock,
      random: seededRandom(1),
      ...options,
    });
    onTestFinished(() => client.close());
    return client;
  };
  return { world, first, second, near, far, nearServer, clock, open };
}

/** What can be wrong with the first directory. */
const TROUBLES: readonly [string, (first: Directory) => unknown][] = [
  ["refuses connections", (first) => first.server.kill()],
  ["never answers", (first) => (first.instead = null)],
  ["is catching up", (first) => (first.instead = SYNCING)],
  ["knows no ready node", (first) => (first.instead = EMPTY)],
  ["fails inside", (first) => (first.instead = { status: 500, body: "oops" })],
  ["is some other server", (first) => (first.instead = { status: 404, body: "nothing here" })],
];

test("the first directory is asked, and the others are left in peace", async () => {
  const { first, second, open } = await build();
  const client = await open();
  expect(client.directory).toBe(first.url);
  expect([first.asked, second.asked]).toEqual([1, 0]);
});

test.each(TROUBLES)(
  "when the first directory %s, the second is used at once",
  async (_, break_) => {
    const { first, second, clock, open } = await build();
    await break_(first);
    const { value: client, tookMs } = await timed(clock, open());
    expect(client.directory).toBe(second.url);
    expect(client.nodes.map(({ id }) => id)).toEqual(["near", "far"]);
    expect(tookMs).toBeLessThan(2_000);
  },
);

test("while the first is away, the second is asked without trying it each time, until it is back", async () => {
  const { first, second, clock, open } = await build();
  const client = await open({ refreshMs: 1_000 });
  first.instead = SYNCING;
  await passUntil(clock, () => client.directory === second.url);
  const [firstAsked, secondAsked] = [first.asked, second.asked];
  const startMs = clock.elapsedMs();
  await passUntil(clock, () => clock.elapsedMs() > startMs + 60_000, 61_000);
  expect(second.asked - secondAsked).toBeGreaterThan(50);
  // With back-off up to half a minute.
  expect(first.asked - firstAsked).toBeLessThan(9);
  first.instead = undefined;
  await passUntil(clock, () => client.directory === first.url, 40_000);
  const after = second.asked;
  await passUntil(clock, () => clock.elapsedMs() > startMs + 130_000, 131_000);
  expect(second.asked).toBe(after);
});

test("over real time: the second directory is used, and the first again when it is back", async () => {
  const { first, second, nearServer, open } = await build();
  first.instead = null;
  const client = await open({ clock: undefined, random: undefined, refreshMs: 1_000 });
  expect(client.directory).toBe(second.url);
  // With the second gone, too, calls go on, failover included.
  await second.server.kill();
  await nearServer.kill();
  await client.set("key", 1);
  expect(client.nodes[0]?.id).toBe("far");
  first.instead = undefined;
  const changed = async (): Promise<void> => {
    while (client.directory !== first.url) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await changed();
  expect(await client.get("key")).toBe(1);
});

test("a directory that asks to be left alone is, for as long as it says", async () => {
  const { first, second, clock, open } = await build();
  const client = await open({ refreshMs: 1_000 });
  first.instead = { ...SYNCING, headers: { ...SYNCING.headers, "retry-after": "45" } };
  await passUntil(clock, () => client.directory === second.url);
  const [asked, startMs] = [first.asked, clock.elapsedMs()];
  first.instead = undefined;
  await passUntil(clock, () => clock.elapsedMs() > startMs + 44_000, 45_000);
  expect(first.asked).toBe(asked);
  await passUntil(clock, () => client.directory === first.url, 5_000);
});

test("with all directories away, the client goes on with the nodes it knows, failover included", async () => {
  const { world, first, second, near, nearServer, clock, open } = await build();
  const client = await open({ refreshMs: 1_000 });
  await client.set("key", 1);
  world.replicate();
  await first.server.kill();
  second.instead = null;
  await nearServer.kill();
  expect(await client.get("key")).toBe(1);
  const startMs = clock.elapsedMs();
  await passUntil(clock, () => clock.elapsedMs() > startMs + 60_000, 61_000);
  expect(await client.get("key")).toBe(1);
  await nearServer.start();
  await passUntil(clock, () => client.nodes[0]?.id === "near", 30_000);
  expect(await client.get("key")).toBe(1);
  second.instead = undefined;
  await passUntil(clock, () => client.directory === second.url, 30_000);
  expect(near.served).toBeGreaterThan(0);
});

test("with all directories away, connecting fails with its code and names them all", async () => {
  const { first, second, clock, open } = await build();
  await first.server.kill();
  second.instead = SYNCING;
  const { value } = await timed(clock, failure(open({ deadlineMs: 1_500 })));
  expect(value.code).toBe("DIRECTORY_UNREACHABLE");
  expect(value.message).toContain(`${first.url}: `);
  expect(value.message).toContain(`${second.url}: catching up`);
});

test("what is wrong with the question is said at once, and no other directory is asked", async () => {
  const { first, second, open } = await build();
  first.instead = {
    status: 400,
    headers: { "content-type": "application/problem+json" },
    body: JSON.stringify({ code: "INVALID_COORDINATES", detail: "no such place" }),
  };
  const error = await failure(open());
  expect(error.code).toBe("INVALID_COORDINATES");
  expect(second.asked).toBe(0);
});

test("what a client has seen is not lost when the nodes move to another directory, one by one", async () => {
  const { world, first, second, near, far, clock, open } = await build();
  const client = await open();
  const others = await connect({ nodes: [near.url], clock });
  onTestFinished(() => others.close());
  await others.set("key", "in the first log");
  world.replicate();
  await client.get("key");
  // The first directory dies; the near node goes over to the second, which has not followed all of the first.
  await first.server.kill();
  near.logId = 2;
  await others.set("other", "in the second log");
  world.replicate();
  expect(await client.get("other")).toBe("in the second log");
  near.mood = "draining";
  // The far node goes over, too, and has everything of the second log, but not of the first.
  far.logId = 2;
  far.forgetLog(1);
  far.catchUp();
  expect(far.data.has("other")).toBe(true);
  const { value: early } = await timed(clock, failure(client.get("key")));
  expect(early.code).toBe("POSITION_NOT_REACHED");
  world.follow(1, 2);
  world.replicate();
  expect((await timed(clock, client.get("key"))).value).toBe("in the first log");
  await passUntil(clock, () => client.directory === second.url, 40_000);
  expect(await client.get("other")).toBe("in the second log");
});

const token = (logId: number, sequence: number): string =>
  formatPosition({ logId, epoch: 1, sequence, incarnation: 0, outboxPosition: 0 });
const tokens = (session: Session, node: string): string[] =>
  session.toPresent(node).map((seen) => seen.token);

test("a position in another log is kept beside the node's own, and not asked of that node", () => {
  const session = new Session();
  session.note("a", token(1, 9), []);
  session.note("a", token(2, 3), session.toPresent("a"));
  expect(tokens(session, "a")).toEqual([token(2, 3)]);
  expect(tokens(session, "b")).toEqual([token(2, 3), token(1, 9)]);
  session.note("b", token(2, 4), session.toPresent("b"));
  expect(tokens(session, "b")).toEqual([token(2, 4)]);
  expect(tokens(session, "c")).toEqual([token(2, 4), token(1, 9)]);
});

test("a node that is back in a log has what was seen there", () => {
  const session = new Session();
  session.note("a", token(1, 9), []);
  session.note("a", token(2, 3), []);
  session.note("a", token(1, 12), []);
  expect(tokens(session, "b")).toEqual([token(1, 12), token(2, 3)]);
});

test("however often logs change, what is kept is bounded", () => {
  const session = new Session();
  for (let log = 1; log <= 1_000; log += 1) session.note("a", token(log, 1), []);
  expect(session.toPresent("b").length).toBeLessThan(10);
});

test.each([
  ["a URL that cannot be read", { id: "odd", url: "http://[10.0.0.5:80]:7401" }],
  ["a URL of another protocol", { id: "odd", url: "ftp://odd.test" }],
  ["no URL", { id: "odd" }],
  ["no id", { url: "http://odd.test" }],
  ["no members at all", null],
])("an entry with %s costs that entry and no other", async (_, odd) => {
  const world = new World();
  const near = world.addNode("near");
  const nodes = [odd, { id: "near", url: near.url, distanceMeters: 1 }];
  const fetch = fetchOf(world);
  const client = await connect({
    directory: "http://directory.test",
    location: { lat: 0, lon: 0 },
    fetch: async (url, init) => {
      if (!url.startsWith("http://directory.test")) return fetch(url, init);
      return Response.json({ nodes });
    },
  });
  expect(client.nodes.map(({ id }) => id)).toEqual(["near"]);
  await client.set("key", 1);
  client.close();
});
