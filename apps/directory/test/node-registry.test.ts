import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";

import type { MemberInfo } from "@meridian/replication";

import { NodeRegistry } from "../src/node-registry.ts";
import { manualClock, memberOf, sourceOf } from "./members.ts";

const everyone = (): boolean => true;

function registryOf(first: readonly MemberInfo[]) {
  const source = sourceOf(first);
  const clock = manualClock();
  return { source, clock, registry: new NodeRegistry(source, clock) };
}

function idsNear(registry: NodeRegistry, lat: number, lon: number): string[] {
  return registry.nearest({ lat, lon }, 10, everyone).map(({ node }) => node.id);
}

describe("NodeRegistry", () => {
  it("knows at once who has come, gone or moved, when it is told of a change", () => {
    const { source, registry } = registryOf([memberOf({ id: "a" }), memberOf({ id: "b", lon: 5 })]);
    expect(idsNear(registry, 0, 0)).toEqual(["a", "b"]);
    source.members = [memberOf({ id: "c", lon: 1 }), memberOf({ id: "b", lon: 0.5 })];
    registry.changed();
    expect(idsNear(registry, 0, 0)).toEqual(["b", "c"]);
    expect(registry.size).toBe(2);
    expect(registry.get("a")).toBeUndefined();
  });

  it("knows lag and load within 100 ms without being told", () => {
    const { source, clock, registry } = registryOf([memberOf({ id: "a", lagMs: 1 })]);
    expect(registry.get("a")?.lagMs).toBe(1);
    source.members = [memberOf({ id: "a", lagMs: 2 })];
    clock.advance(99);
    expect(registry.get("a")?.lagMs).toBe(1);
    clock.advance(1);
    expect(registry.get("a")?.lagMs).toBe(2);
  });

  it("reads a node again that is asked for and has its link here, and no other", () => {
    const here = [memberOf({ id: "a", lagMs: 1 }), memberOf({ id: "far", lon: 90, lagMs: 1 })];
    const there = memberOf({ id: "b", lon: 1, lagMs: 1, peer: "http://other.example" });
    const { source, clock, registry } = registryOf([...here, there]);
    const lags = (): number[] =>
      registry.nearest({ lat: 0, lon: 0 }, 2, everyone).map(({ node }) => node.member.lagMs);
    expect(lags()).toEqual([1, 1]);
    const read = vi.spyOn(source, "linked");
    source.members = source.members.map((member) => ({ ...member, lagMs: 2 }));
    clock.advance(100);
    expect(lags()).toEqual([2, 1]);
    expect(lags()).toEqual([2, 1]);
    expect(read.mock.calls).toEqual([["a"]]);
    // What another directory tells is a change.
    registry.changed();
    expect(lags()).toEqual([2, 2]);
  });

  it("finds exactly the source's nodes after any changes", () => {
    const node = fc.record({
      id: fc.constantFrom("a", "b", "c", "d"),
      lat: fc.integer({ min: -90, max: 90 }),
      lon: fc.integer({ min: -180, max: 180 }),
    });
    const members = fc.uniqueArray(node, { selector: ({ id }) => id });
    fc.assert(
      fc.property(fc.array(members, { minLength: 1, maxLength: 6 }), (states) => {
        const { source, registry } = registryOf([]);
        for (const state of states) {
          source.members = state.map(memberOf);
          registry.changed();
          expect(registry.all().map(({ id }) => id)).toEqual(state.map(({ id }) => id).sort());
          expect(idsNear(registry, 1, 2)).toEqual(
            idsNear(registryOf(source.members).registry, 1, 2),
          );
          expect(idsNear(registry, 1, 2)).toHaveLength(state.length);
        }
      }),
    );
  });
});
