/**
 * The recorded conversation of version 1, spoken again: nodes and a follower of that version with the directory of today, and nodes and a
 * follower of today with the directory of that version.
 */
import { readFileSync } from "node:fs";

import type { Link, LinkEvents } from "@meridian/ports";
import { blockOf, decodeBlock, readFrameHeader, type Entry } from "@meridian/protocol";
import { Replica } from "@meridian/replication";
import { seededRandom, silentLogger } from "@meridian/runtime";
import { emptyLogDisk, emptyReplicaDisk, ManualClock, MemoryReplicaStore } from "@meridian/testkit";
import { expect, it } from "vitest";

import { DirectoryRig, TestLink } from "./rig.ts";

/** A message as text, or a frame. */
interface Said {
  readonly text?: string;
  readonly hex?: string;
}

type Line =
  | { readonly commit: true }
  | (Said & { readonly from: string })
  | (Said & { readonly to: string });

const { conversation } = JSON.parse(
  readFileSync(new URL("../../protocol/test/wire-1.json", import.meta.url), "utf8"),
) as { readonly conversation: readonly Line[] };

/** A node of version 1, which keeps what it is sent as it came. */
class RecordedNode extends TestLink {
  readonly heard: (string | Uint8Array)[] = [];

  override send(message: string | Uint8Array): void {
    this.heard.push(typeof message === "string" ? message : message.slice());
  }
}

/** What was said, as a value to compare: a later directory may say more in a message, but not in a frame. */
function meaningOf({ text, hex = "" }: Said): unknown {
  return text === undefined ? hex : JSON.parse(text);
}

function saidOf(message: string | Uint8Array = ""): Said {
  return typeof message === "string"
    ? { text: message }
    : { hex: Buffer.from(message).toString("hex") };
}

it("a directory of today answers nodes of version 1 as theirs did, frames to the byte", () => {
  const rig = new DirectoryRig();
  const nodes = new Map<string, RecordedNode>();
  const nodeOf = (name: string): RecordedNode => {
    const known = nodes.get(name);
    if (known !== undefined) return known;
    const node = new RecordedNode();
    node.events = rig.directory.accept(node, "10.0.0.9");
    nodes.set(name, node);
    return node;
  };
  const heard: unknown[] = [];
  const meant: unknown[] = [];
  for (const line of conversation) {
    if ("commit" in line) rig.commit();
    else if ("from" in line) {
      const said = line.text ?? Uint8Array.from(Buffer.from(line.hex ?? "", "hex"));
      nodeOf(line.from).events?.onMessage(said);
    } else {
      heard.push(meaningOf(saidOf(nodeOf(line.to).heard.shift())));
      meant.push(meaningOf(line));
    }
  }
  expect(meant.length).toBeGreaterThan(15);
  expect(heard).toMatchObject(meant);
  expect([...nodes.values()].flatMap((node) => node.heard)).toEqual([]);
  expect([...nodes.values()].map(({ closed }) => closed?.code)).toEqual([
    1001,
    undefined,
    undefined,
    undefined,
  ]);
});

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

/** What the recorded party said of one type; frames are of type `frame`. */
function recordedOf(name: string, type: string): Record<string, unknown> {
  const lines = conversation.filter((line) => "from" in line && line.from === name) as Said[];
  const said = lines.map(({ text, hex }) => (text === undefined ? frameOf(hex) : JSON.parse(text)));
  return (said as Record<string, unknown>[]).find((each) => each["type"] === type) ?? {};
}

function frameOf(hex = ""): Record<string, unknown> {
  const bytes = bytesOf(hex);
  const header = readFrameHeader(bytes);
  return { type: "frame", ...header, entries: decodeBlock(blockOf(bytes), header.count) };
}

/** The recorded directory, for a party of today that dials it in the place of the recorded party `name`. */
class RecordedDirectory {
  readonly said: Record<string, unknown>[] = [];
  readonly #lines: Said[];
  closed: number | undefined;
  dials = 0;
  events: LinkEvents | undefined;

  constructor(name: string) {
    this.#lines = conversation.filter((line) => "to" in line && line.to === name) as Said[];
  }

