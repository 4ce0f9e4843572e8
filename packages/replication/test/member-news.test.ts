import { encodeMessage, TEXT_BYTES_MAX, type NodeStatus } from "@meridian/protocol";
import { describe, expect, it, onTestFinished, vi } from "vitest";

import { copyLogDisk, emptyLogDisk, heartbeatOf } from "@meridian/testkit";

import { DIRECTORY_LIMITS } from "../src/limits.ts";
import { KnownMembers } from "../src/node/known-members.ts";
import { GroupRig } from "./group-rig.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";

const NODES = 60;
const LONG_ADDRESS = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";

interface Crowd {
  readonly rig: DirectoryRig;
  readonly links: readonly TestLink[];
}

/** A directory with nodes that have all been told of each other. */
function crowd(linkBytesMax = 4 * 1024 * 1024): Crowd {
  const rig = new DirectoryRig({ linkBytesMax });
  const links = Array.from({ length: NODES }, (_, index) => rig.join(`node-${index}`, 100 + index));
  rig.clock.advance(200);
  for (const link of links) link.texts.splice(0);
  return { rig, links };
}

function say(rig: DirectoryRig, link: TestLink | undefined, status: NodeStatus): void {
  link?.say(heartbeatOf({ nowMs: rig.clock.nowMs(), status }));
}

/** A directory that follows, and has been told all there is. */
function follow(rig: DirectoryRig, logId: number, isTold = true): TestLink {
  const link = rig.connect();
  const { versions, features, cluster } = rig.hello("x", 1);
  const place = { logId, epoch: 3, head: 0, cursors: [] };
  link.say({ type: "follow", versions, features, cluster, ...place, nowMs: 0 });
  if (isTold) link.texts.splice(0);
  return link;
}

function bytesOf(link: TestLink): number {
  const told = [...link.of("members"), ...link.of("members-changed")];
  return told.reduce((sum, message) => sum + encodeMessage(message).length, 0);
}

describe("a change of the members", () => {
  it("costs each node a message of its own size, encoded once for all", () => {
    const { rig, links } = crowd();
    const stringify = vi.spyOn(JSON, "stringify");
    onTestFinished(() => stringify.mockRestore());
    say(rig, links[7], "draining");
    rig.clock.advance(100);
    const encoded = stringify.mock.calls.map(([value]) => (value as { type?: string }).type);
    stringify.mockRestore();
    expect(encoded.filter((type) => type?.startsWith("members"))).toEqual(["members-changed"]);
    for (const link of links) {
      expect(link.of("members-changed")).toMatchObject([
        { changed: [{ id: "node-7", status: "draining" }], gone: [] },
      ]);
      expect(bytesOf(link)).toBeLessThan(300);
    }
  });

  it("is told at most ten times a second, together with all that change meanwhile", () => {
    const { rig, links } = crowd();
    for (let at = 0; at < 500; at += 10) {
      say(rig, links[at % NODES], at % 20 === 0 ? "syncing" : "ready");
      rig.clock.advance(10);
    }
    links[1]?.close(1000, "");
    rig.clock.advance(200);
    const told = links[0]?.of("members-changed") ?? [];
    expect(told.length).toBeGreaterThan(1);
    expect(told.length).toBeLessThanOrEqual(7);
    expect(told.at(-1)).toMatchObject({ gone: ["node-1"] });
  });
});

