import { describe, expect, it } from "vitest";

import { Attempts } from "../page/api/attempts.ts";
import { eventOf, eventsOf, problemIn } from "../page/api/event-stream.ts";
import { pauseBefore } from "../page/api/pause.ts";
import { nodesAfter, type Nodes } from "../page/pages/map/nodes.ts";

describe("events", () => {
  it("have a name and data; comments are none", () => {
    expect(eventOf('event: node\ndata: {"id":"oslo"}')).toEqual({
      name: "node",
      data: '{"id":"oslo"}',
    });
    expect(eventOf("data: a\ndata:b")).toEqual({ name: "message", data: "a\nb" });
    expect(eventOf(": still here")).toBeUndefined();
    expect(eventOf("event: node")).toBeUndefined();
  });

  it("are read however they are cut, within characters too", async () => {
    const bytes = new TextEncoder().encode("event: a\ndata: ö\n\n: here\n\nevent: b\ndata: 2\n\n");
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => {
        for (const byte of bytes) stream.enqueue(Uint8Array.of(byte));
        stream.close();
      },
    });
    const heard: unknown[] = [];
    for await (const event of eventsOf(body, new AbortController().signal)) heard.push(event);
    expect(heard).toEqual([
      { name: "a", data: "ö" },
      { name: "b", data: "2" },
    ]);
  });
});

it("an event `problem` says why a stream ends; no other does", () => {
  const data = '{"code":"NODE_UNREACHABLE","detail":"Expected an answer"}';
  expect(problemIn({ name: "problem", data })).toBe("Expected an answer");
  expect(problemIn({ name: "node", data })).toBeUndefined();
  for (const other of ["{", "null", "{}", '{"detail":1}']) {
    expect(problemIn({ name: "problem", data: other })).toMatch(/problem/);
  }
});

describe("the attempts at a stream", () => {
  const attempt = (attempts: Attempts, fromMs: number, openMs: number) => {
    attempts.begun();
    attempts.opened(fromMs);
    return attempts.ended(fromMs + openMs);
  };

  it("count up where streams open and end at once", () => {
    const attempts = new Attempts();
    const ends = [0, 1_000, 3_000].map((atMs) => attempt(attempts, atMs, 10));
    expect(ends.map(({ failedBefore }) => failedBefore)).toEqual([0, 1, 2]);
    expect(ends.map(({ sinceMs }) => sinceMs)).toEqual([10, 10, 10]);
    expect(attempts.isLost).toBe(true);
  });

  it("begin anew when something was heard, or a stream was open for long", () => {
    const attempts = new Attempts();
    attempt(attempts, 0, 10);
    attempts.begun();
    attempts.heard();
    expect(attempts.isLost).toBe(false);
    expect(attempts.ended(500)).toEqual({ failedBefore: 0, sinceMs: 500 });
    expect(attempt(attempts, 1_000, 20_000)).toEqual({ failedBefore: 1, sinceMs: 500 });
    expect(attempt(attempts, 30_000, 20_001)).toEqual({ failedBefore: 0, sinceMs: 50_001 });
    attempts.begun();
    expect(attempts.ended(90_000)).toEqual({ failedBefore: 1, sinceMs: 50_001 });
  });
});

describe("the nodes that are shown", () => {
  const told = (nodes: Nodes, name: string, data: object): Nodes =>
    nodesAfter(nodes, { name, data: JSON.stringify(data) });

  it("follow what is told of them", () => {
    const all = told(new Map(), "nodes", { nodes: [{ id: "oslo" }, { id: "rome" }] });
    expect([...all.keys()]).toEqual(["oslo", "rome"]);
    const changed = told(all, "node", { id: "rome", status: "gone" });
    expect(changed.get("rome")).toEqual({ id: "rome", status: "gone" });
    const fewer = told(changed, "forgotten", { id: "rome" });
    expect([...fewer.keys()]).toEqual(["oslo"]);
    expect(told(fewer, "of another version", {})).toBe(fewer);
  });

  it("may have the names of what objects have anyway", () => {
    const all = told(new Map(), "nodes", { nodes: [{ id: "constructor" }, { id: "__proto__" }] });
    expect([...all.keys()]).toEqual(["constructor", "__proto__"]);
  });
});

it("the pauses between attempts double, differ between pages, and have an end", () => {
  const pauses = [0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => pauseBefore(attempt, 0.5));
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  expect([pauseBefore(0, 0), pauseBefore(0, 1)].map(Math.round)).toEqual([400, 600]);
});