  readonly dial = (events: LinkEvents): Link => {
    this.events = events;
    this.dials += 1;
    return {
      bufferedBytes: 0,
      send: (message) => {
        const said = typeof message === "string" ? JSON.parse(message) : frameOf(hexOf(message));
        this.said.push(said as Record<string, unknown>);
      },
      close: (code) => {
        this.closed ??= code;
      },
    };
  };

  /** The directory says the next of its lines, with members of its own if the test has to lead the conversation elsewhere. */
  next(instead: Record<string, unknown> = {}): void {
    const { text, hex = "" } = this.#lines.shift() ?? {};
    if (text === undefined) this.events?.onMessage(bytesOf(hex));
    else this.events?.onMessage(JSON.stringify({ ...(JSON.parse(text) as object), ...instead }));
  }

  get left(): number {
    return this.#lines.length;
  }

  of(type: string): Record<string, unknown> | undefined {
    return this.said.find((said) => said["type"] === type);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A node of today in the place of the recorded node `id`. */
class NodeOfToday {
  readonly clock = new ManualClock();
  readonly directory: RecordedDirectory;
  readonly replica: Replica;
  #queue: (() => void)[] = [];

  constructor(id: string, incarnation: number) {
    this.directory = new RecordedDirectory(id);
    const place = { ip: null, port: 7_401, url: null, lat: 0, lon: 0 };
    this.replica = new Replica({
      node: { cluster: "test", id, region: id, ...place },
      store: new MemoryReplicaStore(emptyReplicaDisk(incarnation), (run) => this.#queue.push(run)),
      dial: this.directory.dial,
      clock: this.clock,
      random: seededRandom(1),
      logger: silentLogger,
      defer: (callback) => this.#queue.push(callback),
    });
    this.replica.start();
    this.directory.events?.onOpen();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) {
      for (const run of this.#queue.splice(0)) run();
      await Promise.resolve();
    }
  }

  /** The directory says its next line, and the node does what follows from it. */
  async hear(instead: Record<string, unknown> = {}): Promise<void> {
    this.directory.next(instead);
    await this.settle();
  }
}

/** What later versions may say otherwise in a greeting: what else they can do, and that a new node is not ready yet. */
const OPEN = { features: expect.any(Array), status: expect.any(String) };
const WRITE_OF_A = { logId: 0, epoch: 0, sequence: 0, incarnation: 1_001, outboxPosition: 1 };
/** Heartbeats come with time, which stood still while they were recorded. */
const LATER = { nowMs: expect.any(Number) };

it("a node of today writes through a directory of version 1 as its nodes did", async () => {
  const node = new NodeOfToday("a", 1_001);
  const { directory, replica, clock } = node;
  expect(directory.of("hello")).toMatchObject({ ...recordedOf("a", "hello"), ...OPEN });
  await node.hear();
  expect(replica.info().connected).toBe(true);
  clock.advance(500);
  const beaten = { ...LATER, lowestTime: expect.any(Number) };
  expect(directory.of("heartbeat")).toMatchObject({ ...recordedOf("a", "heartbeat"), ...beaten });
  await node.hear();
  expect(replica.status).toBe("ready");

  const recorded = recordedOf("a", "frame");
  const [entry] = recorded["entries"] as Entry[];
  if (entry === undefined) throw new Error("Expected the recording to have an entry");
  const { key, value, contentType } = entry;
  const request = { key, value, contentType, ttlMs: 0, deleted: false };
  const written = replica.write([request], { reportApplied: true });
  await node.settle();
  const receipt = await written;
  // Its stamp and the end of its life come of the clock and of chance, and only an SDK adds attributes.
  const { kind, position, incarnation, count, reportApplied } = recorded;
  expect(directory.of("frame")).toMatchObject({
    kind,
    position,
    incarnation,
    count,
    reportApplied,
    entries: [{ key, value, contentType, deleted: false }],
  });
  const acknowledged = replica.acknowledgement(receipt, "all", 10_000);
  while (directory.left > 0) await node.hear();
  expect(await acknowledged).toMatchObject({ level: "all" });
  const stopped = replica.stop();
  await node.settle();
  await stopped;
  expect(directory.of("goodbye")).toMatchObject({ ...recordedOf("a", "goodbye"), ...LATER });
});

it("a node of today is fed by a directory of version 1 as its nodes were", async () => {
  const node = new NodeOfToday("b", 2_002);
  const { directory, replica } = node;
  expect(directory.of("hello")).toMatchObject({ ...recordedOf("b", "hello"), ...OPEN });
  await node.hear();
  await node.hear();
  // The recorded node asked for the place of a write that it had already, which only a node does that has not.
  const reached = replica.reach(WRITE_OF_A, 1_000);
  expect(directory.of("locate")).toMatchObject({ ...recordedOf("b", "locate"), ...LATER });
  await node.hear();
  expect(directory.of("applied")).toMatchObject({ ...recordedOf("b", "applied"), ...LATER });
  await node.hear();
  expect(await reached).toBe(true);
  expect(Buffer.from(replica.get("greeting")?.value ?? []).toString()).toBe("hallo");
  expect(directory.closed).toBeUndefined();
});

it("a node of today compares with a directory of version 1 as its nodes did", async () => {
  const node = new NodeOfToday("b", 2_002);
  const { directory, replica } = node;
  // The recorded node compared without having to; a node of today has to be told.
  await node.hear({ resume: "reconcile" });
  expect(directory.of("reconcile")).toMatchObject({ ...recordedOf("b", "reconcile"), ...LATER });
  // The echo of its heartbeat, what it was fed, and the place of a write come before its turn.
  void replica.reach(WRITE_OF_A, 1_000);
  for (let line = 0; line < 4; line += 1) await node.hear();
  expect(directory.of("compare")).toMatchObject({ ...recordedOf("b", "compare"), ...LATER });
  await node.hear();
  // The recorded node made up an entry that it had not counted. A node of today offers what it has, and owes nothing else.
  expect(directory.of("offer")).toMatchObject({
    ...recordedOf("b", "offer"),
    ...LATER,
    entries: [],
  });
  while (directory.left > 0) await node.hear();
  expect(directory.of("reconciled")).toMatchObject({ ...recordedOf("b", "reconciled"), ...LATER });
  expect(Buffer.from(replica.get("greeting")?.value ?? []).toString()).toBe("hallo");
  expect(await replica.reach(WRITE_OF_A, 0)).toBe(true);
  expect([directory.closed, replica.status]).toEqual([undefined, "ready"]);
});

it("a node of today asks a directory of version 1 how it stands as its nodes did", async () => {
  const clock = new ManualClock();
  const [first, second] = [new RecordedDirectory("p"), new RecordedDirectory("b")];
  const replica = new Replica({
    node: { cluster: "test", id: "p", region: "p", ip: null, port: 1, url: null, lat: 0, lon: 0 },
    store: new MemoryReplicaStore(emptyReplicaDisk(3_003), (run) => run()),
    directories: 2,
    dial: (events, directory) => (directory === 0 ? first : second).dial(events),
    clock,
    random: seededRandom(1),
    logger: silentLogger,
    defer: (callback) => callback(),
  });
  replica.start();
  first.events?.onClose(1006, "");
  for (let tries = 0; tries < 20 && second.dials < 1; tries += 1) clock.advance(500);
  second.events?.onOpen();
  second.next();
  for (let tries = 0; tries < 20 && first.dials < 2; tries += 1) clock.advance(100);
  first.events?.onOpen();
  const asked = { ...recordedOf("p", "probe"), features: OPEN.features, ...LATER };
  expect(first.of("probe")).toMatchObject(asked);
  expect(first.closed).toBeUndefined();
  first.next();
  expect(first.closed).toBe(1000);
});

it("a directory of today follows one of version 1 as a follower did", async () => {
  const recorded = new RecordedDirectory("f");
  const rig = new DirectoryRig(
    {},
    {
      disk: emptyLogDisk(99),
      epoch: 98,
      follow: { random: seededRandom(1), peers: [{ name: "f", dial: recorded.dial }] },
    },
  );
  rig.commit();
  recorded.events?.onOpen();
  const greeting = { ...recordedOf("f", "follow"), features: OPEN.features, ...LATER };
  expect(recorded.of("follow")).toMatchObject(greeting);
  while (recorded.left > 0) recorded.next();
  rig.commit();
  const { head, peers } = rig.directory.info();
  expect([head, peers]).toMatchObject([
    1,
    [{ connected: true, logId: 7, epoch: 1, applied: 1, members: 2 }],
  ]);
  expect(recorded.closed).toBeUndefined();
});
