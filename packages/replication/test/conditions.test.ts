/** Conditions for the whole cluster: what a directory decides, and when it says so. */
import {
  agree,
  capabilities,
  CONDITIONS,
  decodeBlock,
  blockOf,
  isScoped,
  PROPOSALS_MAX,
  stampTimeOf,
  type Decided,
  type Entry,
  type NodeMessage,
} from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

import { DirectoryRig, readyLogDisk, TestLink } from "./rig.ts";

type Proposal = Partial<Extract<NodeMessage, { type: "propose" }>>;

/** A directory that decides, with two nodes; commits end when told. */
class DecidingRig extends DirectoryRig {
  readonly oslo: TestLink = this.join("oslo", 1);
  readonly rome: TestLink = this.join("rome", 2);
  #id = 0;

  /** Proposes a value of `key` with the next stamp. Returns the stamp. */
  propose(link: TestLink, key: string, more: Proposal = {}): [number, number] {
    this.#id += 1;
    const stamp: [number, number] = [stampTimeOf(this.clock.nowMs()) + this.#id, 5];
    const nowMs = this.clock.nowMs();
    const value = btoa(`value ${this.#id}`);
    const life = { contentType: "text/plain", expiresAtMs: 0, deleted: false };
    const proposal = { type: "propose", nowMs, id: this.#id, key, ifStamp: null } as const;
    link.say({ ...proposal, stamp, value, ...life, ...more });
    return stamp;
  }

  barrier(link: TestLink): void {
    this.#id += 1;
    link.say({ type: "barrier", nowMs: this.clock.nowMs(), id: this.#id });
  }

  /** Lets everything happen that is under way. */
  settle(): void {
    for (let turn = 0; turn < 3; turn += 1) {
      this.commit();
      this.clock.advance(1);
    }
  }
}

function decisions(link: TestLink): Pick<Decided, "code" | "sequence" | "time">[] {
  const inOrder = link.of("decided").toSorted((a, b) => a.id - b.id);
  return inOrder.map(({ code, sequence, time }) => ({ code, sequence, time }));
}

function entriesOf(link: TestLink): Entry[] {
  return link.frames.flatMap(({ header, bytes }) => decodeBlock(blockOf(bytes), header.count));
}

const accepted = (sequence: number): object => ({ code: null, sequence, time: 0 });
const refused = (code: string, sequence: number): object => ({ code, sequence, time: 0 });

describe("of two proposals for an absent key", () => {
  it("the first is ordered, and the second refused although the first is not durable", () => {
    const rig = new DecidingRig();
    const stamp = rig.propose(rig.oslo, "k");
    rig.propose(rig.rome, "k");
    rig.settle();
    expect(decisions(rig.oslo)).toEqual([accepted(1)]);
    expect(decisions(rig.rome)).toEqual([refused("PRECONDITION_FAILED", 1)]);
    for (const link of [rig.oslo, rig.rome]) {
      const [entry, ...rest] = entriesOf(link);
      expect(rest).toEqual([]);
      expect([entry?.stamp.time, entry?.stamp.origin]).toEqual(stamp);
      expect(isScoped(entry?.attributes)).toBe(true);
    }
  });

  it("neither is told, and no node has the entry, before it is durable", () => {
    const rig = new DecidingRig();
    rig.propose(rig.oslo, "k");
    rig.propose(rig.rome, "k");
    rig.submit(rig.rome, 2, 1, [rig.entry("plain")]);
    rig.clock.advance(1);
    expect([rig.oslo, rig.rome].flatMap((link) => [...decisions(link), ...link.frames])).toEqual(
      [],
    );
    rig.settle();
    expect(entriesOf(rig.oslo).map(({ key }) => key)).toEqual(["k", "plain"]);
  });
});

describe("a condition on a version", () => {
  it("holds of the newest one alone", () => {
    const rig = new DecidingRig();
    const first = rig.propose(rig.oslo, "k");
    const second = rig.propose(rig.oslo, "k", { ifStamp: first });
    rig.propose(rig.rome, "k", { ifStamp: first });
    rig.propose(rig.rome, "k", { ifStamp: second, deleted: true, value: "" });
    rig.propose(rig.rome, "k", { ifStamp: second });
    rig.propose(rig.oslo, "k");
    rig.settle();
    expect(decisions(rig.oslo)).toEqual([accepted(1), accepted(2), accepted(4)]);
    const no = refused("PRECONDITION_FAILED", 2);
    expect(decisions(rig.rome)).toEqual([no, accepted(3), refused("PRECONDITION_FAILED", 3)]);
  });

  it("fails where it was written plainly, of whatever age", () => {
    const rig = new DecidingRig();
    const plain = rig.entry("k");
    rig.submit(rig.oslo, 1, 1, [plain]);
    const ifStamp: [number, number] = [plain.stamp.time, plain.stamp.origin];
    rig.propose(rig.rome, "k", { ifStamp });
    rig.settle();
    rig.propose(rig.rome, "k", { ifStamp });
    rig.propose(rig.rome, "k");
    rig.settle();
    const no = refused("NOT_SCOPED", 1);
    expect(decisions(rig.rome)).toEqual([no, no, refused("PRECONDITION_FAILED", 1)]);
  });

  it("fails once the version has expired by the cluster's time, and then the key is free", () => {
    const rig = new DecidingRig();
    const expiresAtMs = rig.clock.nowMs() + 1_000;
    const ifStamp = rig.propose(rig.oslo, "k", { expiresAtMs });
    rig.settle();
    rig.clock.advance(1_000);
    rig.propose(rig.rome, "k", { ifStamp });
    rig.propose(rig.rome, "k");
    rig.settle();
    expect(decisions(rig.rome)).toEqual([refused("PRECONDITION_FAILED", 1), accepted(2)]);
  });
});

describe("a proposal", () => {
  it("is told the stamp to exceed if it has not", () => {
    const rig = new DecidingRig();
    const stamp = rig.propose(rig.oslo, "k");
    rig.settle();
    rig.propose(rig.rome, "k", { ifStamp: stamp, stamp: [stamp[0], 4] });
    rig.propose(rig.rome, "k", { ifStamp: stamp, stamp: [stamp[0], 6] });
    rig.settle();
    const low = { code: "STAMP_TOO_LOW", sequence: 1, time: stamp[0] };
    expect(decisions(rig.rome)).toEqual([low, accepted(2)]);
  });

  it("with a stamp that is too far ahead is not decided", () => {
    const rig = new DecidingRig();
    rig.propose(rig.oslo, "k", { stamp: [stampTimeOf(rig.clock.nowMs() + 60_000), 5] });
    rig.settle();
    expect(decisions(rig.oslo)).toEqual([refused("CONDITIONS_UNAVAILABLE", 0)]);
  });

  it("is not decided while the log cannot be written", () => {
    const rig = new DecidingRig();
    rig.log.full = true;
    rig.submit(rig.oslo, 1, 1, [rig.entry("plain")]);
    rig.commit();
    rig.propose(rig.oslo, "k");
    rig.barrier(rig.oslo);
    const no = refused("CONDITIONS_UNAVAILABLE", 0);
    expect(decisions(rig.oslo)).toEqual([no, no]);
  });

  it("is not decided where directories follow each other", () => {
    const dial = (): TestLink => new TestLink();
    const peers = [{ name: "other", dial }];
    const rig = new DecidingRig({ joinMs: 0 }, { follow: { random: seededRandom(1), peers } });
    rig.settle();
    const link = rig.join("late", 4);
    rig.propose(link, "k");
    expect(decisions(link)).toEqual([refused("CONDITIONS_UNAVAILABLE", 0)]);
  });

  it("is not decided once a node has shown that the log has lost something", () => {
    const rig = new DecidingRig();
    const cursor = { logId: 7, epoch: 99, sequence: 5 };
    rig.join("lost", 3, { cursor });
    rig.propose(rig.oslo, "k");
    rig.settle();
    expect(decisions(rig.oslo)).toEqual([refused("CONDITIONS_UNAVAILABLE", 0)]);
  });
});

describe("a log that may have lost something", () => {
  const cursor = { logId: 7, epoch: 99, sequence: 5 };

  /** Proposes, and returns what came of it. */
  function proposed(rig: DecidingRig): readonly object[] {
    rig.propose(rig.oslo, "k");
    rig.settle();
    return decisions(rig.oslo);
  }

  it("is not decided by after a restart either, until an operator accepts that", async () => {
    const disk = readyLogDisk(7);
    const before = new DecidingRig({}, { disk });
    before.join("lost", 3, { cursor });
    const { doubtSinceMs } = before.directory.info().conditions;
    expect(doubtSinceMs).toBe(before.clock.nowMs());
    const rig = new DecidingRig({}, { disk, epoch: 2 });
    expect(rig.directory.info().conditions).toMatchObject({ decides: false, doubtSinceMs });
    expect(proposed(rig)).toEqual([refused("CONDITIONS_UNAVAILABLE", 0)]);
    const ended = await new Promise((resolve) => {
      const doubt = rig.directory.acceptLoss(() => resolve(doubt));
    });
    expect(ended).toMatchObject({ why: "a node has seen what this log does not have" });
    expect(rig.directory.info().conditions).toEqual({
      decides: true,
      why: null,
      doubtSinceMs: null,
    });
    expect(proposed(rig).at(-1)).toEqual(accepted(1));
    const after = new DecidingRig({}, { disk, epoch: 3 });
    expect(after.directory.info().conditions.decides).toBe(true);
  });

  it("is doubted again if a node shows another loss while the first is being accepted", async () => {
    const rig = new DecidingRig();
    rig.join("lost", 3, { cursor });
    const done = new Promise<void>((resolve) => void rig.directory.acceptLoss(() => resolve()));
    rig.join("lost-too", 4, { cursor });
    await done;
    expect(proposed(rig)).toEqual([refused("CONDITIONS_UNAVAILABLE", 0)]);
  });
});

describe("a barrier", () => {
  it("names the last sequence that was ordered when it was asked for", () => {
    const rig = new DecidingRig();
    rig.propose(rig.oslo, "k");
    rig.barrier(rig.rome);
    rig.settle();
    expect(decisions(rig.rome)).toEqual([accepted(1)]);
  });
});

describe("the link of a node", () => {
  it("is closed for proposals that were not agreed on, that come twice, or that are too many", () => {
    const rig = new DecidingRig();
    const old = rig.join("old", 3, capabilities(CONDITIONS));
    expect(agree(capabilities(CONDITIONS)).features).not.toContain(CONDITIONS);
    rig.propose(old, "k");
    expect(old.closed?.code).toBe(4400);
    rig.propose(rig.oslo, "k", { id: 1_000 });
    rig.propose(rig.oslo, "k", { id: 1_000 });
    expect(rig.oslo.closed?.code).toBe(4410);
    for (let asked = 0; asked <= PROPOSALS_MAX; asked += 1) rig.propose(rig.rome, `k${asked}`);
    expect(rig.rome.closed?.code).toBe(4413);
  });
});

describe("proposals that wait for the log to settle", () => {
  it("are of 32 MiB at most, and the next one is refused", () => {
    const rig = new DecidingRig({ recentBytesMax: 0 });
    rig.submit(rig.rome, 2, 1, [rig.entry("plain")]);
    rig.settle();
    // The table is behind, and does not come further.
    Object.defineProperty(rig.log, "mergedThrough", { get: () => 0 });
    rig.log.read = () => [];
    rig.log.settle = () => {};
    const value = btoa("v".repeat(1024 * 1024));
    for (let count = 0; count < 32; count += 1) rig.propose(rig.oslo, `k${count}`, { value });
    rig.clock.advance(1);
    rig.propose(rig.rome, "one more", { value });
    rig.clock.advance(1);
    expect(decisions(rig.oslo)).toEqual([]);
    expect(decisions(rig.rome)).toEqual([refused("OVERLOADED", 0)]);
  });
});
