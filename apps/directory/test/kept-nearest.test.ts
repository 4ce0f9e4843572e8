/** Answers to `GET /nearest` that are kept, against the app, which makes each one anew. */
import type { PlainAnswer } from "@meridian/http";
import type { MemberInfo } from "@meridian/replication";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";

import { directoryStyle } from "../src/http/app.ts";
import { nearestReads } from "../src/http/nearest-reads.ts";
import { NodeRegistry } from "../src/node-registry.ts";
import { manualClock, memberOf, sourceOf } from "./members.ts";
import { nearestOf, serviceOf } from "./service.ts";

const HEAD = {
  host: "localhost",
  authorization: undefined,
  position: undefined,
  waitMs: undefined,
  traceparent: undefined,
  bodyBytes: undefined,
  headers: new Map<string, string>(),
};

/** A directory with nodes that a test changes, and its short way to the nearest of them. */
function directoryWith(members: readonly MemberInfo[]) {
  const clock = manualClock();
  const source = sourceOf(members);
  const registry = new NodeRegistry(source, clock);
  const lag = { maxMs: 10_000 };
  const service = serviceOf([], { clock, registry, lag });
  const reads = nearestReads(service, directoryStyle(service));
  const read = (query: string): PlainAnswer | undefined =>
    reads({ path: `/nearest?${query}`, head: HEAD, from: undefined });
  const readOrNone = (query: string): PlainAnswer | undefined => {
    try {
      return read(query);
    } catch {
      return undefined;
    }
  };
  /** What the app answers; undefined if it refuses. */
  const expected = (query: string): unknown => {
    const { status, body } = nearestOf(service, query);
    return status === 200 ? body : undefined;
  };
  return { clock, source, registry, lag, read, readOrNone, expected };
}

const QUERIES = ["lat=0&lon=0", "lat=0&lon=0&limit=1", "lat=50&lon=8&limit=100", "lat=-1.5&lon=2"];

const node = fc.record({
  id: fc.constantFrom("a", "b", "c", "d", "größe"),
  lat: fc.integer({ min: -90, max: 90 }),
  lon: fc.integer({ min: -180, max: 180 }),
  lagMs: fc.constantFrom(1, 2, 5_000, 20_000),
  status: fc.constantFrom("ready", "ready", "syncing"),
  peer: fc.constantFrom(null, null, "http://other.example"),
});
const step = fc.record({
  members: fc.uniqueArray(node, { selector: ({ id }) => id }),
  isTold: fc.boolean(),
  advanceMs: fc.constantFrom(0, 40, 100),
  lagMaxMs: fc.constantFrom(10_000, 10_000, 4_000),
});

describe("answers to `GET /nearest` that are kept", () => {
  it("are those of the app after any changes of nodes, of the clock and of the longest lag", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const directory = directoryWith([]);
        for (const { members, isTold, advanceMs, lagMaxMs } of steps) {
          directory.source.members = members.map(memberOf);
          if (isTold) directory.registry.changed();
          directory.clock.advance(advanceMs);
          directory.lag.maxMs = lagMaxMs;
          for (const query of [...QUERIES, ...QUERIES, ...QUERIES]) {
            expect(directory.readOrNone(query)?.body).toEqual(directory.expected(query));
          }
        }
      }),
    );
  });

  it("are the same object from the third on, until a node says something else", () => {
    const { source, clock, read, registry } = directoryWith([memberOf({ id: "a", lagMs: 1 })]);
    const [query = ""] = QUERIES;
    read(query);
    read(query);
    const kept = read(query);
    clock.advance(100);
    source.members = source.members.map((member) => ({ ...member }));
    expect(read(query)).toBe(kept);
    source.members = [memberOf({ id: "a", lagMs: 2 })];
    expect(read(query)).toBe(kept);
    clock.advance(100);
    expect(read(query)?.body).toContain('"lagMs":2');
    source.members = [memberOf({ id: "b", lagMs: 2 })];
    registry.changed();
    expect(read(query)?.body).toContain('"id":"b"');
  });

  it("need no search for the nodes of a place that was asked for twice", () => {
    const { registry, read, clock, source } = directoryWith([memberOf({ id: "a" })]);
    const search = vi.spyOn(registry, "around");
    for (let turn = 0; turn < 10; turn += 1) {
      source.members = [memberOf({ id: "a", lagMs: turn })];
      clock.advance(100);
      read("lat=1&lon=2");
    }
    expect(search).toHaveBeenCalledTimes(2);
  });

  it("are right after more places than are kept", () => {
    const { read, expected } = directoryWith(["a", "b", "c"].map((id) => memberOf({ id })));
    for (let at = 0; at < 10_000; at += 1) {
      const query = `lat=${(at % 170) - 85}&lon=${Math.floor(at / 170)}`;
      read(query);
      expect(read(query)?.body).toBe(expected(query));
    }
  });
});
