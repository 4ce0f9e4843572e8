import type { LinkEvents } from "@meridian/ports";
import { encodeMessage } from "@meridian/protocol";
import { REPLICA_LIMITS } from "@meridian/replication";
import { Deadlines, silentLogger, type Random } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { DirectoryChoice } from "../src/link/directory-choice.ts";
import { DirectoryOrder } from "../src/link/directory-order.ts";
import type { NodeContext } from "../src/node/node-context.ts";

/** How a directory answers: after so many milliseconds, and with what log. */
interface Answering {
  openMs: number;
  logId: number;
  ready: boolean;
}

/** A node that is at the first of its directories, all of which have the log 7 unless told otherwise. */
class ChoiceRig {
  readonly clock = new ManualClock();
  readonly directories: Answering[];
  readonly choice: DirectoryChoice;
  dialled = 0;
  moves = 0;

  constructor(openMs: readonly number[]) {
    this.directories = openMs.map((ms) => ({ openMs: ms, logId: 7, ready: true }));
    const { clock } = this;
    const random: Pick<Random, "next"> = { next: () => 0.5 };
    const events = {
      emit: {
        betterFound: () => {
          this.moves += 1;
          this.choice.onUp(true);
        },
      },
    };
    const context: unknown = {
      clock,
      random,
      deadlines: new Deadlines(clock),
      directories: openMs.length,
      limits: REPLICA_LIMITS,
      logger: silentLogger,
      node: { cluster: "test" },
      events,
      dial: (link: LinkEvents, directory: number) => this.#dial(link, directory),
    };
    const position = { place: { logId: 7, epoch: 1, sequence: 5 } };
    this.choice = new DirectoryChoice(context as NodeContext, position);
  }

  #dial(events: LinkEvents, directory: number) {
    const { openMs = 0, logId = 7, ready = true } = this.directories[directory] ?? {};
    let isOpen = true;
    this.dialled += 1;
    this.clock.after(openMs, () => isOpen && events.onOpen());
    const nowMs = this.clock.nowMs();
    const standing = { version: 1, features: [], nowMs, ready, logId, epoch: 1, head: 5 };
    return {
      bufferedBytes: 0,
      send: () => {
        const text = encodeMessage({ type: "standing", ...standing, followed: [] });
        this.clock.after(1, () => isOpen && events.onMessage(text));
      },
      close: () => {
        isOpen = false;
      },
    };
  }
}

describe("a node whose directories share a log", () => {
  it("goes to one that is clearly nearer, and stays there", () => {
    const rig = new ChoiceRig([120, 80, 10]);
    rig.choice.onUp(true);
    rig.clock.advance(40_000);
    expect([rig.choice.current, rig.moves]).toEqual([2, 1]);
    rig.clock.advance(3_600_000);
    expect([rig.choice.current, rig.moves]).toEqual([2, 1]);
  });

  it("turns to the others in their order when that one is gone", () => {
    const rig = new ChoiceRig([120, 80, 10]);
    rig.choice.onUp(true);
    rig.clock.advance(40_000);
    rig.choice.onDown(true, false);
    expect(rig.choice.current).toBe(0);
    rig.choice.onDown(false, false);
    expect(rig.choice.current).toBe(1);
  });

  it("keeps to its order where none is nearer by what a connection takes on one continent", () => {
    const rig = new ChoiceRig([35, 40, 6]);
    rig.choice.onUp(true);
    rig.clock.advance(600_000);
    expect([rig.choice.current, rig.moves]).toEqual([0, 0]);
  });

  it("does not go to one of another log, or that takes nobody in, however near", () => {
    const rig = new ChoiceRig([120, 1, 1]);
    Object.assign(rig.directories[1] ?? {}, { logId: 8 });
    Object.assign(rig.directories[2] ?? {}, { ready: false });
    rig.choice.onUp(true);
    rig.clock.advance(600_000);
    expect([rig.choice.current, rig.moves]).toEqual([0, 0]);
  });

  it("measures four times soon, and then every five minutes", () => {
    const rig = new ChoiceRig([10, 10]);
    rig.choice.onUp(true);
    rig.clock.advance(30_000);
    expect(rig.dialled).toBe(8);
    rig.clock.advance(3_000_000);
    expect(rig.dialled).toBe(8 + 2 * 10);
    rig.choice.stop();
    rig.clock.advance(3_000_000);
    expect(rig.dialled).toBe(28);
  });
});

describe("a directory that becomes known while a node runs", () => {
  const near = { openMs: 1, logId: 7, ready: true };

  it.each([[[120]], [[120, 130]]])("is gone to if it is clearly nearer than %s", (openMs) => {
    const rig = new ChoiceRig(openMs);
    rig.choice.onUp(true);
    rig.clock.advance(600_000);
    rig.directories.push(near);
    rig.choice.add();
    rig.clock.advance(40_000);
    expect([rig.choice.current, rig.moves]).toEqual([openMs.length, 1]);
  });

  it("is dialled last where the others are gone, and measured once the node is at one with a shared log", () => {
    const rig = new ChoiceRig([120]);
    rig.choice.onDown(false, false);
    rig.directories.push(near);
    rig.choice.add();
    rig.clock.advance(600_000);
    expect([rig.choice.current, rig.dialled]).toEqual([0, 0]);
    rig.choice.onDown(false, false);
    expect(rig.choice.current).toBe(1);
    rig.choice.onUp(true);
    rig.clock.advance(10_000);
    expect(rig.dialled).toBeGreaterThan(0);
  });
});

describe("a node whose directories have logs of their own", () => {
  it("measures nothing, and keeps to its order", () => {
    const rig = new ChoiceRig([120, 1]);
    rig.choice.onUp(false);
    rig.clock.advance(600_000);
    expect([rig.choice.current, rig.dialled]).toEqual([0, 0]);
  });
});

describe("the order of directories", () => {
  it("takes the shortest of the last three measurements, and needs three", () => {
    const order = new DirectoryOrder(2);
    for (const ms of [200, 100, 300]) order.measured(0, ms);
    for (const ms of [20, 900]) order.measured(1, ms);
    expect(order.preferNearest(0)).toBeUndefined();
    order.measured(1, 900);
    expect(order.preferNearest(0)).toBe(1);
    expect([order.at(0), order.at(1), order.rankOf(0)]).toEqual([1, 0, 1]);
    expect(order.preferNearest(1)).toBeUndefined();
    for (let each = 0; each < 3; each += 1) order.measured(1, 900);
    expect(order.preferNearest(1)).toBe(0);
    order.forget(1);
    expect(order.preferNearest(1)).toBeUndefined();
  });
});
