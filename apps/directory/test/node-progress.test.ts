import type { LinkEvents } from "@meridian/ports";
import type { EventStream } from "@meridian/http";
import type { MemberInfo } from "@meridian/replication";
import { silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { NodeProgress } from "../src/http/node-progress.ts";

const NODES = 1_000;
const ALL = Array.from({ length: NODES }, (_, index) => `node-${1_000 + index}`);

const NOTHING: LinkEvents = {
  onOpen: () => {},
  onMessage: () => {},
  onPart: () => {},
  onDrain: () => {},
  onClose: () => {},
};

/** A thousand nodes, and what streams are told of them. */
class Stage {
  readonly clock = new ManualClock();
  /** How many nodes have been looked at since that was last asked. */
  looked = 0;
  readonly progress = new NodeProgress({
    source: {
      registry: { all: () => ALL.map((id) => this.#member(id)) },
      absent: () => [],
      forget: () => Promise.reject(new Error("nobody is gone")),
    } as never,
    clock: this.clock,
    logger: silentLogger,
  });
  readonly #link = this.progress.through(
    { send: () => {}, bufferedBytes: 0, close: () => {} },
    () => NOTHING,
  );

  /** Adds a stream, and returns how many nodes each event that it gets has. */
  listen(): { readonly stream: EventStream; readonly told: number[] } {
    const told: number[] = [];
    const stream = {
      isOpen: true,
      send: (text: string) => void told.push(text.split('"id":').length - 1),
    } as unknown as EventStream;
    this.progress.join(stream);
    return { stream, told };
  }

  /** Lets nodes say something, and the time pass after which they are looked at. */
  report(): void {
    this.#link.onMessage("{}");
    this.clock.advance(500);
  }

  #member(id: string): MemberInfo {
    const look = (): void => void (this.looked += 1);
    const load = { entries: 1, bytes: 1, requestsPerSecond: 1, refusing: false };
    const member = { id, lagMs: 0, load, outboxPending: 0, skewMs: 0 };
    const read = {
      get appliedThrough() {
        look();
        return 1;
      },
    };
    return Object.defineProperties(member, Object.getOwnPropertyDescriptors(read)) as never;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("the progress of a thousand nodes is compared in many turns, and all of it is told in one event", async () => {
  const stage = new Stage();
  const { told } = stage.listen();
  stage.report();
  const turns: number[] = [];
  while (told.length === 0) {
    turns.push(stage.looked);
    stage.looked = 0;
    await turn();
  }
  expect(Math.max(...turns)).toBeLessThanOrEqual(128);
  expect(told).toEqual([NODES]);
});

it("who comes while nodes are compared for one who leaves is told of all nodes", async () => {
  const stage = new Stage();
  const first = stage.listen();
  stage.report();
  await turn();
  stage.progress.leave(first.stream);
  const second = stage.listen();
  await expect.poll(() => second.told).toEqual([NODES]);
  // What was compared for another has not been told to this one.
  stage.report();
  await expect.poll(() => second.told).toEqual([NODES, NODES]);
  stage.report();
  expect(first.told).toEqual([]);
});
