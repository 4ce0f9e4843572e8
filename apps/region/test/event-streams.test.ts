/** `/watch` as server-sent events, of a real node. */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";

import { MeridianError } from "@meridian/protocol";
import { Metrics } from "@meridian/runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";

import { Tickets } from "../src/listeners/http/tickets.ts";
import { ManualClock, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
let port: number;
beforeAll(async () => {
  region = await testNode({ allowOrigin: ["https://app.example.com"] });
  port = await region.serve();
});
afterAll(() => region.close());

interface Event {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: unknown;
}

/** Reads a stream of events as a browser does. */
class EventReader {
  readonly answer: IncomingMessage;
  readonly ended: Promise<unknown>;
  /** Everything that has come. */
  text = "";
  #read = 0;
  #news: (() => void)[] = [];

  constructor(answer: IncomingMessage) {
    this.answer = answer;
    const wake = (): void => {
      for (const tell of this.#news.splice(0)) tell();
    };
    answer.on("data", (chunk: Buffer) => {
      this.text += chunk.toString();
      wake();
    });
    answer.on("error", () => {});
    this.ended = new Promise<void>((resolve) => answer.once("close", resolve)).then(wake);
  }

  /** The next part that is not a comment and no advice. */
  async next(): Promise<Event> {
    for (;;) {
      const end = this.text.indexOf("\n\n", this.#read);
      if (end < 0) {
        if (this.answer.destroyed) throw new Error("The stream has ended");
        await new Promise<void>((resolve) => this.#news.push(resolve));
        continue;
      }
      const lines = this.text.slice(this.#read, end).split("\n");
      this.#read = end + 2;
      const field = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [id, event, data] = [field("id"), field("event"), field("data")];
      if (id === undefined && event === undefined) continue;
      return { id, event, data: data === undefined ? undefined : (JSON.parse(data) as unknown) };
    }
  }
}

async function stream(
  query: string,
  headers: Readonly<Record<string, string>> = {},
  to: number = port,
): Promise<EventReader> {
  const request = get({
    port: to,
    host: "127.0.0.1",
    path: `/watch?${query}`,
    headers,
    agent: false,
  });
  request.on("error", () => {});
  onTestFinished(() => void request.destroy());
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  return new EventReader(answer);
}

const put = (key: string, value: string, query = ""): Promise<Response> =>
  region.request(`/cache/${key}${query}`, { method: "PUT", body: value });

describe("a stream of events", () => {
  it("whose watch cannot be begun ends, and leaves nothing behind", async () => {
    const fail = vi.spyOn(region.node.service.watches, "open").mockImplementationOnce(() => {
      throw new MeridianError("OVERLOADED", "Expected fewer watches");
    });
    onTestFinished(() => fail.mockRestore());
    const request = get({ port, host: "127.0.0.1", path: "/watch?key=k", agent: false });
    request.on("error", () => {});
    await once(request, "close");
    expect(fail).toHaveBeenCalledTimes(1);
    const { id } = await (await stream("key=k")).next();
    expect(id).toMatch(/^c1/);
  });

  it("tells of sets, deletes and expiries, and goes on after the last event that a client has heard", async () => {
    const first = await stream("prefix=s:&values=true", { origin: "https://app.example.com" });
    expect(first.answer.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "access-control-allow-origin": "https://app.example.com",
    });
    const { id } = await first.next();
    await put("s:a", "1", "?ttl=5s");
    await put("other", "1");
    expect(await first.next()).toMatchObject({ event: "set", data: { key: "s:a", value: "1" } });
    await region.request("/cache/s:a", { method: "DELETE" });
    const heard = await first.next();
    expect(heard).toMatchObject({ event: "delete", data: { key: "s:a" } });
    first.answer.destroy();
    await put("s:b", "2", "?ttl=5s");
    const second = await stream("prefix=s:", { "last-event-id": heard.id ?? "" });
    expect(await second.next()).toEqual({ id: heard.id, event: undefined, data: undefined });
    expect(await second.next()).toMatchObject({ event: "set", data: { key: "s:b" } });
    region.clock.advance(6_000);
    expect(await second.next()).toMatchObject({ event: "expire", data: { key: "s:b" } });
    const again = await stream("prefix=s:", { "last-event-id": id ?? "" });
    await again.next();
    expect(await again.next()).toMatchObject({ event: "delete", data: { key: "s:a" } });
  });

  it("begins with `reload` where what was missed is not known here", async () => {
    const reader = await stream("key=r", { "last-event-id": "c1.77.5" });
    await reader.next();
    expect(await reader.next()).toMatchObject({ event: "reload", data: {} });
    await put("r", "1");
    expect(await reader.next()).toMatchObject({ event: "set", data: { key: "r" } });
  });
});

it("a stream tells on demand through which position it has told everything", async () => {
  const reader = await stream("prefix=p:&positions=true");
  await reader.next();
  region.clock.advance(25);
  const first = await reader.next();
  expect(first).toMatchObject({ event: "position", id: /^c1/ });
  const answer = await put("p:1", "1");
  expect(await reader.next()).toMatchObject({ event: "set", data: { key: "p:1" } });
  const second = await reader.next();
  const position = answer.headers.get("meridian-position");
  expect(second).toEqual({
    id: expect.stringMatching(/^c1/) as string,
    event: "position",
    data: {
      position,
      elapsedMs: expect.any(Number) as number,
      nowMs: expect.any(Number) as number,
    },
  });
  expect(second.id).not.toBe(first.id);
});

describe("a stream is not to be had", () => {
  it.each([
    ["", "INVALID_ARGUMENT"],
    ["key=a&prefix=a", "INVALID_ARGUMENT"],
    ["key=", "INVALID_KEY"],
    ["prefix=a&values=maybe", "INVALID_ARGUMENT"],
    ["prefix=a&positions=1", "INVALID_ARGUMENT"],
    ["prefix=a&resume=x", "UNKNOWN_OPTION"],
  ])("for `%s`", async (query, code) => {
    const answer = await region.request(`/watch?${query}`);
    expect(await answer.json()).toMatchObject({ code });
  });

  it("from what is no token, nor for other pages", async () => {
    const headers = { "last-event-id": "nonsense" };
    expect((await region.request("/watch?prefix=", { headers })).status).toBe(400);
    const page = { origin: "https://evil.example.com" };
    expect((await region.request("/watch?prefix=", { headers: page })).status).toBe(403);
  });
});

describe("a stream that is open", () => {
  it("shows every fifteen seconds that it is there, and ends when the node stops", async () => {
    const clock = new ManualClock();
    const node = await testNode({ serverClock: clock });
    const reader = await stream("prefix=", {}, await node.serve());
    await reader.next();
    clock.advance(15_000);
    while (!reader.text.endsWith("\n:\n\n")) await once(reader.answer, "data");
    const stopped = node.node.stop(60_000);
    await reader.ended;
    expect(reader.answer.complete).toBe(true);
    await node.settle(stopped);
    await node.close();
  });

  it("that nobody reads holds little, and is cut", async () => {
    const clock = new ManualClock();
    const node = await testNode({ serverClock: clock, valueBytesMax: 2 * 1024 * 1024 });
    const deaf = await stream("prefix=&values=true", {}, await node.serve());
    await deaf.next();
    deaf.answer.pause();
    const body = "v".repeat(1024 * 1024);
    for (let n = 0; n < 20; n += 1) await node.request(`/cache/l${n}`, { method: "PUT", body });
    const heldBytes = (): number =>
      node.node.metrics.levels().find(({ name }) => name === "httpAnswerBytes")?.now ?? NaN;
    expect(heldBytes()).toBeLessThan(4 * 1024 * 1024);
    clock.advance(15_000);
    clock.advance(15_000);
    deaf.answer.resume();
    await deaf.ended;
    expect(deaf.answer.complete).toBe(false);
    const cuts = node.node.metrics
      .families()
      .find(({ name }) => name === "meridian_event_stream_cuts_total");
    expect(cuts?.samples.map(({ value }) => (value as () => number)())).toEqual([1]);
    await node.close();
  });
});

it("a ticket is good once, for thirty seconds, and there are not too many", () => {
  const clock = new ManualClock();
  const tickets = new Tickets(clock, new Metrics());
  const principal = {
    id: "id",
    subject: "",
    scope: "admin",
    prefixes: [""],
    nodes: [],
    issuedAtMs: 0,
    key: "",
    expiresAtMs: 1,
  } as const;
  const [first, second] = [tickets.issue(principal, "a:"), tickets.issue(principal, "a:")];
  expect(tickets.take(first)).toEqual({ ...principal, scope: "read", prefixes: ["a:"] });
  expect(tickets.take(first)).toBeUndefined();
  clock.advance(30_000);
  expect(tickets.take(second)).toBeUndefined();
  for (let n = 0; n < 10_000; n += 1) tickets.issue(principal, "");
  expect(() => tickets.issue(principal, "")).toThrow(
    expect.objectContaining({ code: "OVERLOADED" }) as Error,
  );
  clock.advance(30_000);
  tickets.issue(principal, "");
});