describe("a change of the members, where it cannot be told as such,", () => {
  it("is told to a node that has not read what was sent before once it has, with the whole list", () => {
    const { rig, links } = crowd(10_000);
    const slow = links[3];
    if (slow === undefined) throw new Error("Expected a node");
    slow.bufferedBytes = 10_000;
    say(rig, links[7], "draining");
    rig.clock.advance(100);
    say(rig, slow, "ready");
    expect(bytesOf(slow)).toBe(0);
    slow.bufferedBytes = 0;
    say(rig, slow, "ready");
    const [list, ...more] = slow.of("members");
    expect([list?.members.length, more.length]).toEqual([NODES, 0]);
    expect(list?.members.find(({ id }) => id === "node-7")?.status).toBe("draining");
    say(rig, links[8], "draining");
    rig.clock.advance(100);
    expect(slow.of("members-changed")).toMatchObject([{ changed: [{ id: "node-8" }] }]);
  });

  it("is told with the whole list to a node that takes no changes", () => {
    const rig = new DirectoryRig();
    const plain = rig.join("plain", 1, { features: [] });
    rig.clock.advance(200);
    rig.join("other", 2);
    rig.clock.advance(200);
    expect(plain.of("members-changed")).toEqual([]);
    expect(
      plain
        .of("members")
        .at(-1)
        ?.members.map(({ id }) => id),
    ).toEqual(["plain", "other"]);
  });

  it("goes into what a node knows", () => {
    const known = new KnownMembers();
    const member = (id: string, status: NodeStatus) => {
      return { id, region: "r", url: "http://a", lat: 0, lon: 0, status };
    };
    known.take({
      type: "members",
      nowMs: 0,
      members: [member("a", "ready"), member("b", "ready")],
    });
    const changed = [member("b", "draining"), member("c", "joining")];
    known.take({ type: "members-changed", nowMs: 0, changed, gone: ["a", "nobody"] });
    expect(known.list).toEqual(changed);
  });
});

describe("who has applied a frame", () => {
  it("costs its sender a few lists of all, however many report it one by one", () => {
    const { rig, links } = crowd();
    const [writer, ...others] = links;
    if (writer === undefined) throw new Error("Expected a node");
    rig.submit(writer, 100, 1, [rig.entry("k")], { reportApplied: true });
    rig.commit();
    for (const link of others) {
      link.say({ type: "applied", nowMs: rig.clock.nowMs(), through: 1 });
      rig.clock.advance(1);
    }
    rig.clock.advance(NODES / 10);
    const told = writer.of("applied-by");
    expect(told.length).toBeLessThan(20);
    expect(told.at(-1)?.nodes.length).toBe(NODES - 1);
  });

  it("is told at each report where they are few", () => {
    const rig = new DirectoryRig();
    const [writer, ...others] = [1, 2, 3, 4].map((index) => rig.join(`node-${index}`, index));
    if (writer === undefined) throw new Error("Expected a node");
    rig.submit(writer, 1, 1, [rig.entry("k")], { reportApplied: true });
    for (const link of others) link.say({ type: "applied", nowMs: 0, through: 1 });
    expect(writer.of("applied-by").map(({ nodes }) => nodes.length)).toEqual([0, 1, 2, 3]);
  });
});

describe("a directory that follows", () => {
  it("is told nothing of the nodes while its link is full", () => {
    const rig = new DirectoryRig({ linkBytesMax: 1_000 });
    const follower = follow(rig, 9);
    follower.bufferedBytes = 1_000;
    for (let index = 0; index < 5; index += 1) {
      rig.join(`node-${index}`, 100 + index);
      rig.clock.advance(200);
      rig.beat(follower);
    }
    expect(follower.of("registry")).toEqual([]);
    follower.bufferedBytes = 0;
    rig.beat(follower);
    const [registry, ...more] = follower.of("registry");
    expect([registry?.members.length, registry?.remembered?.length, more]).toEqual([5, 5, []]);
    rig.clock.advance(100);
    rig.beat(follower);
    const [, next] = follower.of("registry");
    expect([next?.members.length, next?.remembered]).toEqual([5, undefined]);
  });

  it("is told by how much nodes' clocks differ from this directory's as it is set now", () => {
    const rig = new DirectoryRig();
    const node = rig.join("a", 1);
    const wallMs = rig.clock.nowMs();
    node.say(heartbeatOf({ nowMs: wallMs }));
    rig.clock.jump(-3_600_000);
    const follower = follow(rig, 9, false);
    const told = follower.of("registry").at(-1);
    expect((told?.nowMs ?? 0) + (told?.members[0]?.skewMs ?? 0)).toBe(wallMs);
  });
});

