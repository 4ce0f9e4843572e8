import type { EventStream, Exchange } from "@meridian/http";
import type { MemberInfo } from "@meridian/replication";
import { silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { NodeNews } from "../src/http/node-news.ts";
import { memberOf } from "./members.ts";

const NODES = 1_000;

/** What a stream has been sent, and how it is closed. */
interface Heard {
  readonly events: string[];
  /** The last status that the stream was told of each node, by id. */
  readonly known: Map<string, string>;
  close(): void;
}

/** Nodes whose status can be set, and streams that are told of it. */
class Stage {
  readonly clock = new ManualClock();
  /** How many nodes have been looked at since that was last asked. */
  looked = 0;
  readonly #statuses = new Map<string, MemberInfo["status"]>();
  readonly #news: NodeNews;

  constructor(nodes: number) {
    for (let index = 0; index < nodes; index += 1) this.#statuses.set(`node-${index}`, "ready");
    const all = (): MemberInfo[] => [...this.#statuses].map((one) => this.#member(...one));
    const source = { registry: { all }, absent: () => [] } as never;
    const streams = { check: () => {} } as never;
    this.#news = new NodeNews({
      source,
      peers: () => [],
      streams,
      clock: this.clock,
      logger: silentLogger,
    });
  }

  set(id: string, status: MemberInfo["status"]): void {
    this.#statuses.set(id, status);
    this.#news.changed();
  }

  setAll(status: MemberInfo["status"]): void {
    for (const id of this.#statuses.keys()) this.set(id, status);
  }

  statusOf(id: string): string | undefined {
    return this.#statuses.get(id);
  }

  forget(id: string): void {
    this.#statuses.delete(id);
    this.#news.changed();
  }

  listen(): Heard {
    const events: string[] = [];
    const known = new Map<string, string>();
    const send = (text: string): void => {
      events.push(text);
      for (const event of text.split("\n\n").filter((one) => one !== "")) note(event, known);
    };
    let close = (): void => {};
    const exchange = {
      query: () => ({}),
      events: (_: unknown, begin: (open: (events: { onGone: () => void }) => unknown) => void) =>
        begin(({ onGone }) => {
          close = onGone;
          return { isOpen: true, send, end: () => {} } as unknown as EventStream;
        }),
    };
    this.#news.answer(exchange as unknown as Exchange);
    return { events, known, close: () => close() };
  }

  #member(id: string, status: MemberInfo["status"]): MemberInfo {
    const member = memberOf({ id, status });
    return Object.defineProperty(member, "url", {
      get: () => {
        this.looked += 1;
        return "http://10.0.0.1:7401";
      },
    });
  }
}

function note(event: string, known: Map<string, string>): void {
  const [, name, data = ""] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
  const told = JSON.parse(data) as { id: string; status: string; nodes: readonly MemberInfo[] };
  if (name === "nodes") for (const { id, status } of told.nodes) known.set(id, status);
  else if (name === "node") known.set(told.id, told.status);
  else known.delete(told.id);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("a thousand nodes are compared in many turns, and their changes are told at once", async () => {
  const stage = new Stage(NODES);
  const { events, known } = stage.listen();
  stage.setAll("syncing");
  stage.looked = 0;
  stage.clock.advance(100);
  const turns: number[] = [];
  while (events.length === 1) {
    turns.push(stage.looked);
    stage.looked = 0;
    await turn();
  }
  expect(Math.max(...turns)).toBeLessThanOrEqual(128);
  expect(events).toHaveLength(2);
  expect(new Set(known.values())).toEqual(new Set(["syncing"]));
  expect(known.size).toBe(NODES);
});

it("a stream that is opened while nodes are compared is told what they are in the end", async () => {
  const stage = new Stage(NODES);
  const first = stage.listen();
  stage.set("node-1", "syncing");
  stage.clock.advance(100);
  // Half of the nodes have been compared by now.
  await turn();
  stage.set("node-1", "full");
  stage.set("node-999", "full");
  stage.forget("node-998");
  const second = stage.listen();
  expect(second.known.get("node-1")).toBe("full");
  stage.set("node-1", "syncing");
  stage.set("node-999", "ready");
  stage.set("node-998", "ready");
  for (let turns = 0; turns < 3 * 8; turns += 1) {
    await turn();
    stage.clock.advance(100);
  }
  const last = ["node-1", "node-998", "node-999"].map((id) => [id, stage.statusOf(id)]);
  for (const { known } of [first, second]) {
    expect(last.map(([id = ""]) => [id, known.get(id)])).toEqual(last);
  }
});

it("a node that changes and changes back is told of to a stream that was opened between", async () => {
  const stage = new Stage(2);
  const first = stage.listen();
  // The list that is kept for those who come is old by then.
  stage.clock.advance(100);
  stage.set("node-1", "syncing");
  const second = stage.listen();
  stage.set("node-1", "ready");
  stage.clock.advance(100);
  await expect.poll(() => second.known.get("node-1")).toBe("ready");
  expect(first.known.get("node-1")).toBe("ready");
});

it("a stream that comes once all have left a comparison is told nothing of before", async () => {
  const stage = new Stage(NODES);
  const first = stage.listen();
  stage.setAll("syncing");
  stage.clock.advance(100);
  await turn();
  first.close();
  stage.setAll("ready");
  const second = stage.listen();
  for (let turns = 0; turns < 3 * 8; turns += 1) {
    await turn();
    stage.clock.advance(100);
  }
  expect(second.events).toHaveLength(1);
  expect(new Set(second.known.values())).toEqual(new Set(["ready"]));
  expect(first.events).toHaveLength(1);
});