describe("many that follow, or are remembered,", () => {
  it("hear of the nodes at most ten times a second, in words that were made once for all that follow", () => {
    const { rig } = crowd();
    const followers = [9, 10, 11].map((logId) => follow(rig, logId));
    const stringify = vi.spyOn(JSON, "stringify");
    onTestFinished(() => stringify.mockRestore());
    for (let at = 0; at < 1_000; at += 10) {
      for (const each of followers) rig.beat(each);
      rig.clock.advance(10);
    }
    const encoded = stringify.mock.calls.filter(
      ([value]) => Array.isArray(value) && value.length === NODES,
    );
    stringify.mockRestore();
    expect(encoded.length).toBeLessThanOrEqual(11);
    for (const each of followers) {
      const told = each.of("registry");
      expect(told.length).toBeGreaterThan(5);
      expect(told.length).toBeLessThanOrEqual(11);
      expect(told.at(-1)?.members.length).toBe(NODES);
    }
  });

  it("are told in several messages where one does not hold them", () => {
    const disk = emptyLogDisk(7);
    const count = 1_500;
    const place = { region: "r", url: "http://a", ip: "10.0.0.1", port: 1, lat: 0, lon: 0 };
    for (let index = 0; index < count; index += 1) {
      const id = `node-${index}`;
      disk.members.set(id, { ...place, id, generation: 1, seenAtMs: 0 });
    }
    const rig = new DirectoryRig({}, { disk });
    const follower = follow(rig, 9, false);
    for (let turn = 0; turn < 5; turn += 1) {
      rig.clock.advance(100);
      rig.beat(follower);
    }
    const told = follower.of("registry").map(({ remembered = [] }) => remembered);
    expect(told.map(({ length }) => length)).toEqual([500, 500, 500, 0, 0, 0]);
    expect(new Set(told.flat().map(({ id }) => id)).size).toBe(count);
  });
});

it("the longest words on as many nodes as there may be fit into one message, and one more node is not taken in", () => {
  const presentMax = 64;
  const rig = new DirectoryRig({ presentMax });
  const label = (index: number): string => `${"n".repeat(57)}-${1_000 + index}`;
  const url = `http://${"h".repeat(253)}:65535`;
  const hello = { lat: -89.12345678901234, lon: -179.1234567890123, url, ip: LONG_ADDRESS };
  const reader = rig.join("reader", 1);
  const links = Array.from({ length: presentMax - 1 }, (_, index) => {
    return rig.join(label(index), 2 + index, { ...hello, region: "r".repeat(63) });
  });
  for (const link of links) {
    const load = {
      entries: 2 ** 53 - 1,
      bytes: 2 ** 53 - 1,
      requestsPerSecond: 1.2345678901234567e-100,
    };
    const said = {
      appliedThrough: 0,
      outboxPending: 2 ** 53 - 1,
      lowestTime: 0,
      lagMs: 1e15 + 0.1,
      load,
    };
    link.say({ type: "heartbeat", nowMs: 0, status: "standalone", ...said });
  }
  const follower = follow(rig, 9, false);
  rig.clock.advance(100);
  rig.beat(follower);
  for (const message of [reader.of("members").at(-1), ...follower.of("registry")]) {
    if (message === undefined) throw new Error("Expected a message");
    expect(message.members.length).toBe(presentMax);
    const bytesOfEach = encodeMessage(message).length / presentMax;
    expect(bytesOfEach * DIRECTORY_LIMITS.presentMax).toBeLessThan(TEXT_BYTES_MAX);
  }
  expect(rig.join("one-more", 99_999).closed?.code).toBe(4413);
  expect(rig.join("reader", 1).closed).toBeUndefined();
});

describe("a directory that was off", () => {
  it("hears of what is remembered and forgotten, also what happened while it was off", async () => {
    const group = await GroupRig.start(2);
    const berlin = group.node("berlin");
    await group.pass(1_000);
    const stopped = berlin.stop();
    await group.pass(3_000);
    await stopped;
    const missed = (index: number): string[] =>
      group.directory(index).directory.absent.map(({ id }) => id);
    expect([missed(0), missed(1)]).toEqual([["berlin"], ["berlin"]]);
    const disk = copyLogDisk(group.disks[0] ?? emptyLogDisk(0));
    await group.kill(0);
    group.directory(1).directory.forget("berlin", () => {});
    await group.pass(500);
    group.start(0, disk);
    expect(missed(0)).toEqual(["berlin"]);
    await group.pass(3_000);
    expect([missed(0), missed(1)]).toEqual([[], []]);
  });
});
